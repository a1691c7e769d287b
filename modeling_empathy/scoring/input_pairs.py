"""Pairs to be scored, read from CSV, JSON lines or Parquet one after the other."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any, NamedTuple, TextIO

import pyarrow as pa
import pyarrow.parquet as pq

from ..errors import InputError, RowError, raise_error, shortened
from ..files.csv_records import TEXT, check_columns, csv_rows, unreadable
from ..model.mechanisms import IDS, POSTS


FORMATS = {".csv": "csv", ".jsonl": "jsonl", ".ndjson": "jsonl", ".parquet": "parquet"}
STDIN = Path("-")


class InputPair(NamedTuple):
    """A pair to be scored.

    Attributes:
        id: What it is called in the output.
        seeker_post: What the seeker wrote.
        response_post: What was answered.
    """

    id: str
    seeker_post: str
    response_post: str


def format_of(path: Path, given: str | None = None) -> str:
    """The format of a file: the one that was given, or the one its ending names.

    Raises:
        InputError: If there is neither.
    """
    found = given or FORMATS.get(path.suffix.lower())
    if found is None:
        raise InputError(f"{path}: the ending {path.suffix!r} names no format; use one of {', '.join(FORMATS)}.")
    return found


def read_pairs(
    path: Path, file_format: str, on_error: Callable[[RowError], None] = raise_error
) -> Iterator[InputPair]:
    """Reads pairs, holding one row (of Parquet, a batch of rows) at a time.

    Args:
        path: A file with `id` (or `sp_id` and `rp_id`), `seeker_post` and `response_post`, further columns aside; `-`
            for standard input.
        file_format: `"csv"`, `"jsonl"` or `"parquet"`.
        on_error: Called with each row that can't be used; if it returns, the row is left out.

    Raises:
        InputError: If the file can't be read, or lacks a column.
        RowError: From `on_error`; names file, row or line, column and value.
    """
    name = "standard input" if path == STDIN else path.name
    if path != STDIN and not path.is_file():
        raise InputError(f"{path} is not a file.")
    with ExitStack() as stack:
        if file_format == "parquet":
            if path == STDIN:
                raise InputError("Parquet can't be read from standard input: it is read from its end. Name a file.")
            rows = _parquet_rows(path)
        else:
            lines = _text(path, stack)
            rows = _csv_rows(lines, name, on_error) if file_format == "csv" else _json_rows(lines, name, on_error)
        for place, line, values in rows:
            try:
                yield _checked_pair(place, line, values)
            except RowError as error:
                on_error(error)


def _text(path: Path, stack: ExitStack) -> Iterable[str]:
    if path == STDIN:
        return open(sys.stdin.fileno(), closefd=False, **TEXT)
    file: TextIO = stack.enter_context(path.open(**TEXT))
    return file


_Row = tuple[str, int, Mapping[str, Any]]


def _csv_rows(lines: Iterable[str], name: str, on_error: Callable[[RowError], None]) -> Iterator[_Row]:
    rows = csv_rows(lines, name, POSTS, on_error)
    for number, row in enumerate(rows):
        if number == 0:
            _check_id(row.cells, name)
        yield f"{name}, row {row.row} (line {row.line})", row.line, row.cells


def _json_rows(lines: Iterable[str], name: str, on_error: Callable[[RowError], None]) -> Iterator[_Row]:
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        try:
            values = json.loads(line)
        except (ValueError, RecursionError) as error:
            on_error(RowError(f"{name}, line {number}: no JSON ({error}): {shortened(line)}.", number))
            continue
        if isinstance(values, dict):
            yield f"{name}, line {number}", number, values
        else:
            on_error(RowError(f"{name}, line {number}: expected a JSON object, got {shortened(line)}.", number))


def _parquet_rows(path: Path) -> Iterator[_Row]:
    try:
        with pq.ParquetFile(path) as file:
            found = file.schema_arrow.names
            check_columns(found, POSTS, path.name)
            _check_id(found, path.name)
            row = 0
            for batch in file.iter_batches(1024, columns=[n for n in ("id", *IDS, *POSTS) if n in found]):
                for values in batch.to_pylist():
                    row += 1
                    yield f"{path.name}, row {row}", row, values
    except (pa.ArrowException, OSError) as error:
        raise InputError(f"{path} can't be read as Parquet: {error}") from None


def _check_id(columns: Iterable[str], name: str) -> None:
    if "id" not in columns and not all(part in columns for part in IDS):
        raise InputError(f"{name}: the column 'id' is missing, or {' and '.join(map(repr, IDS))} in its place.")


def _checked_pair(place: str, line: int, values: Mapping[str, Any]) -> InputPair:
    def wrong(column: str, what: str) -> RowError:
        return RowError(f"{place}, column {column!r}: {what}, got {shortened(values.get(column))}.", line, values)

    for column in POSTS:
        value = values.get(column)
        if not isinstance(value, str) or not value.strip():
            raise wrong(column, "expected text")
        if expected := unreadable(value):
            raise wrong(column, expected)
    own = values.get("id", "")
    parts = [own] if own not in ("", None) else [values.get(part) for part in IDS]
    if any(part is None for part in parts):
        raise wrong("id", "expected a value")
    return InputPair("_".join(map(str, parts)), values["seeker_post"], values["response_post"])
