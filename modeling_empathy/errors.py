"""What a user can mend: each error says which file, row, column and value, and what to do."""

from __future__ import annotations

from collections.abc import Mapping
from importlib.util import find_spec
from typing import Any


class InputError(ValueError):
    """Something that was given can't be used. The message is written for the one who gave it."""


class RowError(InputError):
    """One row of a file can't be used; the rows behind it can.

    Attributes:
        line: Line of the file where the row begins, from 1; in a Parquet file the row, from 1.
        values: What stands in the row, as far as it could be read.
    """

    def __init__(self, message: str, line: int, values: Mapping[str, Any] | None = None) -> None:
        super().__init__(message)
        self.line = line
        self.values = dict(values or {})

    def __reduce__(self) -> tuple[Any, ...]:
        # Or an error of a worker could not be told to the process that waits for it.
        return type(self), (str(self), self.line, self.values)


def raise_error(error: RowError) -> None:
    """What is done about a bad row where nothing else was asked for: the reading stops."""
    raise error


def check_installed(package: str, extra: str, what: str = "This needs") -> None:
    """Raises an [`InputError`] if a package is missing that an extra brings.

    Args:
        package: As it is imported.
        extra: Of this package.
        what: How the message begins.
    """
    if find_spec(package) is None:
        raise InputError(f"{what} the package {package}: pip install 'modeling-empathy[{extra}]'.")


def first_line(error: Exception) -> str:
    """What another library's error says first; its class where it says nothing."""
    # The lines behind it, of transformers and torch above all, advise on other people's code.
    return next(iter(str(error).strip().splitlines()), type(error).__name__)


def shortened(value: object, longest: int = 80) -> str:
    """A value as an error shows it, in quotes and cut where it is long."""
    text = str(value)
    return repr(text if len(text) <= longest else text[:longest] + "…")
