"""Rows of CSV, TSV and JSON lines."""

from __future__ import annotations

import json
from collections.abc import Iterator
from functools import partial
from typing import Any

from ..errors import RowError, shortened
from .csv_records import csv_records
from .input_files import InputFile
from .row import CheckHeader, OnError, RepeatedValues, Row
from .text_lines import LONGEST_LINE, TOO_LONG, read_lines


def delimited_rows(delimiter: str, file: InputFile, check_header: CheckHeader, on_error: OnError) -> Iterator[Row]:
    name = file.name
    records = csv_records(read_lines(file), name, on_error, delimiter)
    header = next((record.cells for record in records), [])
    check_header(header, name)
    for number, line, cells in records:
        yield Row(f"{name}, row {number} (line {line})", number, line, dict(zip(header, cells, strict=True)))


def json_rows(file: InputFile, check_header: CheckHeader, on_error: OnError) -> Iterator[Row]:
    decode = json.JSONDecoder(object_pairs_hook=_values_by_key).decode
    for number, line in enumerate(read_lines(file), start=1):
        if not line.strip():
            continue
        place = f"{file.name}, line {number}"
        try:
            values = decode(line) if len(line) <= LONGEST_LINE else None
        except (ValueError, RecursionError) as error:  # the latter from brackets nested too deep
            on_error(RowError(f"{place}: no JSON ({error}): {shortened(line)}.", number))
            continue
        if isinstance(values, dict):
            yield Row(place, number, number, values)
        else:
            problem = "" if len(line) <= LONGEST_LINE else f"; {TOO_LONG}"
            on_error(RowError(f"{place}: expected a JSON object, got {shortened(line)}{problem}.", number))


def _values_by_key(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    values = dict(pairs)
    if len(values) < len(pairs):
        # Which of them is meant, nobody can say; the error is that of the column, should anybody need it.
        for key in values:
            if len(repeated := [value for other, value in pairs if other == key]) > 1:
                values[key] = RepeatedValues(repeated)
    return values


csv_rows = partial(delimited_rows, ",")
tsv_rows = partial(delimited_rows, "\t")
