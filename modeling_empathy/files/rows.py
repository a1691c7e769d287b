"""Rows of files of any format, one after the other; each knows where it stands.

A further format is a reader, an entry in the table at the end, and its ending in `input_files.FORMATS`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from pathlib import Path
from typing import NamedTuple

from ..errors import InputError, RowError, raise_error
from .columnar_rows import arrow_count, arrow_rows, parquet_count, parquet_rows
from .csv_records import csv_records
from .input_files import InputFile
from .row import CheckHeader, OnError, Row
from .text_lines import read_lines
from .text_rows import csv_rows, json_rows, tsv_rows
from .workbook_rows import workbook_rows


def read_rows(
    file: Path | InputFile,
    check_header: CheckHeader,
    file_format: str | None = None,
    *,
    name: str | None = None,
    start: int = 0,
    on_error: OnError = raise_error,
) -> Iterator[Row]:
    """Reads rows, holding one (of Parquet and Arrow, a batch of them) at a time.

    Args:
        file: The file, or its path; text in UTF-8 with or without a byte order mark.
        check_header: Called before the first row of a format with a header; see [`check_columns`]. Of Parquet and
            Arrow, the columns that it returns are all that is read. In JSON lines each row has columns of its own.
        file_format: One of `input_files.FORMATS`; the one that the ending names when left out.
        name: What errors call the file, where its path says little (a download's cache).
        start: How many rows are left out at the beginning, with what can't be read before the last of them.
        on_error: Called with a record that can't be read; if it returns, reading goes on behind that record.

    Raises:
        InputError: If the file can't be read, or from `check_header`.
        RowError: Where a record can't be read, from `on_error`; names file, row or line, and what stands there.
    """
    # No generator itself: a wrong path or ending is an error of the call, not of the first row.
    if isinstance(file, Path):
        found = InputFile.at(file, file_format)
        file = InputFile(found.path, name or found.name, found.file_format)
    return _FORMATS[file.file_format].read(file, check_header, on_error, start)


def count_rows(file: InputFile, check_header: CheckHeader) -> int | None:
    """How many rows a file has, where that is known without reading them; else None.

    Raises:
        InputError: As of [`read_rows`].
    """
    counted = _FORMATS[file.file_format].counted
    return None if counted is None else counted(file, check_header)


def knows_its_rows(file: InputFile) -> bool:
    """Whether a file is of a format whose rows can be counted, and left out, without reading them."""
    return _FORMATS[file.file_format].counted is not None


def check_columns(required: Sequence[str], header: Sequence[str], name: str) -> Sequence[str]:
    """Refuses a file in which a required column is missing or stands twice.

    Args:
        required: The columns that must be there, in any order.
        header: Those that are.
        name: What errors call the file.

    Returns:
        `required`.

    Raises:
        InputError: Names the columns.
    """
    missing = [column for column in required if column not in header]
    if missing:
        raise InputError(
            f"{name}: the column {', '.join(map(repr, missing))} is missing; "
            f"the header has {', '.join(map(repr, header)) or 'nothing'}."
        )
    repeated = [column for column in required if list(header).count(column) > 1]
    if repeated:
        raise InputError(f"{name}: the header has the column {', '.join(map(repr, repeated))} more than once.")
    return required


def csv_header(path: Path) -> Sequence[str]:
    """The columns of a CSV file; none of an empty one."""
    with closing(read_lines(InputFile.at(path, "csv"))) as lines:
        return next((record.cells for record in csv_records(lines, path.name)), [])


def _in_turn(read: Callable[[InputFile, CheckHeader, OnError], Iterator[Row]]) -> _ReadFrom:
    """A reader of a format in which what stands before a row has to be read."""

    def read_from(file: InputFile, check_header: CheckHeader, on_error: OnError, start: int) -> Iterator[Row]:
        seen = 0

        def report(error: RowError) -> None:
            if seen >= start:
                on_error(error)

        for row in read(file, check_header, report):
            seen += 1
            if seen > start:
                yield row

    return read_from


_ReadFrom = Callable[[InputFile, CheckHeader, OnError, int], Iterator[Row]]


class _Format(NamedTuple):
    """What reads a format from a row on, and what counts its rows without reading them."""

    read: _ReadFrom
    counted: Callable[[InputFile, CheckHeader], int] | None = None


_FORMATS = {
    "csv": _Format(_in_turn(csv_rows)),
    "tsv": _Format(_in_turn(tsv_rows)),
    "jsonl": _Format(_in_turn(json_rows)),
    "parquet": _Format(lambda file, check, on_error, start: parquet_rows(file, check, start), parquet_count),
    "arrow": _Format(lambda file, check, on_error, start: arrow_rows(file, check, start), arrow_count),
    "excel": _Format(_in_turn(lambda file, check, on_error: workbook_rows(file, check))),
}
