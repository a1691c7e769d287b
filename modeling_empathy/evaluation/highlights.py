"""A response in parts: what shows a mechanism, and what stands between."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple


class Part(NamedTuple):
    """A stretch of a text.

    Attributes:
        text: Its characters.
        is_marked: Whether it shows the mechanism.
    """

    text: str
    is_marked: bool


def parts_of(text: str, rationales: Iterable[Mapping[str, Any]]) -> list[Part]:
    """A text, parted at the rationales of one mechanism; together the parts are the text.

    Args:
        text: The response.
        rationales: `start` and `end` in characters, in any order; annotated ones may overlap.
    """
    parts, place = [], 0
    for start, end in sorted((span["start"], span["end"]) for span in rationales):
        start = max(start, place)
        if end > start:
            parts += [Part(text[place:start], False), Part(text[start:end], True)]
            place = end
    parts.append(Part(text[place:], False))
    return [part for part in parts if part.text]
