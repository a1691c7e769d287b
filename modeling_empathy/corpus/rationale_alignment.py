"""Finds an annotated rationale in its response, although the two were written down differently."""

from __future__ import annotations

import html
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from difflib import SequenceMatcher
from functools import lru_cache
from html.entities import html5
from itertools import chain


# Also escaped twice (`&amp;#x200B;`), as some of the published responses are.
_ENTITY = re.compile(r"&(?:amp;)*(#\d+;|#[xX][0-9a-fA-F]+;|[A-Za-z][A-Za-z0-9]*;)")
# What was removed, inside words too, from some copies of the published posts and from some quotes.
_REMOVED = re.compile(r"(?:sub)?reddit", re.IGNORECASE)
_WORD = re.compile(r"\w+|[^\w\s]")
# Not white space to Python, and as invisible: zero-width space and joiners, byte order mark, soft hyphen.
_INVISIBLE = "\u200b\u200c\u200d\u2060\ufeff\u00ad"


def align_rationale(rationale: str, text: str, taken: Sequence[tuple[int, int]] = ()) -> tuple[int, int] | None:
    """Finds the characters of a text that a rationale quotes.

    The quote is looked for as it stands, then with case folded, white space left out and entities (`&amp;`,
    `&#x200B;`) unescaped on both sides, then with what was removed from the published quotes left out of the text.
    Where it occurs several times, the first occurrence that no other rationale of the response has taken is meant, or
    the first.

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
    exact = ((start, start + len(quote)) for start in _occurrences(quote, text))
    # Only entities are longer than a character. A quote may end inside one ("&amp" of "&amp;"), and its span must not.
    entities = _entities(text)
    whole = (span for span in exact if _widened(span, entities) == span) if entities else exact
    occurrences = _first_or_none(whole) or _folded_occurrences(quote, text)
    if occurrences is None and entities:
        exact = ((start, start + len(quote)) for start in _occurrences(quote, text))
        occurrences = _first_or_none(_widened(span, entities) for span in exact if not _is_inside(span, entities))
    span = None if occurrences is None else _first_free(occurrences, taken, len(text))
    return None if span is None else _trimmed(span, text)


def map_span(span: tuple[int, int], from_text: str, to_text: str) -> tuple[int, int] | None:
    """Carries a span of one copy of a post over to a fuller copy.

    The copies may differ in white space and by words that were removed from `from_text`.

    Args:
        span: `(start, end)` in characters of `from_text`, not white space alone.
        from_text: The copy that the span was found in.
        to_text: The fuller copy.

    Returns:
        `(start, end)` in characters of `to_text`; `None` where none of its characters is there.
    """
    if from_text == to_text:
        return span
    counterparts = _counterparts(from_text, to_text)
    carried = [counterparts[index] for index in range(*span) if index in counterparts]
    if not carried:
        return None
    start, end = carried[0], carried[-1] + 1
    # A word that a part was removed from comes back whole.
    while _is_inside_word(to_text, start) and not _is_inside_word(from_text, span[0]):
        start -= 1
    while _is_inside_word(to_text, end) and not _is_inside_word(from_text, span[1]):
        end += 1
    return start, end


def is_shortened(shorter: str, fuller: str) -> bool:
    """Whether `shorter` is `fuller` with other white space and perhaps some words left out.

    Of a part of a word, only what was removed from the published posts may be left out.
    """
    if _is_subsequence(_WORD.findall(shorter), _WORD.findall(fuller)):
        return True
    squeezed, squeezed_fuller = "".join(shorter.split()), "".join(fuller.split())
    same_otherwise = _REMOVED.sub("", squeezed) == _REMOVED.sub("", squeezed_fuller)
    return same_otherwise and _is_subsequence(squeezed, squeezed_fuller)


def _occurrences(quote: str, text: str) -> Iterator[int]:
    start = text.find(quote)
    while start >= 0:
        yield start
        start = text.find(quote, start + 1)


def _first_or_none(spans: Iterable[tuple[int, int]]) -> Iterator[tuple[int, int]] | None:
    """All of the spans, found one by one as they are needed; None if there is none."""
    spans = iter(spans)
    first = next(spans, None)
    return None if first is None else chain([first], spans)


def _folded_occurrences(quote: str, text: str) -> Iterator[tuple[int, int]] | None:
    folded_quote, _ = _fold(quote)
    if not folded_quote:
        return None  # nothing but invisible characters, which would be found everywhere
    # Only where the whole text does not have it: a quote that kept the word means the place where the word is.
    return _first_or_none(_spans_of(folded_quote, *_folded(text))) or _first_or_none(
        _spans_of(folded_quote, *_folded_without_removed(text))
    )


def _spans_of(folded_quote: str, folded_text: str, sources: Sequence[tuple[int, int]]) -> Iterator[tuple[int, int]]:
    """Where the quote occurs, but not where it begins or ends in the middle of what one source character became."""
    # One character may become several: "ß" folds to "ss", and half of it is no place in the text.
    for start in _occurrences(folded_quote, folded_text):
        end = start + len(folded_quote)
        if (start == 0 or sources[start - 1] != sources[start]) and (
            end == len(sources) or sources[end - 1] != sources[end]
        ):
            yield sources[start][0], sources[end - 1][1]


# A response has many rationales, one after the other, and what belongs to it is made once.
_of_a_text = lru_cache(maxsize=4)


@_of_a_text
def _folded(text: str) -> tuple[str, list[tuple[int, int]]]:
    return _fold(text)


@_of_a_text
def _folded_without_removed(text: str) -> tuple[str, list[tuple[int, int]]]:
    folded, sources = _folded(text)
    left_out = {index for match in _REMOVED.finditer(folded) for index in range(*match.span())}
    kept = [index for index in range(len(folded)) if index not in left_out] if left_out else []
    return "".join(folded[index] for index in kept), [sources[index] for index in kept]


@_of_a_text
def _entities(text: str) -> dict[int, tuple[int, int]]:
    """The `(start, end)` of the entity for each character that is part of one."""
    spans = [(start, end) for start, end in _units(text) if end - start > 1] if "&" in text else []
    return {place: (start, end) for start, end in spans for place in range(start, end)}


def _fold(text: str) -> tuple[str, list[tuple[int, int]]]:
    """The text casefolded, unescaped, without white space; and the source `(start, end)` of each character of it."""
    folded: list[str] = []
    sources: list[tuple[int, int]] = []
    for start, end in _units(text):
        for character in _unescaped(text[start:end]).casefold():
            if not character.isspace() and character not in _INVISIBLE:
                folded.append(character)
                sources.append((start, end))
    return "".join(folded), sources


def _units(text: str) -> Iterator[tuple[int, int]]:
    """The `(start, end)` of each entity and of each other character."""
    position = 0
    while position < len(text):
        end = position + 1
        if text[position] == "&":
            entity = _ENTITY.match(text, position)
            # Names that HTML knows and no others: "R&B;" is text.
            if entity and (entity[1].startswith("#") or entity[1] in html5):
                end = entity.end()
            elif text.startswith("&amp;", position):
                end = position + len("&amp;")
        yield position, end
        position = end


def _unescaped(unit: str) -> str:
    # To the end, because some responses were escaped twice.
    while (unescaped := html.unescape(unit)) != unit:
        unit = unescaped
    return unit


def _trimmed(span: tuple[int, int], text: str) -> tuple[int, int] | None:
    """The span without white space and invisible characters, escaped or not, at its ends."""
    part = text[span[0] : span[1]]
    if part.isascii() and "&" not in part:
        return span  # most are: quotes come stripped of plain white space
    _, sources = _fold(part)
    return (span[0] + sources[0][0], span[0] + sources[-1][1]) if sources else None


def _is_inside(span: tuple[int, int], entities: Mapping[int, tuple[int, int]]) -> bool:
    return span[0] in entities and span[1] <= entities[span[0]][1]


def _widened(span: tuple[int, int], entities: Mapping[int, tuple[int, int]]) -> tuple[int, int]:
    """The span with all of the entities that it begins or ends in."""
    return entities.get(span[0], span)[0], entities.get(span[1] - 1, span)[1]


def _first_free(
    occurrences: Iterator[tuple[int, int]], taken: Sequence[tuple[int, int]], length: int
) -> tuple[int, int] | None:
    is_taken = bytearray(length)
    for start, end in taken:
        is_taken[start:end] = b"\1" * (end - start)
    first = None
    for start, end in occurrences:
        if 1 not in is_taken[start:end]:
            return start, end
        first = first or (start, end)
    # Every place is taken: the rationale repeats another or overlaps it, which annotations may do.
    return first


def _is_inside_word(text: str, edge: int) -> bool:
    return 0 < edge < len(text) and text[edge - 1].isalnum() and text[edge].isalnum()


def _is_subsequence(shorter: Sequence[str], longer: Sequence[str]) -> bool:
    remaining = iter(longer)
    return all(item in remaining for item in shorter)


@lru_cache(maxsize=4)  # a post has several spans, one after the other
def _counterparts(from_text: str, to_text: str) -> dict[int, int]:
    """For each visible character of `from_text` that is also in `to_text`, in order, its place there."""
    words, to_words = list(_WORD.finditer(from_text)), list(_WORD.finditer(to_text))
    # Words first: characters alone would find their counterparts in other words, and slowly.
    # Without `autojunk`, which takes what is frequent in a long text for noise.
    matcher = SequenceMatcher(None, [word[0] for word in words], [word[0] for word in to_words], autojunk=False)
    counterparts: dict[int, int] = {}
    for _, start, end, to_start, to_end in matcher.get_opcodes():
        places = [index for word in words[start:end] for index in range(*word.span())]
        to_places = [index for word in to_words[to_start:to_end] for index in range(*word.span())]
        characters, to_characters = [from_text[index] for index in places], [to_text[index] for index in to_places]
        if characters == to_characters:
            counterparts.update(zip(places, to_places, strict=True))
            continue
        for block in SequenceMatcher(None, characters, to_characters, autojunk=False).get_matching_blocks():
            counterparts.update((places[block.a + step], to_places[block.b + step]) for step in range(block.size))
    return counterparts
