"""Rows of CSV, JSON lines and Parquet files, one after the other; each knows where it stands.

A further format is a reader here and its line in the table at the end.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple, TextIO

import pyarrow as pa
import pyarrow.parquet as pq

from ..errors import InputError, RowError, raise_error, shortened
from .csv_records import csv_records


STDIN = Path("-")

# Called with the columns of a file and the file's name; returns the columns that are needed.
CheckHeader = Callable[[Sequence[str], str], Sequence[str]]
OnError = Callable[[RowError], None]


class Row(NamedTuple):
    """A row of a file.

    Attributes:
        place: Where it stands, as errors say it: `pairs.csv, row 3 (line 7)`.
        number: Its number among the file's rows, from 1, a header not counted; in JSON lines that of its line.
        line: Line of the file where it begins, from 1; in a Parquet file its number.
        values: Column to value; in a CSV file all are strings.
    """

    place: str
    number: int
    line: int
    values: dict[str, Any]

    def error(self, column: str, expected: str) -> RowError:
        """The error for one cell: its place, its column, what was expected, and the value."""
        value = shortened(self.values.get(column))
        return RowError(f"{self.place}, column {column!r}: {expected}, got {value}.", self.line, self.values)

    def text(self, column: str, expected: str = "expected text", may_be_blank: bool = False) -> str:
        """The text in a column.

        Args:
            column: Its name.
            expected: What the error says where there is no text, or only white space.
            may_be_blank: Whether white space or nothing is as good.

        Raises:
            RowError: If the value is no text, blank, no UTF-8, or has a NUL byte.
        """
        value = self.values.get(column)
        if not isinstance(value, str) or not (value.strip() or may_be_blank):
            raise self.error(column, expected)
        if problem := unreadable(value):
            raise self.error(column, problem)
        return value


def read_rows(
    path: Path,
    check_header: CheckHeader,
    file_format: str | None = None,
    *,
    name: str | None = None,
    on_error: OnError = raise_error,
) -> Iterator[Row]:
    """Reads rows, holding one (of Parquet, a batch of them) at a time.

    Args:
        path: The file, text in UTF-8 with or without a byte order mark; `STDIN` for standard input.
        check_header: Called before the first row of a format with a header (CSV, Parquet); see [`check_columns`]. Of
            Parquet, the columns that it returns are all that is read. In JSON lines each row has columns of its own.
        file_format: `"csv"`, `"jsonl"` or `"parquet"`; the one that the ending names when left out.
        name: What errors call the file, where its path says little (a download's cache).
        on_error: Called with a record that can't be read; if it returns, reading goes on behind that record.

    Raises:
        InputError: If the file can't be read, or from `check_header`.
        RowError: Where a record can't be read, from `on_error`; names file, row or line, and what stands there.
    """
    # No generator itself: a wrong path or ending is an error of the call, not of the first row.
    file_format = format_of(path, file_format)
    if path != STDIN and not path.is_file():
        raise InputError(f"{path} is not a file.")
    _, read = _READERS[file_format]
    return read(path, name or ("standard input" if path == STDIN else path.name), check_header, on_error)


def format_of(path: Path, given: str | None = None, formats: Mapping[str, str] | None = None) -> str:
    """The format of a file: the one that was given, or the one its ending names.

    Args:
        path: The file.
        given: A format, whatever the ending says.
        formats: Ending to format; `FORMATS` when left out.

    Raises:
        InputError: If there is neither.
    """
    formats = FORMATS if formats is None else formats
    file_format = given or formats.get(path.suffix.lower())
    if file_format is None:
        raise InputError(f"{path}: the ending {path.suffix!r} names no format; use one of {', '.join(formats)}.")
    return file_format


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
    with open_text(path) as lines:
        return next(csv_records(lines, path.name), (0, []))[1]


def unreadable(text: str) -> str | None:
    """What was expected in the place of a text that is no UTF-8 or has a NUL byte; None of any other text."""
    # Neither surrogates nor NUL are printable, and this runs in C: most posts need no look at each character.
    if text.isprintable():
        return None
    if any("\ud800" <= character <= "\udfff" for character in text):
        return "expected UTF-8 text"
    return "expected text without NUL bytes" if "\0" in text else None


def open_text(path: Path) -> TextIO:
    """Opens a file or standard input; of bytes that are no UTF-8, [`unreadable`] knows."""
    is_stdin = path == STDIN
    return open(
        # Standard input by its number: `sys.stdin` decodes as the machine is set up, and translates line endings.
        sys.stdin.fileno() if is_stdin else path,
        encoding="utf-8-sig",
        # They become lone surrogates, so that the cell they stand in can be named.
        errors="surrogateescape",
        newline="",
        closefd=not is_stdin,
    )


def _csv_rows(path: Path, name: str, check_header: CheckHeader, on_error: OnError) -> Iterator[Row]:
    with open_text(path) as lines:
        records = csv_records(lines, name, on_error)
        header = next(records, (0, []))[1]
        check_header(header, name)
        for number, (line, cells) in enumerate(records, start=1):
            # Of a record with too many or too few cells, the error has what could be read.
            row = Row(f"{name}, row {number} (line {line})", number, line, dict(zip(header, cells, strict=False)))
            if len(cells) == len(header):
                yield row
            else:
                message = (
                    f"{row.place}: {len(cells)} cells for {len(header)} columns; "
                    "a text with a comma or a quote must stand in quotes."
                )
                on_error(RowError(message, line, row.values))


def _json_rows(path: Path, name: str, check_header: CheckHeader, on_error: OnError) -> Iterator[Row]:
    with open_text(path) as lines:
        # Lines of a file end at \r and \n alone; `splitlines` would part texts at U+2028, which JSON allows in them.
        for number, line in enumerate(lines, start=1):
            if not line.strip():
                continue
            place = f"{name}, line {number}"
            try:
                values = json.loads(line)
            except (ValueError, RecursionError) as error:  # the latter from brackets nested too deep
                on_error(RowError(f"{place}: no JSON ({error}): {shortened(line)}.", number))
                continue
            if isinstance(values, dict):
                yield Row(place, number, number, values)
            else:
                on_error(RowError(f"{place}: expected a JSON object, got {shortened(line)}.", number))


def _parquet_rows(path: Path, name: str, check_header: CheckHeader, on_error: OnError) -> Iterator[Row]:
    if path == STDIN:
        raise InputError("Parquet can't be read from standard input: it is read from its end. Name a file.")
    try:
        with pq.ParquetFile(path) as file:
            columns = list(check_header(file.schema_arrow.names, name))
            number = 0
            # A row group may be a whole file; a batch keeps memory at so many rows.
            for batch in file.iter_batches(1024, columns=columns):
                for values in batch.to_pylist():
                    number += 1
                    yield Row(f"{name}, row {number}", number, number, values)
    except (pa.ArrowException, OSError) as error:
        raise InputError(f"{path} can't be read as Parquet: {error}") from None


# Format, the endings that name it, and what reads it.
_READERS: dict[str, tuple[Sequence[str], Callable[[Path, str, CheckHeader, OnError], Iterator[Row]]]] = {
    "csv": ([".csv"], _csv_rows),
    "jsonl": ([".jsonl", ".ndjson"], _json_rows),
    "parquet": ([".parquet"], _parquet_rows),
}
FORMATS = {ending: file_format for file_format, (endings, _) in _READERS.items() for ending in endings}
