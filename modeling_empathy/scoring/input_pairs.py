"""Pairs to be scored, read from a file one after the other."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from ..errors import InputError, RowError, raise_error
from ..files.rows import Row, check_columns, read_rows
from ..model.mechanisms import IDS, POSTS


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


def read_pairs(
    path: Path, file_format: str | None = None, on_error: Callable[[RowError], None] = raise_error
) -> Iterator[InputPair]:
    """Reads pairs, holding one row (of Parquet, a batch of rows) at a time.

    Args:
        path: A file with `id` (or `sp_id` and `rp_id`), `seeker_post` and `response_post`, further columns aside; `-`
            for standard input.
        file_format: `"csv"`, `"jsonl"` or `"parquet"`; the one that the ending names when left out.
        on_error: Called with each row that can't be used; if it returns, the row is left out.

    Raises:
        InputError: If the file can't be read, or lacks a column.
        RowError: From `on_error`; names file, row or line, column and value.
    """
    for row in read_rows(path, _columns, file_format, on_error=on_error):
        try:
            yield _checked_pair(row)
        except RowError as error:
            on_error(error)


def _columns(header: Sequence[str], name: str) -> Sequence[str]:
    if "id" not in header and not set(IDS) <= set(header):
        check_columns(POSTS, header, name)
        raise InputError(f"{name}: the column 'id' is missing, or {' and '.join(map(repr, IDS))} in its place.")
    # Of Parquet these alone are read: a corpus may have columns that are larger than its posts.
    return check_columns([*(column for column in ("id", *IDS) if column in header), *POSTS], header, name)


def _checked_pair(row: Row) -> InputPair:
    seeker_post, response_post = row.text("seeker_post"), row.text("response_post")
    # The original's ids are the two posts' with an underscore between them.
    of_posts = row.values.get("id") in ("", None) and all(column in row.values for column in IDS)
    pair_id = "_".join(row.identifier(column) for column in (IDS if of_posts else ("id",)))
    return InputPair(pair_id, seeker_post, response_post)
