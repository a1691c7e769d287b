"""A row of a file, which knows where it stands."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from ..errors import RowError, shortened
from .text_lines import unreadable


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
