"""Unlabelled posts from files: text, CSV, JSON lines or Parquet, each post once."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path

from ..errors import InputError, shortened
from ..files.input_files import FORMATS, InputFile, format_of
from ..files.rows import check_columns, read_rows
from ..files.text_lines import LONGEST_LINE, TOO_LONG, read_lines, unreadable
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
    file_format = format_of(path, formats={".txt": "txt", **FORMATS})
    texts = _lines(path, column) if file_format == "txt" else _cells(path, column)
    # A dictionary keeps the order, in which a run with a seed is repeated; a set would not.
    posts = dict.fromkeys(text.strip() for text in texts)
    if not posts:
        raise InputError(f"{path.name} has no posts.")
    return list(posts)


def _lines(path: Path, column: str | None) -> Iterator[str]:
    if column is not None:
        raise InputError(f"{path.name}: a .txt has no column {column!r}; each of its lines is a post.")
    for number, line in enumerate(read_lines(InputFile.at(path, "txt")), start=1):
        if len(line) > LONGEST_LINE:
            raise InputError(f"{path.name}, line {number}: {TOO_LONG}; a post is a line.")
        if expected := unreadable(line):
            raise InputError(f"{path.name}, line {number}: {expected}, got {shortened(line)}.")
        if line.strip():
            yield line


def _cells(path: Path, column: str | None) -> Iterator[str]:
    columns: Sequence[str] = ()
    for row in read_rows(path, partial(_columns, column)):
        # JSON lines have no header: their first row decides. In the other formats it has what the header had.
        columns = columns or _columns(column, list(row.values), row.place)
        for name in columns:
            yield row.text(name)


def _columns(column: str | None, header: Sequence[str], name: str) -> Sequence[str]:
    """The columns that hold posts."""
    columns = [column] if column is not None else [post for post in POSTS if post in header] or ["text"]
    return check_columns(columns, header, name)
