"""The types of columns that are kept: of every file the same, so that an output of many shards has one schema."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import date, datetime
from typing import Any

import pyarrow as pa

from ..files.columnar_rows import columnar_types
from ..files.input_files import InputFile


# Kind of value to its type in Parquet; what is of several kinds, or of another one, is text.
TYPES = {"bool": pa.bool_(), "int": pa.int64(), "float": pa.float64(), "text": pa.string()}
_LARGEST_INTEGER = 2**63


class KeptColumns:
    """Learns of which kind the values of kept columns are."""

    def __init__(self) -> None:
        # Column to kind; None as long as it had no value.
        self._kinds: dict[str, str | None] = {}

    def see_row(self, kept: Mapping[str, Any]) -> None:
        """Takes in a row."""
        for column, value in kept.items():
            self._see(column, None if value is None else _kind(value))

    def see_types(self, file: InputFile, columns: list[str]) -> None:
        """Takes in some columns of a Parquet or Arrow file, none of whose rows has to be read for it."""
        types = columnar_types(file)
        for column in columns:
            self._see(column, _kind_of_type(types[column]))

    def kinds(self) -> dict[str, str]:
        """Column to kind, in the order in which columns were met."""
        return {column: kind or "text" for column, kind in self._kinds.items()}

    def _see(self, column: str, kind: str | None) -> None:
        known = self._kinds.setdefault(column, kind)
        if kind is None or known == kind:
            return
        numbers = {"int", "float"}
        self._kinds[column] = kind if known is None else "float" if {known, kind} == numbers else "text"


def as_kind(value: Any, kind: str) -> Any:
    """A kept value as the output has it; as text, what is neither text nor a time nor nothing is JSON."""
    if value is None or (kind != "text"):
        return value
    if isinstance(value, (datetime, date)):
        return value.isoformat()
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)


def _kind(value: Any) -> str:
    # `type`, because True is an integer too.
    if type(value) is int and not -_LARGEST_INTEGER <= value < _LARGEST_INTEGER:
        return "text"
    return {bool: "bool", int: "int", float: "float"}.get(type(value), "text")


def _kind_of_type(arrow_type: pa.DataType) -> str | None:
    if pa.types.is_null(arrow_type):
        return None
    if pa.types.is_boolean(arrow_type):
        return "bool"
    # Of the largest unsigned integers, half have no place in 64 bits with a sign.
    if pa.types.is_integer(arrow_type) and arrow_type != pa.uint64():
        return "int"
    return "float" if pa.types.is_floating(arrow_type) else "text"
