"""Reads annotated pairs of one mechanism from a CSV file, checks every cell and aligns the rationales."""

from __future__ import annotations

from functools import partial
from pathlib import Path

from ..errors import InputError
from ..files.row import Row
from ..files.rows import check_columns, read_rows
from ..model.mechanisms import LEVELS
from .alignment_report import AlignmentReport
from .pairs import COLUMNS, TEXTS, AnnotatedPair
from .rationale_alignment import align_rationale


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
    rows = read_rows(path, partial(check_columns, COLUMNS), "csv", name=name)
    pairs = [_checked_pair(row) for row in rows]
    if not pairs:
        raise InputError(f"{name} has no rows.")
    for pair in pairs:
        # One after the other: a quote that is there twice means the first place that no earlier one has taken.
        for rationale in pair.rationales:
            span = align_rationale(rationale, pair.response_post, pair.spans)
            report.add_rationale(name, pair, rationale, span)
            if span is not None:
                pair.spans.append(span)
        report.add_row(name, pair)
    return pairs


def checked_level(row: Row) -> int:
    """The level in a row's column `level`; raises a `RowError` if it is none."""
    # Compared as text: `int` would also take "+1", "01" and digits of other scripts.
    levels = [str(level) for level in range(len(LEVELS))]
    if row.values["level"].strip() not in levels:
        raise row.error("level", f"expected one of {', '.join(levels)}")
    return int(row.values["level"])


def _checked_pair(row: Row) -> AnnotatedPair:
    for column in COLUMNS:
        row.text(column, "expected a value", may_be_blank=column == "rationales")
    return AnnotatedPair(
        row=row.number,
        line=row.line,
        **{column: row.values[column] for column in TEXTS},
        level=checked_level(row),
        # In the published files a bar stands behind each rationale, the last one too.
        rationales=[part for part in row.values["rationales"].split("|") if part.strip()],
    )
