"""Reads text files line by line, in bounded memory, and says what a file is that is no text in UTF-8."""

from __future__ import annotations

import io
import re
from collections.abc import Generator

from ..errors import InputError
from .input_files import InputFile


# Characters; far above any post, and what a file without line breaks costs at most.
LONGEST_LINE = 16 * 2**20
TOO_LONG = f"it has more than {LONGEST_LINE:,} characters"

# What no text in UTF-8 begins with, what that is, and what to do about it.
_OTHER_CONTENT = {
    rb"\x1f\x8b": "compressed with gzip: unpack it, or end its name in .gz",
    rb"BZh[1-9]1AY&SY": "compressed with bzip2: unpack it, or end its name in .bz2",
    rb"\xfd7zXZ\0": "compressed with xz: unpack it, or end its name in .xz",
    rb"\x28\xb5\x2f\xfd": "compressed with zstd: unpack it, or end its name in .zst",
    rb"PK\x03\x04": "a zip archive or a workbook: unpack it, or end the name of a workbook in .xlsx",
    rb"\xd0\xcf\x11\xe0": "a workbook of Excel: save its table as CSV in UTF-8",
    rb"PAR1\x15": "a Parquet file: give it that ending, or name the format",
    rb"\xff\xfe|\xfe\xff|\0|.\0": "text in UTF-16 or UTF-32: save it as UTF-8",
}
_LONGEST_BEGINNING = 10


def read_lines(file: InputFile) -> Generator[str, None, None]:
    r"""Reads lines with their endings, which are \n, \r or both; other characters part none.

    Args:
        file: In UTF-8, with or without a byte order mark. Bytes that are no UTF-8 become lone surrogates, so that the
            cell they stand in can be named: see [`unreadable`].

    Yields:
        Each line; of one that is longer than `LONGEST_LINE` that much and a character of it, and no more.

    Raises:
        InputError: If its first bytes are those of no text in UTF-8, or it is compressed and can't be unpacked.
    """
    with file.as_input(), file.open() as opened:
        if content := other_content(opened.peek(_LONGEST_BEGINNING)):
            raise InputError(f"{file.name} is {content}.")
        with io.TextIOWrapper(opened, encoding="utf-8-sig", errors="surrogateescape", newline="") as text:
            while line := text.readline(LONGEST_LINE + 1):
                yield line
                while len(line) > LONGEST_LINE and line[-1] not in "\r\n":
                    line = text.readline(LONGEST_LINE + 1)


def other_content(beginning: bytes) -> str | None:
    """What a file is, and what to do about it, that begins as no text in UTF-8 does; None of what may be one."""
    found = (content for pattern, content in _OTHER_CONTENT.items() if re.match(pattern, beginning, re.DOTALL))
    return next(found, None)


def unreadable(text: str) -> str | None:
    """What was expected in the place of a text that is no UTF-8 or has a NUL byte; None of any other text."""
    # Neither surrogates nor NUL are printable, and this runs in C: most posts need no look at each character.
    if text.isprintable():
        return None
    if any("\ud800" <= character <= "\udfff" for character in text):
        return "expected UTF-8 text"
    return "expected text without NUL bytes" if "\0" in text else None
