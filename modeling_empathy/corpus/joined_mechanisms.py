"""Joins the files of several mechanisms, which hold the same pairs, into pairs with all their annotations."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from ..errors import InputError, shortened
from ..model.mechanisms import IDS
from .pairs import AnnotatedPair, JoinedPair
from .rationale_alignment import is_shortened, map_span


def join_mechanisms(files: Mapping[str, tuple[str, Sequence[AnnotatedPair]]]) -> list[JoinedPair]:
    """Joins the files of several mechanisms, which hold the same pairs in the same order, row by row.

    The published emotional-reactions file has white space folded and some words removed: of each post the fullest
    copy is kept, and every mechanism's spans are carried over to it.

    Args:
        files: Mechanism to file name and rows.

    Raises:
        InputError: If the files differ in length, in a pair's ids, or in more of a text than white space and words
            that were left out.
    """
    (first_name, first), *further = files.values()
    for name, pairs in further:
        if len(pairs) != len(first):
            raise InputError(
                f"{first_name} has {len(first)} rows and {name} has {len(pairs)}: "
                "to be joined, the files must hold the same pairs in the same order."
            )
    joined = []
    for rows in zip(*(pairs for _, pairs in files.values()), strict=True):
        copies = [(name, pair) for (name, _), pair in zip(files.values(), rows, strict=True)]
        # By their order: an id is no key, because pairs were annotated twice, and not alike.
        for column in IDS:
            _check_same_id(copies, column)
        # The fullest copy, not the first: spans can be carried into a text with more words, not into one with fewer.
        response = _fullest(copies, "response_post")
        annotations = {
            mechanism: (pair.level, _carried(name, pair, response))
            for mechanism, (name, pair) in zip(files, copies, strict=True)
        }
        joined.append(JoinedPair(rows[0].sp_id, rows[0].rp_id, _fullest(copies, "seeker_post"), response, annotations))
    return joined


def _check_same_id(copies: Sequence[tuple[str, AnnotatedPair]], column: str) -> None:
    first_name, first = copies[0]
    for name, pair in copies[1:]:
        if getattr(pair, column) != getattr(first, column):
            raise InputError(
                f"Row {first.row}, column {column!r}: {first_name} (line {first.line}) has {getattr(first, column)!r} "
                f"and {name} (line {pair.line}) has {getattr(pair, column)!r}: "
                "to be joined, the files must hold the same pairs in the same order."
            )


def _fullest(copies: Sequence[tuple[str, AnnotatedPair]], column: str) -> str:
    """The longest copy of a post, once it is sure that the others are shortenings of it."""

    def length(copy: tuple[str, AnnotatedPair]) -> tuple[int, int]:
        text = getattr(copy[1], column)
        return len("".join(text.split())), len(text)  # more white space does not make up for a removed word

    full_name, full = max(copies, key=length)
    text: str = getattr(full, column)
    for name, pair in copies:
        shorter = getattr(pair, column)
        if shorter != text and not is_shortened(shorter, text):
            raise InputError(
                f"Row {pair.row}, column {column!r}: the texts of {name} (line {pair.line}) and {full_name} "
                f"(line {full.line}) differ in more than white space and left-out words: "
                f"{shortened(shorter)} and {shortened(text)}."
            )
    return text


def _carried(name: str, pair: AnnotatedPair, response: str) -> list[tuple[int, int]]:
    spans = []
    for span in pair.spans:
        carried = map_span(span, pair.response_post, response)
        if carried is None:
            quote = pair.response_post[span[0] : span[1]]
            raise InputError(
                f"{name}, row {pair.row} (line {pair.line}), column 'rationales': {shortened(quote)} can't be found "
                "in the other files' fuller copy of the response."
            )
        spans.append(carried)
    return spans
