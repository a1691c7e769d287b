"""Reads annotated pairs of one mechanism from a CSV file, checks every cell and aligns the rationales."""

from __future__ import annotations

from pathlib import Path

from ..errors import InputError
from ..files.csv_records import CsvRow, check_text, read_csv, wrong_cell
from ..model.mechanisms import LEVELS
from .alignment_report import AlignmentReport
from .pairs import COLUMNS, AnnotatedPair
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


def checked_level(name: str, row: CsvRow) -> int:
    """The level in a row's column `level`; raises a `RowError` if it is none."""
    if row.cells["level"].strip() not in {str(level) for level in range(len(LEVELS))}:
        raise wrong_cell(name, row, "level", f"expected one of {', '.join(map(str, range(len(LEVELS))))}")
    return int(row.cells["level"])


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
