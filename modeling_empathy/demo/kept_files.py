"""Removes uploads and scores once they have been kept for as long as the page says."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path


# Of how long files are kept, the part that passes between two looks.
_LOOKS = 10


@contextmanager
def removing_old_files(folder: Path, seconds: float) -> Iterator[None]:
    """Within it, files below a folder are removed that are older than so many seconds, whoever wrote them.

    gradio removes only what it knows of; an upload that nobody scored, or that ended in the middle, is a file as well.
    """
    ended = threading.Event()

    def sweep() -> None:
        while not ended.wait(seconds / _LOOKS):
            remove_older(folder, seconds)

    thread = threading.Thread(target=sweep, daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()


def remove_older(folder: Path, seconds: float) -> None:
    """Removes the files below a folder that were last written to more than so many seconds ago."""
    before = time.time() - seconds
    for path in folder.rglob("*"):
        # What is removed by somebody else meanwhile is gone as well.
        with suppress(OSError):
            if path.is_file() and path.stat().st_mtime < before:
                path.unlink()
