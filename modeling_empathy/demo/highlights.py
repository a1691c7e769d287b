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
        rationales: Of the pipeline: `start` and `end` in characters, in order, none over another.
    """
    parts, place = [], 0
    for span in rationales:
        parts += [Part(text[place : span["start"]], False), Part(text[span["start"] : span["end"]], True)]
        place = span["end"]
    parts.append(Part(text[place:], False))
    return [part for part in parts if part.text]
