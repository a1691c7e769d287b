"""Outputs appear whole or not at all: they are written under a temporary name and moved into place.

The temporary file or folder stands beside the output as `.empathy-{random}.{name}`, and the run that writes it holds a
lock on it (`flock`). A lock ends with its process, however that ends: who can take it knows that the run is dead, and
clears what it left. That holds between containers that share a disk too, where process numbers say nothing.
"""

from __future__ import annotations

import errno
import os
import re
import secrets
import shutil
import stat
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from types import ModuleType

from ..errors import InputError


fcntl: ModuleType | None
try:
    import fcntl
except ImportError:  # on Windows, where what a killed run leaves is not cleared
    fcntl = None

# A full disk, a used-up quota, and a limit on the size of files.
_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
_LONGEST_NAME = 255  # bytes, of nearly every file system


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
    before the work and not after it. A link is followed, and a file that is replaced leaves its mode to the new one.

    Raises:
        InputError: If a device or a pipe stands at `path`.
        OSError: If a folder does, or the file can't be written; it speaks of `path`.
    """
    check_replaceable(path)
    with _moved_into_place(path, Path.touch) as temporary:
        yield temporary


@contextmanager
def whole_folder(path: Path) -> Iterator[Path]:
    """As [`whole_file`] for a folder.

    Raises:
        InputError: If something stands at `path` already, be it an empty file, or an empty folder that can't be
            replaced.
    """
    # An empty folder is let pass: `os.replace` puts a folder in its place.
    if path.exists() and not (path.is_dir() and not any(path.iterdir())):
        raise InputError(f"{path} exists already: remove it, or name another folder.")
    # A disk can't be replaced, and who stands in a folder would be left in one that is gone.
    if path.exists() and (os.path.ismount(path) or path.samefile(Path.cwd())):
        raise InputError(f"{path} is where a disk is mounted or where you are: name a folder in it.")
    with _moved_into_place(path, Path.mkdir) as temporary:
        yield temporary
        # safetensors writes for its owner alone, whatever the umask says.
        give_usual_mode(temporary.rglob("*"))


def check_replaceable(path: Path) -> None:
    """Raises an error if something stands at `path` that no file can take the place of.

    Raises:
        InputError: If a device or a pipe does.
        OSError: If a folder does.
    """
    if path.is_dir():
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(path))
    if path.exists() and not path.is_file():
        raise InputError(f"{path} is a device or a pipe, which can't be replaced by a whole file: name a file.")


def check_apart(input_path: Path, output_path: Path) -> None:
    """Raises an `InputError` if an output would take the place of its own input, or of a file in an input folder."""
    if _is_same(input_path, output_path):
        raise InputError(f"{output_path} is the input: name another output.")
    folder = Path(os.path.realpath(output_path)).parent
    if input_path.is_dir() and output_path.is_file() and _is_same(input_path, folder):
        raise InputError(f"{output_path} is part of the input {input_path}: name another output.")


def give_usual_mode(paths: Iterable[Path]) -> None:
    """Gives files the mode that a new file has, by the umask: for what a library has written for its owner alone."""
    for path in list(paths):
        if path.is_file() and not path.is_symlink():
            # The mode of a file is the only sign of the umask that another thread can't be disturbed by.
            probe = path.with_name(f".empathy-{secrets.token_hex(8)}")
            probe.touch()
            mode = probe.stat().st_mode
            probe.unlink()
            path.chmod(stat.S_IMODE(mode))


def clear_dead(folder: Path, ending: str | None = None) -> None:
    """Removes what runs that were killed have left in a folder.

    Args:
        folder: Where they wrote.
        ending: How the temporary names end; any when left out.
    """
    name = re.compile(r"\.empathy-[0-9a-f]{16}" + (r"\..*" if ending is None else re.escape(ending)))
    with suppress(OSError):  # a folder that can be written to and not read
        for entry in [entry.path for entry in os.scandir(folder) if name.fullmatch(entry.name)]:
            _remove_if_dead(Path(entry))


def _is_same(one: Path, other: Path) -> bool:
    # By the file where there is one: a hard link, or other capitals on some disks, have another path.
    if os.path.exists(one) and os.path.exists(other):
        return one.samefile(other)
    return one.resolve() == other.resolve()


@contextmanager
def _moved_into_place(path: Path, make: Callable[[Path], object]) -> Iterator[Path]:
    """A name beside `path`, at which `make` has made something; what stands there at the end becomes `path`."""
    # A link stays, and leads to the new file.
    target = Path(os.path.realpath(path))
    # Beside it, because a move is whole on one file system alone.
    temporary = target.with_name(f".empathy-{secrets.token_hex(8)}{_ending(target)}")
    made_folders: list[Path] = []
    descriptor = None
    try:
        _make_folder(target.parent, made_folders)
        clear_dead(target.parent, _ending(target))
        descriptor = _made_and_locked(temporary, make)
        # Before a text is written: what was for its owner's eyes stays so.
        mode = stat.S_IMODE((target if target.exists() else temporary).stat().st_mode)
        temporary.chmod(mode)
        yield temporary
        temporary.chmod(mode)
        os.replace(temporary, target)
    except Exception as error:
        of_disk = _error_of_disk(error, temporary, path)
        if of_disk is not None:
            raise of_disk from None
        raise
    finally:
        if descriptor is not None:
            os.close(descriptor)
        _remove(temporary)
        for folder in reversed(made_folders):
            with suppress(OSError):  # it is not empty: as it shall be
                folder.rmdir()


def _ending(target: Path) -> str:
    """How the temporary names of an output end: with its own, because libraries choose a format by the ending."""
    room = _LONGEST_NAME - len(".empathy-") - 16 - len(".")
    name = os.fsencode(target.name)
    return f".{target.name if len(name) <= room else name[-room:].decode(errors='ignore')}"


def _make_folder(folder: Path, made: list[Path]) -> None:
    """Makes a folder and those above it; `made` gets those that were not there."""
    if folder.is_dir():
        return
    if not folder.exists():
        _make_folder(folder.parent, made)
    with suppress(FileExistsError):  # another run's, or a file, which the next step names
        folder.mkdir()
        made.append(folder)


def _made_and_locked(temporary: Path, make: Callable[[Path], object]) -> int:
    """Makes something and locks it for the life of the descriptor that is returned."""
    while True:
        make(temporary)
        with suppress(FileNotFoundError):
            descriptor = os.open(temporary, os.O_RDONLY)
            with suppress(OSError):  # a disk that knows no locks: there nothing is taken for dead either
                if fcntl is not None:
                    fcntl.flock(descriptor, fcntl.LOCK_EX)
            if temporary.exists():
                return descriptor
            os.close(descriptor)
        # Another run took it for dead in the moment before it was locked.


def _remove_if_dead(temporary: Path) -> None:
    if fcntl is None:
        return
    # What fails here has just been moved into place, is another user's, is locked, or on a disk that knows no locks.
    with suppress(OSError):
        descriptor = os.open(temporary, os.O_RDONLY | os.O_NOFOLLOW)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            _remove(temporary)
        finally:
            os.close(descriptor)


def _remove(path: Path) -> None:
    with suppress(OSError):  # a read-only disk refuses this too, and its first error says more
        if path.is_dir():
            shutil.rmtree(path, ignore_errors=True)
        else:
            path.unlink(missing_ok=True)


def _error_of_disk(error: Exception, temporary: Path, path: Path) -> OSError | None:
    """An error about the temporary name, which means nothing to a user, or about a full disk, as one about `path`."""
    if not isinstance(error, OSError):
        # safetensors and tokenizers say it in their text alone.
        numbers = [number for number in _FULL if os.strerror(number) in str(error)]
        return OSError(numbers[0], os.strerror(numbers[0]), str(path)) if numbers else None
    name = error.filename if isinstance(error.filename, str) else ""
    if name.startswith(str(temporary)):
        return OSError(error.errno, error.strerror, f"{path}{name.removeprefix(str(temporary))}")
    # A full disk often comes without a name, and pyarrow's with more text than its number says.
    if error.errno in _FULL:
        return OSError(error.errno, os.strerror(error.errno), str(path))
    return None
