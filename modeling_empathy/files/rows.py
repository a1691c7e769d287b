"""Rows of CSV, JSON lines and Parquet files, one after the other; each knows where it stands.

A further format is a reader here and its line in the table at the end.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any, NamedTuple

import pyarrow as pa
import pyarrow.parquet as pq

from ..errors import InputError, RowError, raise_error, shortened
from .csv_records import csv_records
from .text_lines import LONGEST_LINE, STDIN, TOO_LONG, other_content, read_lines, unreadable


# Bytes of a Parquet column that are read at once, so that a row group as large as its file costs no more than another.
_PARQUET_BUFFER = 2**20

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
            raise self.error(column, "expected one value" if isinstance(value, RepeatedValues) else expected)
        if problem := unreadable(value):
            raise self.error(column, problem)
        return value

    def identifier(self, column: str) -> str:
        """The id in a column, which may be a whole number.

        Raises:
            RowError: If it is neither that nor text.
        """
        value = self.values.get(column)
        # `type`, because True is an integer too.
        return str(value) if type(value) is int else self.text(column, "expected text or a whole number")


class RepeatedValues(list[Any]):
    """What a JSON object has under a key that stands in it more than once."""


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
    with closing(read_lines(path, path.name)) as lines:
        return next((record.cells for record in csv_records(lines, path.name)), [])


def _csv_rows(path: Path, name: str, check_header: CheckHeader, on_error: OnError) -> Iterator[Row]:
    records = csv_records(read_lines(path, name), name, on_error)
    header = next((record.cells for record in records), [])
    check_header(header, name)
    for number, line, cells in records:
        yield Row(f"{name}, row {number} (line {line})", number, line, dict(zip(header, cells, strict=True)))


def _json_rows(path: Path, name: str, check_header: CheckHeader, on_error: OnError) -> Iterator[Row]:
    decode = json.JSONDecoder(object_pairs_hook=_values_by_key).decode
    for number, line in enumerate(read_lines(path, name), start=1):
        if not line.strip():
            continue
        place = f"{name}, line {number}"
        try:
            values = decode(line) if len(line) <= LONGEST_LINE else None
        except (ValueError, RecursionError) as error:  # the latter from brackets nested too deep
            on_error(RowError(f"{place}: no JSON ({error}): {shortened(line)}.", number))
            continue
        if isinstance(values, dict):
            yield Row(place, number, number, values)
        else:
            problem = "" if len(line) <= LONGEST_LINE else f"; {TOO_LONG}"
            on_error(RowError(f"{place}: expected a JSON object, got {shortened(line)}{problem}.", number))


def _values_by_key(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    values = dict(pairs)
    if len(values) < len(pairs):
        # Which of them is meant, nobody can say; the error is that of the column, should anybody need it.
        for key in values:
            if len(repeated := [value for other, value in pairs if other == key]) > 1:
                values[key] = RepeatedValues(repeated)
    return values


def _parquet_rows(path: Path, name: str, check_header: CheckHeader, on_error: OnError) -> Iterator[Row]:
    if path == STDIN:
        raise InputError("Parquet can't be read from standard input: it is read from its end. Name a file.")
    with path.open("rb") as beginning:
        first_bytes = beginning.read(10)
    if not first_bytes.startswith(b"PAR"):
        content = other_content(first_bytes) or "something else: if it is text, give it the ending of its format"
        raise InputError(f"{path} can't be read as Parquet: it is {content if first_bytes else 'empty'}.")
    try:
        with pq.ParquetFile(path, buffer_size=_PARQUET_BUFFER, pre_buffer=False) as file:
            columns = list(check_header(file.schema_arrow.names, name))
            number = 0
            # A row group may be a whole file; a batch keeps memory at so many rows.
            for batch in file.iter_batches(1024, columns=columns):
                for values in _values_of_rows(batch):
                    number += 1
                    yield Row(f"{name}, row {number}", number, number, values)
    except (pa.ArrowException, OSError) as error:
        raise InputError(f"{path} can't be read as Parquet: {error}") from None


def _values_of_rows(batch: pa.RecordBatch) -> list[dict[str, Any]]:
    try:
        rows: list[dict[str, Any]] = batch.to_pylist()
    except ValueError:  # that of text that is no UTF-8, and of times that Python does not know, is one
        rows = [
            {column: _value(cells[row]) for column, cells in zip(batch.schema.names, batch.columns, strict=True)}
            for row in range(batch.num_rows)
        ]
    return rows


def _value(cell: pa.Scalar) -> Any:
    """A cell as Python has it, with lone surrogates for bytes that are no UTF-8; None of what Python has not."""
    try:
        return cell.as_py()
    except ValueError:
        if isinstance(cell, pa.StructScalar):
            return {name: _value(part) for name, part in cell.items()}
        if isinstance(cell, pa.ListScalar):
            return list(map(_value, cell))
        is_text = isinstance(cell, pa.StringScalar)
        return cell.as_buffer().to_pybytes().decode("utf-8", "surrogateescape") if is_text else None


# Format, the endings that name it, and what reads it.
_READERS: dict[str, tuple[Sequence[str], Callable[[Path, str, CheckHeader, OnError], Iterator[Row]]]] = {
    "csv": ([".csv"], _csv_rows),
    "jsonl": ([".jsonl", ".ndjson"], _json_rows),
    "parquet": ([".parquet"], _parquet_rows),
}
FORMATS = {ending: file_format for file_format, (endings, _) in _READERS.items() for ending in endings}
