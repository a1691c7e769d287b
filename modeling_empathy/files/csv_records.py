"""Reads CSV files record by record, and knows the line on which each begins."""

from __future__ import annotations

import csv
import re
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import cache
from itertools import islice
from typing import NamedTuple

from ..errors import RowError, raise_error, shortened
from .text_lines import LONGEST_LINE, TOO_LONG


# Characters. A quote that is never closed swallows the rest of a file up to this.
LONGEST_RECORD = LONGEST_LINE
_NAMES = {",": "comma", "\t": "tab"}
# Lines that are looked at behind a bad record: more than a post has.
_LINES_AHEAD = 1000


@cache
def _edge_of_a_cell(delimiter: str) -> re.Pattern[str]:
    """A quote that opens a cell, or one that closes it; two of them are one of the text, or an empty cell."""
    return re.compile(rf'(?P<opens>(?:^|{delimiter})"(?:"")*(?!"))|(?<!")"(?:"")*(?=[{delimiter}\r\n]|$)')


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
    lines: Iterable[str],
    name: str,
    on_error: Callable[[RowError], None] = raise_error,
    delimiter: str = ",",
) -> Iterator[Record]:
    """Reads records one at a time, the header being the first; blank lines are skipped.

    A record that can't be read may have swallowed others by a quote that was left open, or its lines may be those of
    a text. If `on_error` returns, its first line alone is left out, and reading goes on behind that; what seems to be
    the rest of a text (see [`_rest_of_a_text`]) is left out too, line by line, and no line without a call. A record of
    the right number of cells is taken as it stands: nothing tells one that swallowed others from a post that quotes
    a table.

    Args:
        lines: The file's lines, with their endings.
        name: What errors call the file.
        on_error: Called with each line that is left out.
        delimiter: What stands between cells.

    Raises:
        RowError: Where a record can't be read, from `on_error`, or always if it is the header.
    """
    # The limit is one for the whole process, 128 KB at first: too little for a long post. It stays raised, because
    # another thread may be in the middle of a file; where somebody has set more, that is left alone.
    if csv.field_size_limit() < LONGEST_RECORD:
        csv.field_size_limit(LONGEST_RECORD)
    upcoming = _Lines(lines, delimiter)
    header: list[str] = []
    number = 0
    reader = upcoming.reader()
    # No `for`: it would end at the first record that can't be read.
    while True:
        line = upcoming.begin_record()
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
            problem = _wrong_width(record, header, name, delimiter)
        if not header:
            raise problem
        on_error(problem)
        for further, text in enumerate(upcoming.left_out(len(header)), start=line + 1):
            message = (
                f"{name}, line {further}: left out, because it seems to belong to the record that begins on "
                f"line {line} and can't be read: {shortened(text)}."
            )
            on_error(RowError(message, further))
        reader = upcoming.reader()


def _wrong_width(record: Record, header: Sequence[str], name: str, delimiter: str) -> RowError:
    # Of a record with too many or too few cells, the error has what could be read.
    values = dict(zip(header, record.cells, strict=False))
    message = (
        f"{name}, row {record.number} (line {record.line}): {len(record.cells)} cells for {len(header)} columns; "
        f"a text with a {_NAMES[delimiter]} or a quote must stand in quotes."
    )
    return RowError(message, record.line, values)


class _Lines:
    """The lines of a file; those of a record that can't be read can be read again."""

    def __init__(self, lines: Iterable[str], delimiter: str = ",") -> None:
        self._source, self._delimiter = iter(lines), delimiter
        self._edge = _edge_of_a_cell(delimiter)
        self._again: deque[str] = deque()
        self._taken: list[str] = []  # by the record that is being read
        self._line = 1  # on which that begins
        self._settled = 0  # the line up to which it is known what is the rest of a text

    def reader(self) -> Iterator[list[str]]:
        """Reads on; needed anew after an error, which ends a generator."""
        # Without `strict` a quote that is never closed takes in the rest of the file, and no error says so.
        return csv.reader(self._remembered(), delimiter=self._delimiter, strict=True)

    def begin_record(self) -> int:
        """The line on which the next record begins."""
        self._line += len(self._taken)
        self._taken.clear()
        return self._line

    def left_out(self, width: int) -> list[str]:
        """Leaves out the first line of the record, which can't be read, and what seems to be the rest of a text.

        Returns:
            The lines that were left out, without the first.
        """
        self._again.extendleft(reversed(self._taken[1:]))
        del self._taken[1:]
        if self._line <= self._settled:
            return []
        while True:
            ahead = self._ahead()
            rest = _rest_of_a_text(self._taken[-1], ahead, width, self._delimiter)
            self._taken.extend(self._again.popleft() for _ in range(rest))
            # A line that ends one text and begins another is followed by the rest of that.
            if not rest or rest < len(ahead) or self._taken[-1].count('"') % 2:
                break
        # Not the last of them, whose quote was not looked behind.
        self._settled = self._line + len(self._taken) + len(ahead) - rest - 2
        return self._taken[1:]

    def _remembered(self) -> Iterator[str]:
        characters = 0
        while (line := self._again.popleft() if self._again else next(self._source, None)) is not None:
            characters = characters + len(line) if self._taken else len(line)
            self._taken.append(line)
            if characters > LONGEST_RECORD:
                raise csv.Error(TOO_LONG)
            yield line

    def _ahead(self) -> list[str]:
        """The lines up to the first in which a cell opens or closes with a quote; all are still to be read."""
        ahead: list[str] = []
        characters = 0
        while len(ahead) < _LINES_AHEAD and characters <= LONGEST_RECORD:
            if len(ahead) == len(self._again):
                self._again.extend(islice(self._source, 1))
                if len(ahead) == len(self._again):
                    break
            ahead.append(self._again[len(ahead)])
            characters += len(ahead[-1])
            if self._edge.search(ahead[-1]):
                break
        return ahead


def _rest_of_a_text(first: str, ahead: Sequence[str], width: int, delimiter: str) -> int:
    """How many of the lines behind the first one of a bad record are hardly records of their own.

    If the next quote closes a cell, all up to it. If it opens one, or there is none, only what stands before lines of
    which nine in ten have the commas of a record; and nothing where the first line has no quote, for that is a row
    with too many or too few cells.
    """
    edge = _edge_of_a_cell(delimiter).search(ahead[-1]) if ahead else None
    if edge and edge["opens"] is None:
        return len(ahead)
    if '"' not in first:
        return 0
    between = ahead[:-1] if edge else ahead
    places = [place for place, line in enumerate(between) if line.strip()]
    has_commas = [between[place].count(delimiter) == width - 1 and '"' not in between[place] for place in places]
    for position, place in enumerate(places):
        rest = has_commas[position:]
        # Where a file ends, it may have been cut, and a single line of a post has the commas by chance.
        if has_commas[position] and sum(rest) >= 0.9 * len(rest) and (edge or len(rest) > 1):
            return place
    return len(between)
