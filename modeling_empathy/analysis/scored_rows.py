"""Reads scored pairs for an analysis: checks each row, and lays all of them into one file on the disk."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from ..errors import InputError, RowError, raise_error
from ..files.input_files import InputFile
from ..files.row import Row
from ..files.rows import check_columns, read_rows
from ..model.mechanisms import ABBREVIATIONS
from ..model.pair_inputs import in_chunks
from .values import category_of, identifier_of, length_of, level_of, number_of, outcome_of, seconds_of


RESPONDER, SEEKER, CREATED, CONVERSATION = "responder_id", "seeker_id", "created_at", "conversation_id"
RESPONSE = "response_post"
# Ours, which a table may call otherwise.
OURS = ("id", RESPONSE, RESPONDER, SEEKER, CREATED, CONVERSATION)
COLUMN_EXAMPLE = "responder_id=author"
_MODEL = "model"
_ROWS_AT_ONCE = 20_000
_ROWS_OF_A_HEADER = 1000
_DAY = 86400.0  # that clocks may be ahead


@dataclass(frozen=True)
class AnalysisColumns:
    """What an analysis reads.

    Attributes:
        sources: Column of ours to that of the input, where that is called otherwise.
        outcomes: Columns that say what became of a response: yes or no, or a number.
        groups: Columns by which responses are compared.
    """

    sources: Mapping[str, str] = field(default_factory=dict)
    outcomes: Sequence[str] = ()
    groups: Sequence[str] = ()

    def of(self, ours: str) -> str:
        """The input's column for one of ours."""
        return self.sources.get(ours, ours)


@dataclass
class ReadSummary:
    """What was read.

    Attributes:
        rows: Rows that are analysed.
        left_out: How many are not, by the reason.
        notes: What a reader of the report ought to know of the input.
        mechanisms: Code to name of those that were scored.
        columns: Which of ours there are.
        expected: Which columns of expected levels there are.
        models: What scored the rows, as their column `model` says.
    """

    rows: int = 0
    left_out: Counter[str] = field(default_factory=Counter)
    notes: list[str] = field(default_factory=list)
    mechanisms: dict[str, str] = field(default_factory=dict)
    columns: set[str] = field(default_factory=set)
    expected: list[str] = field(default_factory=list)
    models: set[str] = field(default_factory=set)


def write_scored_rows(
    files: Sequence[InputFile],
    columns: AnalysisColumns,
    output_path: Path,
    *,
    on_error: Callable[[RowError], None] = raise_error,
    on_rows: Callable[[int], object] = lambda rows: None,
    now: float | None = None,
) -> ReadSummary:
    """Writes what an analysis needs of scored rows to one Parquet file, in constant memory.

    Args:
        files: As `empathy score` wrote them, or any with its label columns.
        columns: What is read.
        output_path: The file.
        on_error: Called with a row that can't be used; if it returns, the row is left out.
        on_rows: Called with how many more rows are read.
        now: Seconds since 1970, after which no response can have been written.

    Raises:
        InputError: If a file can't be read or lacks a column, or different models scored the rows.
        RowError: Of a row that can't be used, from `on_error`.
    """
    reader = _Reader(files[0], columns, time.time() if now is None else now)
    with pq.ParquetWriter(output_path, reader.schema) as writer:
        for rows in in_chunks(reader.rows(files, on_error), _ROWS_AT_ONCE):
            writer.write_table(pa.Table.from_pylist(rows, schema=reader.schema))
            on_rows(len(rows))
    return reader.summary


