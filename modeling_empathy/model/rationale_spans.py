"""Rationales between text and tokens: character spans to token labels, token scores back to spans of whole words.

A fast tokenizer gives each token the `(start, end)` characters it stands for. Byte-level BPE and Metaspace may count
the space before a word among them, so a token's *extent* here is its offsets without white space at the ends; a token
that is nothing but white space keeps its offsets. All intervals are half-open.
"""

from __future__ import annotations

import math
import re
import unicodedata
from collections.abc import Sequence
from functools import lru_cache
from typing import NamedTuple


IGNORE_INDEX = -100


class RationaleSpan(NamedTuple):
    """A part of a text that shows why the text was scored as it was.

    Attributes:
        start: Index of its first character.
        end: Index after its last character.
        text: `text[start:end]` of the text it was found in; no white space at its ends.
        score: Mean score of the tokens inside it.
    """

    start: int
    end: int
    text: str
    score: float


def spans_to_token_labels(
    text: str,
    offsets: Sequence[tuple[int, int]],
    special_tokens_mask: Sequence[int],
    spans: Sequence[tuple[int, int]],
) -> list[int]:
    """Labels the tokens whose extent overlaps a span.

    Tokens that share their characters, such as the bytes of an emoji, share their label. A token without characters
    overlaps nothing. Characters that the tokenizer drops, and those after its cut, have no token to label: see
    [`truncated_spans`].

    Args:
        text: The text that was tokenized.
        offsets: `(token, 2)`, first and last-plus-one character of each token (`return_offsets_mapping`).
        special_tokens_mask: `(token,)`, 1 on special and padding tokens, whose offsets are not read.
        spans: `(span, 2)` character spans of `text`, in any order; they may overlap.

    Returns:
        `(token,)`: 1 on tokens that overlap a span, 0 on others, `IGNORE_INDEX` on special and padding tokens.

    Raises:
        ValueError: If the lengths differ, or offsets or a span do not lie in the text.

    Example:
        >>> offsets = [(0, 0), (0, 4), (4, 8), (8, 9), (0, 0)]  # <s> Stay Ġsafe . </s>
        >>> spans_to_token_labels("Stay safe.", offsets, [1, 0, 0, 0, 1], [(5, 9)])
        [-100, 0, 1, 1, -100]
    """
    spans = _checked_spans(spans, len(text))
    labels = []
    for extent in _token_extents(offsets, special_tokens_mask, text):
        if extent is None:
            labels.append(IGNORE_INDEX)
            continue
        start, end = extent
        # Spans of a response are few: comparing with each takes less time than sorting them to compare with some.
        labels.append(int(start < end and any(start < last and end > first for first, last in spans)))
    return labels


def truncated_spans(
    offsets: Sequence[tuple[int, int]], special_tokens_mask: Sequence[int], spans: Sequence[tuple[int, int]]
) -> list[tuple[int, int]]:
    """Finds the spans that a tokenizer's cut at the end of the text shortened or lost.

    It compares offsets alone. Where a normalizer drops the last characters of a text (uncased BERT drops the variation
    selector of an emoji and combining marks), a span with them reaches past the last token although nothing was cut;
    so ask only about texts that were truncated.

    Args:
        offsets: `(token, 2)`, as in [`spans_to_token_labels`].
        special_tokens_mask: `(token,)`, 1 on special and padding tokens.
        spans: `(span, 2)` character spans.

    Returns:
        The spans with characters after the last kept token's, in the order given; all of them if no token was kept.

    Raises:
        ValueError: If the lengths differ, offsets run backwards, or a span is empty or starts before the text.

    Example:
        >>> truncated_spans([(0, 0), (0, 4), (4, 9), (0, 0)], [1, 0, 0, 1], [(0, 4), (5, 12)])
        [(5, 12)]
    """
    last = max((extent[1] for extent in _token_extents(offsets, special_tokens_mask) if extent), default=0)
    return [(start, end) for start, end in _checked_spans(spans) if end > last]


