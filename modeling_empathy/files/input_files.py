"""Files as they are named: on this machine or behind a URL, one by one, a folder or a pattern, compressed or not."""

from __future__ import annotations

import bz2
import gzip
import hashlib
import io
import json
import lzma
import sys
import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path, PurePosixPath
from typing import Any

import fsspec
from fsspec.core import url_to_fs

from ..errors import InputError, first_line
from .zstd_stream import ZSTD_ERRORS, open_zstd


STDIN = Path("-")

# Ending to the format that it names.
FORMATS = {
    ".csv": "csv",
    ".tsv": "tsv",
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
    ".parquet": "parquet",
    ".arrow": "arrow",
    ".xlsx": "excel",
}
# Ending to what unpacks. Those of the standard library tell when a file is cut short.
_UNPACKERS: Mapping[str, Callable[[Any], Any]] = {
    ".gz": gzip.open,
    ".bz2": bz2.open,
    ".xz": lzma.open,
    ".zst": open_zstd,
}
COMPRESSED = tuple(_UNPACKERS)
# What says that a compressed file is damaged, or ends in the middle.
_DAMAGED: tuple[type[Exception], ...] = (EOFError, zlib.error, lzma.LZMAError, OSError, *ZSTD_ERRORS)
# A data set that `datasets` saved says in these which files it is made of.
_DATASET_STATE, _DATASET_DICT = "state.json", "dataset_dict.json"
_EXAMPLE = "pairs.csv, pairs.jsonl.gz, a folder of them, 'answers/*.parquet' or s3://bucket/answers"


@dataclass(frozen=True)
class InputFile:
    """A file that rows are read from.

    Attributes:
        path: Its path on this machine, or its URL, as fsspec opens it.
        name: What errors call it.
        file_format: Of what it holds once it is unpacked.
    """

    path: str
    name: str
    file_format: str

    @classmethod
    def at(cls, path: Path, file_format: str | None = None) -> InputFile:
        """The file at a path of this machine, or standard input.

        Raises:
            InputError: If there is none, or neither `file_format` nor its ending says what it holds.
        """
        file_format = format_of(path, file_format)
        if path == STDIN:
            return cls(str(path), "standard input", file_format)
        if not path.is_file():
            raise InputError(f"{path} is not a file.")
        return cls(str(path), path.name, file_format)

    @property
    def is_stdin(self) -> bool:
        """Whether it is what the process is fed with."""
        return self.path == str(STDIN)

    @cached_property
    def unpacker(self) -> Callable[[Any], Any] | None:
        """What unpacks it; None of a file that is not compressed, by its ending."""
        return None if self.is_stdin else _UNPACKERS.get(PurePosixPath(self.path).suffix.lower())

    def open(self) -> io.BufferedReader:
        """Opens it unpacked, from its beginning.

        Raises:
            OSError: If it is gone, or may not be read.
        """
        if self.is_stdin:
            # By its number: `sys.stdin` decodes as the machine is set up, and translates line endings.
            return open(sys.stdin.fileno(), "rb", closefd=False)
        packed = self._opened()
        if self.unpacker is None:
            return packed if isinstance(packed, io.BufferedReader) else io.BufferedReader(packed)
        unpacked: Any = self.unpacker(packed)
        unpacked.packed = packed  # closed when this is let go
        return io.BufferedReader(unpacked)

    def size(self) -> int:
        """Its bytes, as they are stored."""
        filesystem, path = url_to_fs(self.path)
        return int(filesystem.size(path))

    def sha256(self) -> str:
        """Of its bytes, as they are stored."""
        with self._opened() as file:
            return hashlib.file_digest(file, "sha256").hexdigest()

    def _opened(self) -> Any:
        if "://" not in self.path:
            return open(self.path, "rb")
        return fsspec.open(self.path, "rb").open()

    @contextmanager
    def as_input(self) -> Iterator[None]:
        """Says of a damaged compressed file that it is one.

        Raises:
            InputError: In place of what the libraries raise that unpack.
        """
        try:
            yield
        except _DAMAGED as error:
            # gzip's and bzip2's are without a number, which those of the disk have.
            if isinstance(error, OSError) and error.errno is not None:
                raise
            raise InputError(
                f"{self.name} can't be unpacked to its end: it is cut short or damaged ({first_line(error)})."
            ) from None


def format_of(path: Path, given: str | None = None, formats: Mapping[str, str] | None = None) -> str:
    """The format of a file: the one that was given, or the one its ending names, an ending of compression aside.

    Args:
        path: The file.
        given: A format, whatever the ending says.
        formats: Ending to format; `FORMATS` when left out.

    Raises:
        InputError: If there is neither.
    """
    known = FORMATS if formats is None else formats
    file_format = given or known.get(_ending(path.name))
    if file_format is None:
        raise InputError(f"{path}: the ending {path.suffix!r} names no format; use one of {', '.join(known)}.")
    return file_format


