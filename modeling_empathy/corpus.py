"""Reads annotated pairs from CSV files, checks every cell, aligns the rationales and joins the mechanisms."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path

from .alignment_report import AlignmentReport
from .errors import InputError, shortened
from .files.csv_records import CsvRow, check_text, read_csv, wrong_cell
from .model.mechanisms import LEVELS
from .pairs import COLUMNS, AnnotatedPair, JoinedPair
from .rationale_alignment import align_rationale, is_shortened, map_span


def split_of(sp_id: str, salt: str = "") -> str:
    """The split that all responses to a seeker post fall in: 75 % train, 5 % validation, 20 % test.

    Args:
        sp_id: Id of the seeker post.
        salt: Put before the id, it gives other splits by the same rule.
    """
    percentile = _percentile(sp_id, salt)
    return "train" if percentile < 75 else "validation" if percentile < 80 else "test"


def is_of_development(sp_id: str, salt: str = "") -> bool:
    """Whether a post of the train split is in the fifth of it that takes the test split's place in development.

    Recipes are chosen on it, so that the test split is read once they are.
    """
    return 60 <= _percentile(sp_id, salt) < 75


def _percentile(sp_id: str, salt: str) -> int:
    return int(hashlib.sha1((salt + sp_id).encode()).hexdigest(), 16) % 100


def read_mechanism(path: Path, report: AlignmentReport, name: str | None = None) -> list[AnnotatedPair]:
    """Reads a file of one mechanism and aligns its rationales.

    Args:
        path: A CSV file with the columns `COLUMNS` in any order; UTF-8, with or without a byte order mark.
        report: What was aligned, and what was not, is added to it.
        name: What errors and the report call the file, where its path says little (a download's cache).

    Raises:
        InputError: Where the file can't be read as annotated pairs.
    """
    name = name or path.name
    pairs = [_checked_pair(name, row) for row in read_csv(path, COLUMNS, name)]
    if not pairs:
        raise InputError(f"{name} has no rows.")
    for pair in pairs:
        for rationale in pair.rationales:
            span = align_rationale(rationale, pair.response_post, pair.spans)
            report.add_rationale(name, pair, rationale, span)
            if span is not None:
                pair.spans.append(span)
        report.add_row(name, pair)
    return pairs


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
    (first_name, first), *others = files.values()
    for name, pairs in others:
        if len(pairs) != len(first):
            raise InputError(
                f"{first_name} has {len(first)} rows and {name} has {len(pairs)}: "
                "to be joined, the files must hold the same pairs in the same order."
            )
    joined = []
    for rows in zip(*(pairs for _, pairs in files.values()), strict=True):
        copies = [(name, pair) for (name, _), pair in zip(files.values(), rows, strict=True)]
        for column in ("sp_id", "rp_id"):
            _check_same_id(copies, column)
        response = _fullest(copies, "response_post")
        annotations = {
            mechanism: (pair.level, _carried(name, pair, response))
            for mechanism, (name, pair) in zip(files, copies, strict=True)
        }
        joined.append(JoinedPair(rows[0].sp_id, rows[0].rp_id, _fullest(copies, "seeker_post"), response, annotations))
    return joined


def checked_level(name: str, row: CsvRow) -> int:
    """The level in a row's column `level`; raises a `RowError` if it is none."""
    if row.cells["level"].strip() not in {str(level) for level in range(len(LEVELS))}:
        raise wrong_cell(name, row, "level", f"expected one of {', '.join(map(str, range(len(LEVELS))))}")
    return int(row.cells["level"])


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
        other = getattr(pair, column)
        if other != text and not is_shortened(other, text):
            raise InputError(
                f"Row {pair.row}, column {column!r}: the texts of {name} (line {pair.line}) and {full_name} "
                f"(line {full.line}) differ in more than white space and left-out words: "
                f"{shortened(other)} and {shortened(text)}."
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


def _checked_pair(name: str, row: CsvRow) -> AnnotatedPair:
    cells = row.cells
    for column in COLUMNS:
        check_text(name, row, column, may_be_empty=column == "rationales")
    level = checked_level(name, row)
    rationales = [part for part in cells["rationales"].split("|") if part.strip()]
    return AnnotatedPair(
        row=row.row,
        line=row.line,
        sp_id=cells["sp_id"],
        rp_id=cells["rp_id"],
        seeker_post=cells["seeker_post"],
        response_post=cells["response_post"],
        level=level,
        rationales=rationales,
    )