def token_scores_to_spans(
    text: str,
    offsets: Sequence[tuple[int, int]],
    special_tokens_mask: Sequence[int],
    scores: Sequence[float],
    threshold: float = 0.5,
) -> list[RationaleSpan]:
    """Turns runs of tokens that reach a threshold into spans of whole words.

    A word belongs to the rationale as soon as one of its tokens does: half a word shows a reader nothing. Spans with
    only white space between them are one span. The score of a span is the mean over the tokens that
    [`spans_to_token_labels`] labels 1 for it, so words that were completed can bring it below the threshold.

    Args:
        text: The text that was tokenized, also where tokens stand for its beginning only.
        offsets: `(token, 2)`, as in [`spans_to_token_labels`].
        special_tokens_mask: `(token,)`, 1 on special and padding tokens, whose scores are not read.
        scores: `(token,)`, usually the probability of being in the rationale.
        threshold: The score from which a token belongs to the rationale.

    Returns:
        Spans in the order of the text, none empty, none touching another, each with white space only inside.

    Raises:
        ValueError: If the lengths differ, offsets do not lie in the text, or a score or the threshold is NaN.

    Example:
        >>> offsets = [(0, 0), (0, 2), (2, 6), (7, 11), (11, 12), (0, 0)]  # [CLS] un ##safe here . [SEP]
        >>> token_scores_to_spans("unsafe here.", offsets, [1, 0, 0, 0, 0, 1], [0.0, 0.25, 0.75, 0.1, 0.1, 0.0])
        [RationaleSpan(start=0, end=6, text='unsafe', score=0.5)]
    """
    extents = _token_extents(offsets, special_tokens_mask, text)
    if len(scores) != len(extents):
        raise ValueError(f"There are {len(scores)} scores for {len(extents)} tokens; each token needs one.")
    if math.isnan(threshold):
        raise ValueError("The threshold is NaN; it must be a number to compare token scores with.")
    # Sorted, because nothing promises that tokens come in the order of the text.
    scored = sorted((extent, float(score)) for extent, score in zip(extents, scores, strict=True) if extent)
    for extent, score in scored:
        if math.isnan(score):
            raise ValueError(f"The score of the token at {extent} is NaN; only special tokens may have none.")

    spans: list[tuple[int, int]] = []
    previous_passed = False
    for (start, end), score in scored:
        if start == end or text[start].isspace():
            continue  # tokens without characters and white space neither start nor part a rationale
        if score < threshold:
            previous_passed = False
            continue
        if not spans or end > spans[-1][1]:  # otherwise the span holds it already, in a word completed earlier
            start, end = extend_to_words(text, start, end)
            # A run of tokens is one span also over characters that the tokenizer drops and that are no white space.
            if spans and (previous_passed or not text[spans[-1][1] : start].strip()):
                start = spans.pop()[0]
            spans.append((start, end))
        previous_passed = True

    rationales = []
    for first, last in spans:
        inside = [score for (start, end), score in scored if start < last and end > first and start < end]
        # Exact whatever the order; at least the token that passed is inside.
        rationales.append(RationaleSpan(first, last, text[first:last], math.fsum(inside) / len(inside)))
    return rationales


def extend_to_words(text: str, start: int, end: int) -> tuple[int, int]:
    """Widens a span to the nearest word boundaries, so that it cuts no word and no visible character.

    A word is letters, digits and underscores with their marks, with apostrophes and hyphens between them ("don’t",
    "self-care") and with separators between digits ("24/7", "1.5"). An emoji with all that belongs to it, a flag,
    and any other character with its marks are each a unit; so are ideographs, kana and Thai, Lao, Khmer and Myanmar
    letters, whose words no white space parts. No word goes across white space: a span is not widened there.

    Args:
        text: The text.
        start: Index of the span's first character.
        end: Index after its last character.

    Returns:
        Start and end of the smallest span at word boundaries that contains the given one.

    Raises:
        ValueError: If the span is empty or does not lie in the text.

    Example:
        >>> extend_to_words("I don't know.", 4, 6)
        (2, 7)
    """
    [(start, end)] = _checked_spans([(start, end)], len(text))
    while not _is_word_boundary(text, start):
        start -= 1
    while not _is_word_boundary(text, end):
        end += 1
    return start, end


def _token_extents(
    offsets: Sequence[tuple[int, int]], special_tokens_mask: Sequence[int], text: str | None = None
) -> list[tuple[int, int] | None]:
    """Offsets as plain integers, without white space at the ends where the text is known; None for special tokens."""
    if len(offsets) != len(special_tokens_mask):
        raise ValueError(f"offsets has {len(offsets)} tokens, special_tokens_mask {len(special_tokens_mask)}.")
    extents: list[tuple[int, int] | None] = []
    for index, ((first, last), is_special) in enumerate(zip(offsets, special_tokens_mask, strict=True)):
        if is_special:
            extents.append(None)
            continue
        start, end = int(first), int(last)  # of arrays and tensors too, whose numbers JSON would refuse
        if not 0 <= start <= end:
            raise ValueError(f"Token {index} has offsets ({start}, {end}), which is no range of characters.")
        if text is not None:
            if end > len(text):
                raise ValueError(f"Token {index} has offsets ({start}, {end}) in a text of {len(text)} characters.")
            # The ends are looked at first, because copying the text of every token takes time.
            if start < end and (text[start].isspace() or text[end - 1].isspace()):
                covered = text[start:end]
                if covered.strip():
                    start, end = end - len(covered.lstrip()), start + len(covered.rstrip())
        extents.append((start, end))
    return extents


