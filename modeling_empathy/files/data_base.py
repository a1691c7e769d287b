"""A data base of DuckDB that lives on the disk as long as it is used, for what does not fit into memory."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from ..errors import InputError, check_installed, first_line


@contextmanager
def data_base(parent: Path, memory: str, extra: str) -> Iterator[tuple[Any, Path]]:
    """Gives a connection, and the folder that it lives in, which is removed at the end with all that is in it.

    Args:
        parent: Of that folder: on the disk of the output, which has room for it, where the system's may not.
        memory: That DuckDB may hold before it writes to the disk: `"1GB"`.
        extra: Of this package, that brings DuckDB.

    Raises:
        InputError: If DuckDB is not installed, or its disk is full.
    """
    check_installed("duckdb", extra)
    import duckdb

    parent.mkdir(parents=True, exist_ok=True)
    made = tempfile.TemporaryDirectory(dir=parent, prefix=".tables-")
    with made as folder, duckdb.connect(str(Path(folder) / "tables.duckdb")) as connection:
        connection.execute(f"SET memory_limit = '{memory}'")
        connection.execute(f"SET temp_directory = {quoted(folder)}")
        # The same order each time, whatever the threads do.
        connection.execute("SET preserve_insertion_order = true")
        connection.execute("SET TimeZone = 'UTC'")
        try:
            yield connection, Path(folder)
        except (duckdb.IOException, duckdb.OutOfMemoryException) as error:
            raise InputError(f"{parent}: {first_line(error)}") from None


def quoted(text: object) -> str:
    """A text or a path as SQL has it."""
    return "'" + str(text).replace("'", "''") + "'"
