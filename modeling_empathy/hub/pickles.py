"""Knows a pickle, which runs code when it is loaded, by what is in a file and not by what it is called."""

from __future__ import annotations

import io
import pickletools
import re
import tarfile
import zipfile
from pathlib import Path

from ..original_names import PICKLES


_ENDINGS = (*PICKLES, ".pkl", ".pickle", ".joblib", ".ckpt")
# The opcode of a protocol and its number. Older protocols have no such start.
_STARTS = tuple(bytes((0x80, protocol)) for protocol in range(2, 6))
# Opcodes that look up or call something.
_RUNNING = {"GLOBAL", "STACK_GLOBAL", "INST", "OBJ", "NEWOBJ", "NEWOBJ_EX", "REDUCE", "BUILD", "EXT1", "EXT2", "EXT4"}
# An array of numpy whose elements are objects has them as a pickle behind its header.
_OBJECTS = re.compile(rb"\A\x93NUMPY.{2,6}\{[^}]*[|<>=]O\d*'", re.DOTALL)
# Bytes of a file or of a part of an archive that are looked at.
_WINDOW = 2**20


def is_pickle(path: Path) -> bool:
    """Whether a file is a pickle of any protocol by its name or its first bytes, or an archive that holds one.

    Archives are those of zip, as `.pth` and `.npz` are, and of tar, compressed or not.
    """
    if path.suffix in _ENDINGS:
        return True
    with path.open("rb") as file:
        if _begins_as_pickle(file.read(_WINDOW)):
            return True
    try:
        return _holds_pickle(path)
    # A damaged or encrypted archive: nobody can say what is in it.
    except (zipfile.BadZipFile, tarfile.TarError, RuntimeError, NotImplementedError, EOFError):
        return True


def _holds_pickle(path: Path) -> bool:
    if zipfile.is_zipfile(path):
        with zipfile.ZipFile(path) as archive:
            for name in archive.namelist():
                with archive.open(name) as part:
                    if name.endswith(_ENDINGS) or _begins_as_pickle(part.read(_WINDOW)):
                        return True
    elif tarfile.is_tarfile(path):
        with tarfile.open(path) as tar:
            for member in tar:
                content = tar.extractfile(member)  # None of what is no file
                if member.name.endswith(_ENDINGS) or (content and _begins_as_pickle(content.read(_WINDOW))):
                    return True
    return False


def _begins_as_pickle(start: bytes) -> bool:
    if start.startswith(_STARTS) or _OBJECTS.match(start):
        return True
    # Protocols 0 and 1 are a program from the first byte on. Few texts and no safetensors are one to its end.
    stream, opcodes = io.BytesIO(start), []
    try:
        for opcode, _, _ in pickletools.genops(stream):
            opcodes.append(opcode.name)
    except (ValueError, IndexError, OverflowError, UnicodeError):
        # A program that is longer than what was read, unless it stopped at what is no opcode.
        return len(start) == _WINDOW == stream.tell() and not _RUNNING.isdisjoint(opcodes)
    return len(opcodes) > 1
