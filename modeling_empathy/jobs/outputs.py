"""Where a run writes: a folder of shards, or a file, whose shards are in a hidden folder until it is whole."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from ..errors import InputError
from ..files.input_files import COMPRESSED, InputFile, format_of
from ..files.whole_files import check_apart, check_replaceable
from .joined_output import join_lines, join_shards
from .output_folder import OutputFolder, ShardSummary, part_name
from .score_writer import WRITTEN


_ENDINGS = {f".{file_format}": file_format for file_format in WRITTEN} | {".ndjson": "jsonl"}
# Bytes: of the 255 that most file systems allow, what is left beside the ending.
_LONGEST_SHOWN = 240
# Of what is read and not written: a folder of such a name would hardly be what was meant.
_NOT_WRITTEN = (".tsv", ".xlsx", ".arrow", ".txt", ".json", *COMPRESSED)


class RunOutput:
    """An output.

    Args:
        path: A file with the ending of a format that is written; without an ending, a folder, also behind a URL.

    Raises:
        InputError: If nothing is written in the format that an ending names.
    """

    def __init__(self, path: str) -> None:
        self.path = path
        ending = Path(path).suffix.lower()
        if ending in _NOT_WRITTEN:
            format_of(Path(path), formats=_ENDINGS)
        self.is_folder = ending not in _ENDINGS
        self.file_format = _ENDINGS.get(ending, "parquet")
        if self.is_folder:
            self.folder = OutputFolder(path)
            return
        if "://" in path:
            raise InputError(f"{path}: one file is written on this machine alone; behind a URL, name a folder.")
        self._file = Path(path)
        self._errors = self._file.with_name(f"{self._file.name}.errors.jsonl")
        self.folder = OutputFolder(str(self._file.with_name(_hidden(self._file.name))))

    def check(self, inputs: Sequence[InputFile]) -> None:
        """Refuses an output that can't be written, or would take the place of an input.

        Raises:
            InputError: Names it.
            OSError: If a folder stands where a file is to be, or the other way round.
        """
        written = [Path(self.path)] if self.is_folder else [self._file, self._errors]
        for path in written if self.folder.is_local else []:
            for file in inputs:
                if "://" not in file.path:
                    check_apart(Path(file.path), path)
        if not self.is_folder:
            check_replaceable(self._file)
        elif Path(self.path).is_file():
            raise InputError(f"{self.path} is a file: name a folder, or a file that ends in {', '.join(_ENDINGS)}.")

    @contextmanager
    def as_named(self) -> Iterator[None]:
        """Has errors of the disk speak of the output and not of what is beside it."""
        try:
            yield
        except OSError as error:
            if self.is_folder or not str(error.filename or "").startswith((self.folder.path, self.folder.root)):
                raise
            raise OSError(error.errno, error.strerror, self.path) from None

    def finish(self, done: dict[int, ShardSummary]) -> Path | None:
        """Makes one file of the shards, where one is asked for; lists what could not be used beside it.

        Returns:
            Where the rows that could not be used are listed, if there are any.
        """
        rejected = [number for number in sorted(done) if done[number].skipped]
        if self.is_folder:
            return Path(self.path, "_errors") if rejected else None
        join_shards(
            [Path(self.folder.part(number, self.file_format)) for number in sorted(done)], self._file, self.file_format
        )
        if rejected:
            join_lines(
                [Path(self.folder.path, "_errors", f"{part_name(number)}.jsonl") for number in rejected], self._errors
            )
        # By `os.path`, for which a name that is too long for the disk is that of no file, and no error.
        elif os.path.isfile(self._errors):
            # An earlier run's, which would speak of rows that are gone.
            self._errors.unlink()
        self.folder.remove()
        return self._errors if rejected else None


def _hidden(name: str) -> str:
    """The folder of the shards of a file, with its name in it as far as names may be long."""
    encoded = os.fsencode(name)
    if len(encoded) > _LONGEST_SHOWN:
        name = hashlib.sha256(encoded).hexdigest()
    return f".{name}.shards"
