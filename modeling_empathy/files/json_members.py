"""Reads the members of one large JSON object one after the other."""

from __future__ import annotations

import io
import json
import re
from collections.abc import Iterator
from typing import Any

from ..errors import InputError, shortened
from .input_files import InputFile


_CHARACTERS_AT_ONCE = 2**16
_SPACE = re.compile(r"[ \t\r\n]*")


def json_members(file: InputFile) -> Iterator[tuple[str, Any]]:
    """Key and value of each member, of which one is held at a time.

    Raises:
        InputError: If the file is no JSON object.
    """
    reader = _Reader(file)
    reader.expect("{")
    if reader.next_is("}"):
        return
    while True:
        key = reader.value()
        if not isinstance(key, str):
            raise InputError(f"{file.name} is no JSON object: expected a key, got {shortened(key)}.")
        reader.expect(":")
        yield key, reader.value()
        if reader.next_is("}"):
            return
        reader.expect(",")


class _Reader:
    """What is read of a file and not used yet."""

    def __init__(self, file: InputFile) -> None:
        self._name = file.name
        self._parts = self._read(file)
        self._text, self._at = "", 0
        self._decode = json.JSONDecoder().raw_decode

    @staticmethod
    def _read(file: InputFile) -> Iterator[str]:
        with file.as_input(), io.TextIOWrapper(file.open(), "utf-8-sig", "surrogateescape") as text:
            while part := text.read(_CHARACTERS_AT_ONCE):
                yield part

    def value(self) -> Any:
        """The next value."""
        self._skip_space()
        while True:
            try:
                value, end = self._decode(self._text, self._at)
            except ValueError as error:
                if not self._more():
                    raise self._error(str(error)) from None
                continue
            # A number may go on in what is still to be read.
            if end == len(self._text) and self._more():
                continue
            self._at = end
            return value

    def next_is(self, character: str) -> bool:
        """Whether a character is next, which is used up then."""
        self._skip_space()
        found = self._text[self._at : self._at + 1] == character
        self._at += found
        return found

    def expect(self, character: str) -> None:
        """Uses up a character that must be next."""
        if not self.next_is(character):
            raise self._error(f"expected {character!r}")

    def _skip_space(self) -> None:
        while True:
            space = _SPACE.match(self._text, self._at)
            self._at = space.end() if space else self._at
            if self._at < len(self._text) or not self._more():
                return

    def _more(self) -> bool:
        part = next(self._parts, "")
        self._text, self._at = self._text[self._at :] + part, 0
        return bool(part)

    def _error(self, problem: str) -> InputError:
        return InputError(f"{self._name} is no JSON object: {problem}, at {shortened(self._text[self._at :], 40)}.")
