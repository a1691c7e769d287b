"""Rows of the first sheet of an Excel workbook."""

from __future__ import annotations

import zipfile
from collections.abc import Iterator
from typing import Any

from ..errors import InputError, first_line
from .input_files import InputFile
from .row import CheckHeader, Row


# A workbook is a zip archive. Unpacked bytes; a sheet of Excel's million rows has some hundred million.
_LARGEST = 4 * 2**30


def workbook_rows(file: InputFile, check_header: CheckHeader) -> Iterator[Row]:
    """Rows of the first sheet, whose first row has the names of the columns.

    Raises:
        InputError: If it is no workbook, its columns have no names, or the package openpyxl is not installed.
    """
    try:
        import openpyxl
    except ImportError:
        raise InputError("Workbooks are read with the package openpyxl: pip install openpyxl.") from None
    if file.is_stdin:
        raise InputError("A workbook can't be read from standard input: it is read from its end. Name a file.")
    with file.as_input(), file.open() as opened:
        _check_size(file, opened)
        try:
            # Read as it streams; of formulas, what Excel last computed.
            book = openpyxl.load_workbook(opened, read_only=True, data_only=True)
            sheet = book.worksheets[0]
        except (zipfile.BadZipFile, KeyError, ValueError, IndexError, EOFError) as error:
            raise InputError(f"{file.path} can't be read as an Excel workbook: {first_line(error)}.") from None
        place = f"{file.name}, sheet {sheet.title!r}"
        cells = enumerate(sheet.iter_rows(values_only=True), start=1)
        header = _header(next(cells, (1, ()))[1], place)
        check_header(header, place)
        for line, values in cells:
            row = values[: len(header)]
            if any(value is not None for value in row):
                padded = [*row, *[None] * (len(header) - len(row))]
                yield Row(f"{place}, row {line}", line - 1, line, dict(zip(header, padded, strict=True)))


def _check_size(file: InputFile, opened: Any) -> None:
    try:
        with zipfile.ZipFile(opened) as archive:
            size = sum(entry.file_size for entry in archive.infolist())
    except zipfile.BadZipFile as error:
        raise InputError(f"{file.path} can't be read as an Excel workbook: {first_line(error)}.") from None
    if size > _LARGEST:
        raise InputError(
            f"{file.path} would be {size:,} bytes once it is unpacked, more than any table needs: save it as CSV."
        )
    opened.seek(0)


def _header(cells: tuple[Any, ...], place: str) -> list[str]:
    header = list(cells)
    while header and header[-1] is None:
        header.pop()
    if any(not isinstance(name, str) or not name.strip() for name in header):
        shown = " | ".join("" if name is None else str(name) for name in header)
        raise InputError(
            f"{place}: the first row must give each column its name, as in id | seeker_post | response_post, and has "
            f"{shown!r}: take merged cells apart, and put a title above the table elsewhere."
        )
    return [name.strip() for name in header]