def find_files(named: Sequence[str], file_format: str | None = None) -> list[InputFile]:
    """The files that somebody means, in the order in which they are named, those of a folder sorted.

    Args:
        named: Files, folders and patterns (`answers/*.csv`), on this machine or as URLs of fsspec (`s3://`, `hf://`);
            a folder that `datasets` saved; `-` for standard input, alone. Of a folder, files whose names begin with
            a dot or an underscore are left out, and those in such folders.
        file_format: Of all of them, whatever their endings say.

    Raises:
        InputError: If there is nothing of the name, or nothing that can be read.
    """
    if str(STDIN) in named:
        if len(named) > 1:
            raise InputError("Standard input is read alone: leave out '-', or the other inputs.")
        return [InputFile.at(STDIN, file_format or "csv")]
    files = [file for name in named for file in _files_of(name, file_format)]
    seen: set[str] = set()
    for file in files:
        if file.path in seen:
            raise InputError(f"{file.name} is named more than once: each file is read once.")
        seen.add(file.path)
    return files


def is_pattern(name: str) -> bool:
    """Whether a name may stand for several files."""
    return any(character in name for character in "*?[")


def _files_of(name: str, file_format: str | None) -> list[InputFile]:
    try:
        filesystem, path = url_to_fs(name)
    except (ImportError, ValueError) as error:
        # fsspec says which package a protocol wants.
        raise InputError(f"{name}: {first_line(error)}") from None
    is_local = "://" not in name

    def of(found: str, shown: str, known: str | None = None) -> InputFile:
        url = found if is_local else filesystem.unstrip_protocol(found)
        return InputFile(url, shown, known or format_of(Path(found), file_format))

    if filesystem.isfile(path):
        return [of(name if is_local else path, PurePosixPath(path).name)]
    if filesystem.isdir(path):
        if saved := _saved_dataset(filesystem, path):
            return [of(found, shown, "arrow") for found, shown in saved]
        found = sorted(filesystem.find(path))
        where, base = f"in the folder {name}", path
    elif is_pattern(name):
        found = sorted(entry for entry in filesystem.glob(path) if filesystem.isfile(entry))
        where, base = f"that {name} stands for", _folder_of_pattern(path)
    else:
        raise InputError(f"{name} is not a file, a folder or a pattern; what would be: {_EXAMPLE}.")
    relative = {entry: PurePosixPath(entry).relative_to(base).as_posix() for entry in found}
    shown = {entry: short for entry, short in relative.items() if not _is_hidden(short)}
    usable = [entry for entry in shown if file_format or _ending(entry) in FORMATS]
    if not usable:
        others = ", ".join(list(shown.values())[:5])
        raise InputError(
            f"There is nothing to read {where}"
            + (f": {others}{' …' if len(shown) > 5 else ''}; " if others else "; ")
            + f"what would be read: {', '.join(FORMATS)}, also with {', '.join(COMPRESSED)} behind it."
        )
    return [of(entry, shown[entry]) for entry in usable]


def _saved_dataset(filesystem: Any, path: str) -> list[tuple[str, str]]:
    """The files of a folder that `Dataset.save_to_disk` or `DatasetDict.save_to_disk` made; none of any other."""

    def load(name: str) -> dict[str, Any]:
        loaded = json.loads(filesystem.cat_file(f"{path}/{name}"))
        return loaded if isinstance(loaded, dict) else {}

    if filesystem.isfile(f"{path}/{_DATASET_DICT}"):
        splits = load(_DATASET_DICT).get("splits", [])
        return [
            (found, f"{split}/{shown}")
            for split in splits
            for found, shown in _saved_dataset(filesystem, f"{path}/{split}")
        ]
    if not filesystem.isfile(f"{path}/{_DATASET_STATE}"):
        return []
    names = [entry["filename"] for entry in load(_DATASET_STATE).get("_data_files", [])]
    return [(f"{path}/{name}", name) for name in names]


def _folder_of_pattern(path: str) -> str:
    parts = PurePosixPath(path).parts
    plain = next(at for at, part in enumerate(parts) if is_pattern(part))
    return str(PurePosixPath(*parts[:plain])) if plain else ""


def _is_hidden(relative: str) -> bool:
    return any(part.startswith((".", "_")) for part in PurePosixPath(relative).parts)


def _ending(name: str) -> str:
    """The ending that names a format: the last one, or the last but one of what is compressed."""
    path = PurePosixPath(name)
    if path.suffix.lower() in COMPRESSED:
        path = path.with_suffix("")
    return path.suffix.lower()
