"""Rows of Parquet files, and of the Arrow files that `datasets` writes."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from ..errors import InputError
from .input_files import InputFile
from .row import CheckHeader, Row
from .text_lines import other_content


# Bytes of a column that are read at once, so that a row group as large as its file costs no more than another.
_BUFFER = 2**20
_ROWS_AT_ONCE = 1024
# Arrow's two formats: the file begins with this, the stream with no mark of its own.
_ARROW_FILE = b"ARROW1"


def parquet_rows(file: InputFile, check_header: CheckHeader, start: int) -> Iterator[Row]:
    """Rows from the one at `start` on, counted from 0; what stands before is not read, as far as row groups go."""
    with _readable(file, "Parquet"), _parquet(file) as parquet:
        columns = list(check_header(parquet.schema_arrow.names, file.name))
        group, number = 0, 0
        while group < parquet.num_row_groups and number + parquet.metadata.row_group(group).num_rows <= start:
            number += parquet.metadata.row_group(group).num_rows
            group += 1
        groups = list(range(group, parquet.num_row_groups))
        # A row group may be a whole file; a batch keeps memory at so many rows.
        batches = parquet.iter_batches(_ROWS_AT_ONCE, row_groups=groups, columns=columns) if groups else ()
        yield from _rows_from(start, number, file.name, iter(batches))


def parquet_count(file: InputFile, check_header: CheckHeader) -> int:
    """How many rows there are, of which none is read."""
    with _readable(file, "Parquet"), _parquet(file) as parquet:
        check_header(parquet.schema_arrow.names, file.name)
        return int(parquet.metadata.num_rows)


def arrow_rows(file: InputFile, check_header: CheckHeader, start: int) -> Iterator[Row]:
    """As [`parquet_rows`], of an Arrow file or stream."""
    with _readable(file, "Arrow"), _arrow(file) as reader:
        columns = list(check_header(reader.schema.names, file.name))
        is_stream = isinstance(reader, pa.ipc.RecordBatchStreamReader)
        batches = iter(reader) if is_stream else map(reader.get_batch, range(reader.num_record_batches))
        parts = (
            batch.select(columns).slice(at, _ROWS_AT_ONCE)
            for batch in batches
            for at in range(0, batch.num_rows, _ROWS_AT_ONCE)
        )
        yield from _rows_from(start, 0, file.name, parts)


def arrow_count(file: InputFile, check_header: CheckHeader) -> int:
    """How many rows there are."""
    return sum(1 for _ in arrow_rows(file, lambda header, name: list(check_header(header, name))[:1], 0))


def columnar_types(file: InputFile) -> dict[str, pa.DataType]:
    """Column to type, of a Parquet or Arrow file."""
    if file.file_format == "parquet":
        with _readable(file, "Parquet"), _parquet(file) as parquet:
            schema = parquet.schema_arrow
    else:
        with _readable(file, "Arrow"), _arrow(file) as reader:
            schema = reader.schema
    return dict(zip(schema.names, schema.types, strict=True))


def _rows_from(start: int, number: int, name: str, batches: Iterator[pa.RecordBatch]) -> Iterator[Row]:
    for batch in batches:
        if number + batch.num_rows <= start:
            number += batch.num_rows
            continue
        for values in _values_of_rows(batch):
            number += 1
            if number > start:
                yield Row(f"{name}, row {number}", number, number, values)


@contextmanager
def _readable(file: InputFile, called: str) -> Iterator[None]:
    if file.is_stdin:
        raise InputError(f"{called} can't be read from standard input: it is read from its end. Name a file.")
    if file.unpacker is not None:
        raise InputError(f"{file.path}: unpack it first; {called} is compressed within, and is read from its end.")
    try:
        yield
    except (pa.ArrowException, OSError) as error:
        if isinstance(error, OSError) and error.filename is not None:
            raise  # it is gone, or may not be read
        raise InputError(f"{file.path} can't be read as {called}: {error}") from None


@contextmanager
def _arrow(file: InputFile) -> Iterator[Any]:
    with file.open() as opened:
        is_file = opened.peek(len(_ARROW_FILE)).startswith(_ARROW_FILE)
        yield pa.ipc.open_file(opened) if is_file else pa.ipc.open_stream(opened)


@contextmanager
def _parquet(file: InputFile) -> Iterator[pq.ParquetFile]:
    with ExitStack() as stack:
        opened = stack.enter_context(file.open())
        beginning = opened.peek(10)
        if not beginning.startswith(b"PAR"):
            content = other_content(beginning) or "something else: if it is text, give it the ending of its format"
            raise InputError(f"{file.path} can't be read as Parquet: it is {content if beginning else 'empty'}.")
        # A path where there is one: pyarrow reads it itself.
        source: Any = opened if "://" in file.path else file.path
        yield stack.enter_context(pq.ParquetFile(source, buffer_size=_BUFFER, pre_buffer=False))


def _values_of_rows(batch: pa.RecordBatch) -> list[dict[str, Any]]:
    try:
        rows: list[dict[str, Any]] = batch.to_pylist()
    except ValueError:  # that of text that is no UTF-8, and of times that Python does not know, is one
        rows = [
            {column: _value(cells[row]) for column, cells in zip(batch.schema.names, batch.columns, strict=True)}
            for row in range(batch.num_rows)
        ]
    return rows


def _value(cell: pa.Scalar) -> Any:
    """A cell as Python has it, with lone surrogates for bytes that are no UTF-8; None of what Python has not."""
    try:
        return cell.as_py()
    except ValueError:
        if isinstance(cell, pa.StructScalar):
            return {name: _value(part) for name, part in cell.items()}
        if isinstance(cell, pa.ListScalar):
            return list(map(_value, cell))
        is_text = isinstance(cell, pa.StringScalar)
        return cell.as_buffer().to_pybytes().decode("utf-8", "surrogateescape") if is_text else None
