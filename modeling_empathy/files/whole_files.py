"""Outputs appear whole or not at all: they are written under a temporary name and moved into place."""

from __future__ import annotations

import errno
import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from ..errors import InputError


# A full disk and a used-up quota.
_FULL = (errno.ENOSPC, errno.EDQUOT)


def write_whole(path: Path, write: Callable[[Path], object]) -> Path:
    """Calls `write` with a temporary path beside `path`, then moves the file into place.

    Args:
        path: Where the file shall be; its folder is made.
        write: Writes the file to the path it is given. If it raises, nothing is left behind.

    Returns:
        `path`.
    """
    with whole_file(path) as temporary:
        write(temporary)
    return path


@contextmanager
def whole_file(path: Path) -> Iterator[Path]:
    """Gives a temporary path beside `path` and moves the file into place once the block has ended without an error.

    An empty file stands at the temporary path from the beginning, so that a folder that can't be written to shows
    before the work and not after it.
    """
    with _moved_into_place(path) as temporary:
        temporary.touch()
        yield temporary


@contextmanager
def whole_folder(path: Path) -> Iterator[Path]:
    """As [`whole_file`] for a folder.

    Raises:
        InputError: If something stands at `path` already, be it an empty file.
    """
    # An empty folder is let pass: `os.replace` puts a folder in its place.
    if path.exists() and not (path.is_dir() and not any(path.iterdir())):
        raise InputError(f"{path} exists already: remove it, or name another folder.")
    with _moved_into_place(path) as temporary:
        temporary.mkdir()
        yield temporary


def check_apart(input_path: Path, output_path: Path) -> None:
    """Raises an `InputError` if an output would take the place of its own input."""
    if input_path.resolve() == output_path.resolve():
        raise InputError(f"{output_path} is the input: name another output.")


@contextmanager
def _moved_into_place(path: Path) -> Iterator[Path]:
    """A name beside `path`; what stands there at the end becomes `path`. Errors of the disk speak of `path`."""
    # Beside `path`, because a move is whole on one file system alone; with the process in it, so that two that write
    # the same output do not mix. The ending stays, because libraries choose a format by it.
    temporary = path.with_name(f".{os.getpid()}.{path.name}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        yield temporary
        os.replace(temporary, path)
    except OSError as error:
        # A full disk often comes without a name, or with the temporary one, which means nothing to a user.
        if error.errno in _FULL or (error.filename is not None and Path(error.filename) == temporary):
            raise OSError(error.errno, error.strerror, str(path)) from None
        raise
    finally:
        with suppress(OSError):  # a read-only disk refuses this too, and its first error says more
            if temporary.is_dir():
                shutil.rmtree(temporary, ignore_errors=True)
            else:
                temporary.unlink(missing_ok=True)
