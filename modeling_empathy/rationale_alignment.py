"""Finds an annotated rationale in its response, although the two were written down differently."""

from __future__ import annotations

import html
import re
from bisect import bisect_left
from collections.abc import Sequence
from difflib import SequenceMatcher


_ENTITY = re.compile(r"&(?:#\d+|#[xX][0-9a-fA-F]+|[A-Za-z][A-Za-z0-9]*);")
# Not white space to Python, and as invisible: zero-width space and joiners, byte order mark, soft hyphen.
_INVISIBLE = "\u200b\u200c\u200d\u2060\ufeff\u00ad"


def align_rationale(rationale: str, text: str, taken: Sequence[tuple[int, int]] = ()) -> tuple[int, int] | None:
    """Finds the characters of a text that a rationale quotes.

    The quote is looked for as it stands, then with case folded, white space left out and entities (`&amp;`,
    `&#x200B;`) unescaped on both sides. Where it occurs several times, the first occurrence that no other rationale
    of the response has taken is meant, or the first.

    Args:
        rationale: The quoted words.
        text: The response.
        taken: `(span, 2)`, the spans of the response's other rationales so far.

    Returns:
        `(start, end)` in characters of `text`, end-exclusive, without white space at its ends and covering whole
        entities; `None` where the words are not in the text.
    """
    quote = rationale.strip()
    if not quote:
        return None
    exact = [(start, start + len(quote)) for start in _occurrences(quote, text)]
    return _first_free(exact or _folded_occurrences(quote, text), taken)


def map_span(span: tuple[int, int], from_text: str, to_text: str) -> tuple[int, int] | None:
    """Carries a span of one copy of a post over to a fuller copy.

    The copies may differ in white space and by words that were removed from `from_text`.

    Args:
        span: `(start, end)` in characters of `from_text`, not white space alone.
        from_text: The copy that the span was found in.
        to_text: The fuller copy.

    Returns:
        `(start, end)` in characters of `to_text`; `None` where the ends of the span have no counterpart.
    """
    if from_text == to_text:
        return span
    source, target = _visible(from_text), _visible(to_text)
    first, last = bisect_left(source, span[0]), bisect_left(source, span[1]) - 1
    counterparts = _counterparts("".join(from_text[i] for i in source), "".join(to_text[i] for i in target))
    if last < first or first not in counterparts or last not in counterparts:
        return None
    return target[counterparts[first]], target[counterparts[last]] + 1


def is_shortened(shorter: str, fuller: str) -> bool:
    """Whether `shorter` is `fuller` with other white space and perhaps some words left out."""
    remaining = iter(fuller.split())
    if all(word in remaining for word in shorter.split()):
        return True
    left = iter("".join(fuller.split()))
    return all(character in left for character in "".join(shorter.split()))


def _occurrences(quote: str, text: str) -> list[int]:
    starts, start = [], text.find(quote)
    while start >= 0:
        starts.append(start)
        start = text.find(quote, start + 1)
    return starts


def _folded_occurrences(quote: str, text: str) -> list[tuple[int, int]]:
    folded_quote, _ = _fold(quote)
    folded_text, sources = _fold(text)
    if not folded_quote:
        return []
    return [
        (sources[start][0], sources[start + len(folded_quote) - 1][1])
        for start in _occurrences(folded_quote, folded_text)
    ]


def _fold(text: str) -> tuple[str, list[tuple[int, int]]]:
    """The text casefolded, unescaped, without white space; and the source `(start, end)` of each character of it."""
    folded: list[str] = []
    sources: list[tuple[int, int]] = []
    position = 0
    while position < len(text):
        entity = _ENTITY.match(text, position) if text[position] == "&" else None
        end = entity.end() if entity else position + 1
        for character in html.unescape(text[position:end]).casefold():
            if not character.isspace() and character not in _INVISIBLE:
                folded.append(character)
                sources.append((position, end))
        position = end
    return "".join(folded), sources


def _first_free(occurrences: Sequence[tuple[int, int]], taken: Sequence[tuple[int, int]]) -> tuple[int, int] | None:
    for start, end in occurrences:
        if all(end <= other_start or other_end <= start for other_start, other_end in taken):
            return start, end
    return occurrences[0] if occurrences else None


def _visible(text: str) -> list[int]:
    return [index for index, character in enumerate(text) if not character.isspace()]


def _counterparts(source: str, target: str) -> dict[int, int]:
    """For each character of `source` that is also in `target`, in order, its place there."""
    if source == target:
        return {index: index for index in range(len(source))}
    blocks = SequenceMatcher(None, source, target, autojunk=False).get_matching_blocks()
    return {block.a + step: block.b + step for block in blocks for step in range(block.size)}