def _checked_spans(spans: Sequence[tuple[int, int]], text_length: int | None = None) -> list[tuple[int, int]]:
    """Spans as plain integers; without a text, their ends are not checked."""
    checked = [(int(start), int(end)) for start, end in spans]
    for start, end in checked:
        if start >= end:
            raise ValueError(f"Span ({start}, {end}) is empty: its end must come after its start.")
        if start < 0:
            raise ValueError(f"Span ({start}, {end}) starts before the text.")
        if text_length is not None and end > text_length:
            raise ValueError(f"Span ({start}, {end}) ends after the text, which has {text_length} characters.")
    return checked


_ZERO_WIDTH_JOINER = "\u200d"
_WORD_LINKS = "'’‘＇-‐‑֊־׳״·"  # apostrophes, hyphens, Hebrew geresh and gershayim, Catalan middle dot
# Not among the links of words, so that "and/or" and a sentence whose space was forgotten ("one.Two") are two words.
_NUMBER_LINKS = ".,:/"
# Modifiers that Unicode's grapheme clusters (UAX 29) attach although their category is none of a mark's: skin tones,
# Thai and Lao vowel am, half-width voiced sound marks.
_ATTACHED = re.compile("[\U0001f3fb-\U0001f3ff\u0e33\u0eb3\uff9e\uff9f]")
_REGIONAL_INDICATOR = re.compile("[\U0001f1e6-\U0001f1ff]")
# Scripts written without white space: Thai, Lao, Myanmar, Khmer, kana, bopomofo and ideographs.
_UNSPACED = re.compile(
    "[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3005-\u3007\u3031-\u312f\u31a0-\u31ff\u3400-\u4dbf\u4e00-\u9fff"
    "\uf900-\ufaff\uff66-\uff9f\U0001b000-\U0001b16f\U00020000-\U0003ffff]"
)


def _is_word_boundary(text: str, index: int) -> bool:
    """Whether a span may start or end between `text[index - 1]` and `text[index]`."""
    if index in (0, len(text)):
        return True
    before, after = text[index - 1], text[index]
    if before.isspace() or after.isspace():
        return True
    # A joiner binds what stands on both its sides: the people of a family, a flag and its colours.
    if _is_attached(after) or before == _ZERO_WIDTH_JOINER:
        return False
    # The letters of flags do not say where a flag begins; the rule is that of UAX 29, GB12 and GB13.
    if _REGIONAL_INDICATOR.match(before) and _REGIONAL_INDICATOR.match(after):
        first = index
        while first > 0 and _REGIONAL_INDICATOR.match(text[first - 1]):
            first -= 1
        return (index - first) % 2 == 0  # two make a flag, counted from the start of the run
    base = _base(text, index - 1)
    if _is_attached(text[base]):
        return False  # marks and direction controls after white space stand on nothing: they go with what follows
    if _is_in_word(text[base]) and _is_in_word(after):
        return False
    return not (_is_link(text, base) or _is_link(text, index))


# Cached, because a text repeats few characters and Unicode's tables are slow to ask; bounded, because
# Chinese alone has thousands.
@lru_cache(maxsize=4096)
def _is_attached(character: str) -> bool:
    """Whether a character belongs to the one before it: marks, variation selectors, joiners, format controls."""
    return unicodedata.category(character) in ("Mn", "Mc", "Me", "Cf") or bool(_ATTACHED.match(character))


def _base(text: str, index: int) -> int:
    """Index of the character that `text[index]` is attached to, its own if it is attached to none."""
    while index > 0 and _is_attached(text[index]) and not text[index - 1].isspace():
        index -= 1
    return index


@lru_cache(maxsize=4096)
def _is_in_word(character: str) -> bool:
    category = unicodedata.category(character)
    return (category[0] == "L" and not _UNSPACED.match(character)) or category[0] == "N" or category == "Pc"


def _is_link(text: str, index: int) -> bool:
    """Whether `text[index]` is an apostrophe, hyphen or the like between two parts of one word."""
    following = index + 1
    while following < len(text) and _is_attached(text[following]):
        following += 1
    if index == 0 or following == len(text):
        return False
    left, right = text[_base(text, index - 1)], text[following]
    if text[index] in _NUMBER_LINKS:
        return left.isdecimal() and right.isdecimal()
    return text[index] in _WORD_LINKS and _is_in_word(left) and _is_in_word(right)
