"""Unlabelled posts from files: text, CSV, JSON lines or Parquet, each post once."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from ..errors import InputError, shortened
from ..files.csv_records import TEXT, check_columns, csv_header, read_csv, unreadable
from ..model.mechanisms import POSTS


def read_posts(path: Path, column: str | None = None) -> list[str]:
    """Reads unlabelled posts.

    Args:
        path: A `.txt` with a post on each line (blank lines are skipped), or a `.csv`, `.jsonl` or `.parquet`.
        column: Which column holds the posts; when left out, `seeker_post` and `response_post`, as far as they exist,
            else `text`.

    Returns:
        Each distinct post once, in the order of the file, without white space around it.

    Raises:
        InputError: If the file can't be read, lacks the column or has no posts; names file, row, column and value.
    """
    if not path.is_file():
        raise InputError(f"{path} is not a file.")
    read = _READERS.get(path.suffix.lower())
    if read is None:
        raise InputError(f"{path}: the ending {path.suffix!r} names no format; use one of {', '.join(_READERS)}.")
    posts: dict[str, None] = {}
    for place, value in read(path, column):
        if not isinstance(value, str) or not value.strip():
            raise InputError(f"{place}: expected text, got {shortened(value)}.")
        if expected := unreadable(value):
            raise InputError(f"{place}: {expected}, got {shortened(value)}.")
        posts[value.strip()] = None
    if not posts:
        raise InputError(f"{path.name} has no posts.")
    return list(posts)


_Places = Iterator[tuple[str, Any]]


def _txt_posts(path: Path, column: str | None) -> _Places:
    if column is not None:
        raise InputError(f"{path.name}: a .txt has no column {column!r}; each of its lines is a post.")
    with path.open(**TEXT) as file:
        for number, line in enumerate(file, start=1):
            if line.strip():
                yield f"{path.name}, line {number}", line


def _csv_posts(path: Path, column: str | None) -> _Places:
    columns = _columns(csv_header(path), column, path.name)
    for row in read_csv(path, columns):
        for name in columns:
            yield f"{path.name}, row {row.row} (line {row.line}), column {name!r}", row.cells[name]


def _json_posts(path: Path, column: str | None) -> _Places:
    columns: list[str] = []
    with path.open(**TEXT) as file:
        for number, line in enumerate(file, start=1):
            if not line.strip():
                continue
            place = f"{path.name}, line {number}"
            try:
                values = json.loads(line)
            except (ValueError, RecursionError) as error:
                raise InputError(f"{place}: no JSON ({error}): {shortened(line)}.") from None
            if not isinstance(values, dict):
                raise InputError(f"{place}: expected a JSON object, got {shortened(line)}.")
            columns = columns or _columns(list(values), column, place)
            for name in columns:
                yield f"{place}, column {name!r}", values.get(name)


def _parquet_posts(path: Path, column: str | None) -> _Places:
    try:
        with pq.ParquetFile(path) as file:
            columns = _columns(file.schema_arrow.names, column, path.name)
            row = 0
            for batch in file.iter_batches(1024, columns=columns):
                for values in batch.to_pylist():
                    row += 1
                    for name in columns:
                        yield f"{path.name}, row {row}, column {name!r}", values[name]
    except (pa.ArrowException, OSError) as error:
        raise InputError(f"{path} can't be read as Parquet: {error}") from None


def _columns(found: Sequence[str], column: str | None, name: str) -> list[str]:
    """The columns that hold posts."""
    columns = [column] if column is not None else [post for post in POSTS if post in found] or ["text"]
    check_columns(found, columns, name)
    return columns


_READERS: dict[str, Callable[[Path, str | None], _Places]] = {
    ".txt": _txt_posts,
    ".csv": _csv_posts,
    ".jsonl": _json_posts,
    ".ndjson": _json_posts,
    ".parquet": _parquet_posts,
}
