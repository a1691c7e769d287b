"""Reads CSV files record by record, and knows the line on which each begins."""

from __future__ import annotations

import csv
import re
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import NamedTuple

from ..errors import RowError, raise_error, shortened
from .text_lines import LONGEST_LINE, TOO_LONG


# Characters. A quote that is never closed swallows the rest of a file up to this.
LONGEST_RECORD = LONGEST_LINE
# Between two such characters a quote neither opens nor closes a cell, nor is it a doubled one.
_STRAY_QUOTE = re.compile(r'[^,"\r\n]"[^,"\r\n]')


class Record(NamedTuple):
    """A record of a CSV file.

    Attributes:
        number: Its number among the records, those with too many or too few cells too; 0 is the header.
        line: Line of the file where it begins, from 1.
        cells: What stands in it, as many cells as in the header.
    """

    number: int
    line: int
    cells: list[str]


def csv_records(
    lines: Iterable[str], name: str, on_error: Callable[[RowError], None] = raise_error
) -> Iterator[Record]:
    """Reads records one at a time, the header being the first; blank lines are skipped.

    A record that can't be read may have swallowed others, because a quote was left open. If `on_error` returns, its
    lines are left out one by one, each with a call, up to the first from which on the rest of them are whole records
    and at least half of what it took in; there reading goes on. A record of the right number of cells is taken as it
    stands: nothing tells one that swallowed others from a post that quotes a table.

    Args:
        lines: The file's lines, with their endings.
        name: What errors call the file.
        on_error: Called with each line that is left out.

    Raises:
        RowError: Where a record can't be read, from `on_error`, or always if it is the header.
    """
    # The limit is one for the whole process, 128 KB at first: too little for a long post. It stays raised, because
    # another thread may be in the middle of a file; where somebody has set more, that is left alone.
    if csv.field_size_limit() < LONGEST_RECORD:
        csv.field_size_limit(LONGEST_RECORD)
    source = iter(lines)
    taken: list[str] = []  # by the record that is being read
    again: deque[str] = deque()
    header: list[str] = []
    number, line = 0, 1
    reader = _reader(_remembered(source, taken, again))
    # No `for`: it would end at the first record that can't be read.
    while True:
        line += len(taken)
        taken.clear()
        try:
            cells = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            problem = RowError(
                f"{name}: the record that begins on line {line} can't be read ({error}); "
                "look for a quote that is not closed, or not doubled inside a quoted text.",
                line,
            )
        else:
            if not cells:
                continue
            header = header or cells
            record = Record(number, line, cells)
            number += 1
            if len(cells) == len(header):
                yield record
                continue
            problem = _wrong_width(record, header, name)
        if not header:
            raise problem
        on_error(problem)
        left_out = len(taken) - _rows_at_the_end(taken, len(header))
        for offset in range(1, left_out):
            message = (
                f"{name}, line {line + offset}: left out, because the record that begins on line {line} can't be read "
                f"and may hold this line: {shortened(taken[offset])}."
            )
            on_error(RowError(message, line + offset))
        again.extend(taken[left_out:])
        del taken[left_out:]
        # A generator ends with its first error.
        reader = _reader(_remembered(source, taken, again))


def _reader(lines: Iterable[str]) -> Iterator[list[str]]:
    # Without `strict` a quote that is never closed takes in the rest of the file, and no error says so.
    return csv.reader(lines, strict=True)


def _remembered(source: Iterator[str], taken: list[str], again: deque[str]) -> Iterator[str]:
    """The lines in `again` and then the source's, each added to what the record has taken so far."""
    characters = 0
    while (line := again.popleft() if again else next(source, None)) is not None:
        characters = characters + len(line) if taken else len(line)
        taken.append(line)
        if characters > LONGEST_RECORD:
            raise csv.Error(TOO_LONG)
        yield line


def _wrong_width(record: Record, header: Sequence[str], name: str) -> RowError:
    # Of a record with too many or too few cells, the error has what could be read.
    values = dict(zip(header, record.cells, strict=False))
    message = (
        f"{name}, row {record.number} (line {record.line}): {len(record.cells)} cells for {len(header)} columns; "
        "a text with a comma or a quote must stand in quotes."
    )
    return RowError(message, record.line, values)


def _rows_at_the_end(lines: Sequence[str], width: int) -> int:
    """How many of the last of these lines, but half of them at most left out, are whole records of so many cells."""
    start = 1
    while start <= len(lines) - start:
        reader = csv.reader((lines[index] for index in range(start, len(lines))), strict=True)
        rows, end = 0, start  # of the records so far
        try:
            for cells in reader:
                begin, end = end, start + reader.line_num
                # A line of a post may have the commas of a record, but hardly every line, down to the odd quote.
                if cells and (len(cells) != width or any(map(_STRAY_QUOTE.search, lines[begin:end]))):
                    end = begin
                    break
                rows += bool(cells)
            else:
                return len(lines) - start
        except csv.Error as error:
            # The last of several may go on behind these lines.
            if rows and str(error) == "unexpected end of data":
                return len(lines) - start
        # From the same place on, each of the records before it would come to the same end.
        start = end + 1
    return 0