class _Reader:
    def __init__(self, first: InputFile, columns: AnalysisColumns, now: float) -> None:
        self._columns, self._now = columns, now
        header = _header(first)
        self.summary = ReadSummary(
            mechanisms={code: name for name, code in ABBREVIATIONS.items() if f"{code}_label" in header},
            columns={ours for ours in OURS if columns.of(ours) in header},
        )
        self._check(header, first.name)
        self.summary.expected = [
            f"{code}_expected" for code in self.summary.mechanisms if f"{code}_expected" in header
        ]
        self._has_model = _MODEL in header
        self.schema = self._schema()
        self._without_zone = 0

    def _check(self, header: Sequence[str], name: str) -> None:
        if not self.summary.mechanisms:
            raise InputError(
                f"{name}: none of the columns {', '.join(f'{code}_label' for code in ABBREVIATIONS.values())} is "
                "there: an analysis is of what empathy score writes."
            )
        for ours in (RESPONDER, CREATED):
            if ours not in self.summary.columns:
                raise InputError(
                    f"{name}: the column {self._columns.of(ours)!r} is missing; the header has "
                    f"{', '.join(map(repr, header))}. Another name is said with --column, as in --column "
                    f"{COLUMN_EXAMPLE}; empathy score takes columns along with --keep."
                )
        named = [*self._columns.sources.values(), *self._columns.outcomes, *self._columns.groups]
        check_columns(list(dict.fromkeys(named)), header, name)

    def _schema(self) -> pa.Schema:
        fields = [("number", pa.int64()), ("id", pa.string()), ("responder", pa.string()), ("seeker", pa.string())]
        fields += [("conversation", pa.string()), ("created", pa.float64())]
        fields += [("words", pa.int32()), ("questions", pa.int32())]
        fields += [(code, pa.int8()) for code in self.summary.mechanisms]
        fields += [(name, pa.float32()) for name in self.summary.expected]
        fields += [(f"outcome_{place}", pa.float64()) for place in range(len(self._columns.outcomes))]
        fields += [(f"group_{place}", pa.string()) for place in range(len(self._columns.groups))]
        return pa.schema(fields)

    def rows(self, files: Iterable[InputFile], on_error: Callable[[RowError], None]) -> Iterator[dict[str, Any]]:
        """The rows of all files, as the schema has them."""
        needed = [self._columns.of(ours) for ours in OURS if ours in self.summary.columns]
        needed += [f"{code}_label" for code in self.summary.mechanisms]
        needed += [*self.summary.expected, *self._columns.outcomes, *self._columns.groups]
        needed += [_MODEL] if self._has_model else []
        needed = list(dict.fromkeys(needed))

        def refused(error: RowError) -> None:
            on_error(error)
            self.summary.left_out["rows that could not be read"] += 1

        for file in files:
            for row in read_rows(file, lambda header, name: check_columns(needed, header, name), on_error=refused):
                try:
                    made = self._row(row)
                except RowError as error:
                    refused(error)
                    continue
                if made is not None:
                    made["number"] = self.summary.rows
                    self.summary.rows += 1
                    yield made
        if self._without_zone:
            self.summary.notes.append(f"{self._without_zone:,} dates have no time zone: they are taken as UTC.")

    def _row(self, row: Row) -> dict[str, Any] | None:
        made: dict[str, Any] = {}
        for name, ours in (("id", "id"), ("responder", RESPONDER), ("seeker", SEEKER), ("conversation", CONVERSATION)):
            if ours in self.summary.columns:
                made[name] = identifier_of(row, self._columns.of(ours))
        if made["responder"] is None:
            raise row.error(self._columns.of(RESPONDER), "expected who wrote the response")
        made["created"], has_zone = seconds_of(row, self._columns.of(CREATED))
        self._without_zone += not has_zone
        if RESPONSE in self.summary.columns:
            made["words"], made["questions"] = length_of(row, self._columns.of(RESPONSE))
        for code in self.summary.mechanisms:
            made[code] = level_of(row, f"{code}_label")
        for name in self.summary.expected:
            made[name] = number_of(row, name)
        for place, name in enumerate(self._columns.outcomes):
            made[f"outcome_{place}"] = outcome_of(row, name)
        for place, name in enumerate(self._columns.groups):
            made[f"group_{place}"] = category_of(row, name)
        if self._has_model:
            self._see_model(row)
        # Behind the other checks: a bad row is one, whenever it was written.
        if made["created"] > self._now + _DAY:
            self.summary.left_out["rows whose date is in the future"] += 1
            return None
        return made

    def _see_model(self, row: Row) -> None:
        model = str(row.values.get(_MODEL) or "")
        if model and model not in self.summary.models:
            self.summary.models.add(model)
            if len(self.summary.models) > 1:
                [other] = self.summary.models - {model}
                raise InputError(
                    f"{row.place}: scored by {model}, other rows by {other}: levels of different models can't be "
                    "compared. Score all with one, or analyse them apart."
                )


def _header(file: InputFile) -> Sequence[str]:
    """The columns of a file: those of its header, or of JSON lines all that its first rows have."""
    seen: dict[str, None] = {}
    has_rows = False

    def look(header: Sequence[str], name: str) -> Sequence[str]:
        seen.update(dict.fromkeys(header))
        return header

    for row in islice(read_rows(file, look, on_error=lambda error: None), _ROWS_OF_A_HEADER):
        has_rows = True
        if file.file_format != "jsonl":
            break
        seen.update(dict.fromkeys(row.values))
    if not has_rows:
        raise InputError(f"{file.name} has no rows.")
    return list(seen)
