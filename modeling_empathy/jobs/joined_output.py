"""Makes one file of shards."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path

import pyarrow.parquet as pq

from ..files.whole_files import whole_file


def join_shards(shards: Sequence[Path], output_path: Path, file_format: str) -> None:
    """Writes shards one behind the other, in constant memory; the file appears whole or not at all.

    Args:
        shards: Files of [`~modeling_empathy.jobs.score_writer.ScoreWriter`] of the same columns.
        output_path: The file.
        file_format: Of all of them.
    """
    with whole_file(output_path) as temporary:
        if file_format == "parquet":
            _join_parquet(shards, temporary)
        else:
            _join_lines(shards, temporary, has_header=file_format == "csv")


def join_lines(files: Sequence[Path], output_path: Path) -> None:
    """Writes files of lines one behind the other."""
    with whole_file(output_path) as temporary:
        _join_lines(files, temporary, has_header=False)


def _join_lines(files: Sequence[Path], temporary: Path, has_header: bool) -> None:
    with temporary.open("wb") as joined:
        for number, path in enumerate(files):
            with path.open("rb") as file:
                if has_header and number:
                    file.readline()  # the columns' names have no line breaks: those that are kept are checked for it
                shutil.copyfileobj(file, joined, 2**20)


def _join_parquet(shards: Sequence[Path], temporary: Path) -> None:
    with ExitStack() as stack:
        writer = None
        for path in shards:
            with pq.ParquetFile(path) as shard:
                if writer is None:
                    writer = stack.enter_context(pq.ParquetWriter(temporary, shard.schema_arrow))
                for group in range(shard.num_row_groups):
                    writer.write_table(shard.read_row_group(group))
