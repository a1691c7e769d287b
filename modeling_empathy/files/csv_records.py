"""Reads CSV files record by record, and knows the line on which each begins."""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterable, Iterator

from ..errors import RowError, raise_error


# Characters; far above any post. A quote that is never closed swallows the rest of a file up to this.
LONGEST_CELL = 16 * 2**20


def csv_records(
    lines: Iterable[str], name: str, on_error: Callable[[RowError], None] = raise_error
) -> Iterator[tuple[int, list[str]]]:
    """Reads records one at a time, the header being the first; blank lines are skipped.

    Args:
        lines: The file's lines, with their endings (opened with `newline=""`).
        name: What errors call the file.
        on_error: Called with a record that can't be read; if it returns, reading goes on behind that record.

    Yields:
        The line on which a record begins, from 1, and its cells.

    Raises:
        RowError: Where a record can't be read, from `on_error`.
    """
    # The limit is one for the whole process, 128 KB at first: too little for a long post. It stays raised, because
    # another thread may be in the middle of a file; where somebody has set more, that is left alone.
    if csv.field_size_limit() < LONGEST_CELL:
        csv.field_size_limit(LONGEST_CELL)
    # Without `strict` a quote that is never closed takes in the rest of the file, and no error says so.
    reader = csv.reader(lines, strict=True)
    # No `for`: it would end at the first record that can't be read.
    while True:
        line = reader.line_num + 1
        try:
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
