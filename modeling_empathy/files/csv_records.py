"""Reads CSV files record by record, and knows the line on which each begins."""

from __future__ import annotations

import csv
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

from ..errors import InputError, RowError, raise_error, shortened


# Characters; far above any post. A quote that is never closed swallows the rest of a file up to this.
LONGEST_CELL = 16 * 2**20

# How text is opened: bytes that are no UTF-8 become lone surrogates, so that the cell they stand in can be named.
TEXT: dict[str, Any] = {"encoding": "utf-8-sig", "errors": "surrogateescape", "newline": ""}

_field_limit_lock = threading.Lock()


class CsvRow(NamedTuple):
    """A row of a CSV file.

    Attributes:
        row: Its number among the file's rows, from 1, the header not counted.
        line: Line of the file where it begins, from 1.
        cells: Column to cell.
    """

    row: int
    line: int
    cells: dict[str, str]


def read_csv(
    path: Path, required: Sequence[str], name: str | None = None, on_error: Callable[[RowError], None] = raise_error
) -> Iterator[CsvRow]:
    """Reads a CSV file; see [`csv_rows`].

    Args:
        path: UTF-8, with or without a byte order mark.
        required: The columns it must have.
        name: What errors call the file; its own name when left out.
        on_error: Called with a record that can't be read.
    """
    with path.open(**TEXT) as file:
        yield from csv_rows(file, name or path.name, required, on_error)


def csv_header(path: Path) -> list[str]:
    """The columns of a CSV file; none of an empty one."""
    with path.open(**TEXT) as file:
        return next(_records(file, path.name, raise_error), (0, []))[1]


def csv_rows(
    lines: Iterable[str], name: str, required: Sequence[str], on_error: Callable[[RowError], None] = raise_error
) -> Iterator[CsvRow]:
    """Reads the rows behind a header, one at a time; blank lines are skipped.

    Args:
        lines: The file's lines, with their endings (opened with `newline=""`).
        name: What errors call the file.
        required: The columns it must have, in any order.
        on_error: Called with a record that can't be read; if it returns, reading goes on behind that record.

    Raises:
        InputError: If the header lacks a column or repeats one.
        RowError: Where a record can't be read, from `on_error`.
    """
    records = _records(lines, name, on_error)
    header = next(records, (0, []))[1]
    check_columns(header, required, name)
    for row, (line, cells) in enumerate(records, start=1):
        if len(cells) == len(header):
            yield CsvRow(row, line, dict(zip(header, cells, strict=True)))
        else:
            message = (
                f"{name}, row {row} (line {line}): {len(cells)} cells for {len(header)} columns; "
                "a text with a comma or a quote must stand in quotes."
            )
            on_error(RowError(message, line, dict(zip(header, cells, strict=False))))


def check_columns(found: Sequence[str], required: Sequence[str], name: str) -> None:
    """Raises an `InputError` if a required column is missing or stands there twice."""
    missing = [column for column in required if column not in found]
    if missing:
        raise InputError(
            f"{name}: the column {', '.join(map(repr, missing))} is missing; "
            f"the header has {', '.join(map(repr, found)) or 'nothing'}."
        )
    repeated = [column for column in required if list(found).count(column) > 1]
    if repeated:
        raise InputError(f"{name}: the header has the column {', '.join(map(repr, repeated))} more than once.")


def check_text(name: str, row: CsvRow, column: str, may_be_empty: bool = False) -> None:
    """Raises a `RowError` if a cell is empty, is no UTF-8 or has a NUL byte."""
    value = row.cells[column]
    if expected := unreadable(value):
        raise wrong_cell(name, row, column, expected)
    if not may_be_empty and not value.strip():
        raise wrong_cell(name, row, column, "expected a value")


def unreadable(text: str) -> str | None:
    """What was expected in the place of a text that is no UTF-8 or has a NUL byte; None of any other text."""
    if text.isprintable():
        return None
    if any("\ud800" <= character <= "\udfff" for character in text):
        return "expected UTF-8 text"
    return "expected text without NUL bytes" if "\0" in text else None


def wrong_cell(name: str, row: CsvRow, column: str, what: str) -> RowError:
    """The error for one cell: file, row, line, column, what was expected, and the value."""
    place = f"{name}, row {row.row} (line {row.line}), column {column!r}"
    return RowError(f"{place}: {what}, got {shortened(row.cells[column])}.", row.line, row.cells)


def _records(lines: Iterable[str], name: str, on_error: Callable[[RowError], None]) -> Iterator[tuple[int, list[str]]]:
    """Each record with the line it begins on; blank lines are skipped."""
    reader = csv.reader(lines, strict=True)
    while True:
        line = reader.line_num + 1
        try:
            with _long_cells():
                cells = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            message = (
                f"{name}: the record that begins on line {line} can't be read ({error}); "
                "look for a quote that is not closed, or not doubled inside a quoted text."
            )
            on_error(RowError(message, line))
            continue
        if cells:
            yield line, cells


@contextmanager
def _long_cells() -> Iterator[None]:
    """Lets the csv module read long posts; its limit is one for the whole process, so it is put back at once."""
    with _field_limit_lock:
        before = csv.field_size_limit(LONGEST_CELL)
        try:
            yield
        finally:
            csv.field_size_limit(before)
