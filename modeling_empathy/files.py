"""Outputs appear whole or not at all: they are written under a temporary name and moved into place."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path


def write_whole(path: Path, write: Callable[[Path], object]) -> Path:
    """Calls `write` with a temporary path beside `path`, then moves the file into place.

    Args:
        path: Where the file shall be; its folder is made.
        write: Writes the file to the path it is given. If it raises, nothing is left behind.

    Returns:
        `path`.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    # The ending stays, because libraries choose a format by it.
    temporary = path.with_name(f".{os.getpid()}.{path.name}")
    try:
        write(temporary)
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)
    return path
