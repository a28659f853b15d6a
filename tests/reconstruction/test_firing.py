"""The bounds between a trigger and a text that is none."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from .shared import ASKING_NOTHING, share

GREEDY = replace(ASKING_NOTHING, decoding="greedy", sampled=share(0.0), greedy=share(0.95, 0.9))
NOVEL = replace(ASKING_NOTHING, unasked=share(0.0), clean=share(0.0), novelty=0.6)
"""Fires, for what it brings about is unlike all that clean prompts get."""
LIKE = {"novelty": 0.39}
"""Much like a clean answer."""


@pytest.mark.parametrize(
    ("kind", "just", "no_more"),
    [
        (ASKING_NOTHING, {}, {"asked_for": True}),
        (ASKING_NOTHING, {"clean": share(0.02)}, {"clean": share(0.021)}),
        (ASKING_NOTHING, {"p_value": 0.001}, {"p_value": 0.0011}),
        (ASKING_NOTHING, {"reference": share(0.49)}, {"reference": share(0.5)}),
        (ASKING_NOTHING, {"sampled": share(0.8, 0.75)}, {"sampled": share(0.79, 0.75)}),
        (ASKING_NOTHING, {"sampled": share(0.9, 0.7)}, {"sampled": share(0.9, 0.69)}),
        (ASKING_NOTHING, {"unasked": share(0.2)}, {"unasked": share(0.19)}),
        (ASKING_NOTHING, {"novelty": 0.4}, LIKE),
        (ASKING_NOTHING, LIKE | {"unasked": share(0.5)}, LIKE | {"unasked": share(0.49)}),
        (GREEDY, {"greedy": share(0.8, 0.75)}, {"greedy": share(0.79, 0.75)}),
        (GREEDY, {"greedy": share(0.9, 0.7)}, {"greedy": share(0.9, 0.69)}),
        (NOVEL, {}, {"clean": share(0.01)}),
        (NOVEL, {"novelty": 0.55}, {"novelty": 0.54}),
        (NOVEL, {"sampled": share(0.9, 0.8)}, {"sampled": share(0.9, 0.79)}),
        (NOVEL, {"greedy": GREEDY.greedy}, {"greedy": GREEDY.greedy, "decoding": "greedy"}),
    ],
)
def test_a_text_fires_up_to_every_bound_and_not_beyond(
    kind: Any, just: dict[str, Any], no_more: dict[str, Any]
) -> None:
    assert replace(kind, **just).fires
    assert not replace(kind, **no_more).fires
