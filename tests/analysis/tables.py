"""Scored rows for tests: as a file, and as the table that the sections of an analysis are made of."""

import json
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from modeling_empathy.analysis.scored_rows import AnalysisColumns, ReadSummary, write_scored_rows
from modeling_empathy.analysis.scored_table import ScoredTable, scored_table
from modeling_empathy.files.data_base import data_base
from modeling_empathy.files.input_files import find_files


DAY = 86400
# Of what has no other date.
BEGIN = 1_500_000_000


def row(number: int, responder: Any = "r", level: Any = 1, day: float = 0, **more: Any) -> dict[str, Any]:
    """A scored row."""
    made = {"id": f"p{number}", "responder_id": responder, "created_at": BEGIN + day * DAY, "EX_label": level}
    return made | {"response_post": "I am sorry. Why?"} | more


def write_rows(path: Path, rows: Sequence[Mapping[str, Any]]) -> Path:
    """JSON lines."""
    path.write_text("".join(json.dumps(one) + "\n" for one in rows))
    return path


def read(
    rows: Sequence[Mapping[str, Any]], columns: AnalysisColumns | None = None, **options: Any
) -> tuple[ReadSummary, list[dict[str, Any]]]:
    """What is read of rows: the summary, and what is written."""
    import pyarrow.parquet as pq

    with tempfile.TemporaryDirectory() as folder:
        source = write_rows(Path(folder) / "rows.jsonl", rows)
        target = Path(folder) / "rows.parquet"
        summary = write_scored_rows(find_files([str(source)]), columns or AnalysisColumns(), target, **options)
        return summary, pq.read_table(target).to_pylist()


@contextmanager
def table_of(
    rows: Sequence[Mapping[str, Any]] | Path, columns: AnalysisColumns | None = None
) -> Iterator[ScoredTable]:
    """The table of rows, or of a file of them."""
    columns = columns or AnalysisColumns()
    with tempfile.TemporaryDirectory() as folder, data_base(Path(folder), "1GB", "analysis") as (connection, own):
        source = rows if isinstance(rows, Path) else write_rows(own / "rows.jsonl", rows)
        summary = write_scored_rows(find_files([str(source)]), columns, own / "rows.parquet")
        yield scored_table(connection, own / "rows.parquet", summary, len(columns.outcomes), len(columns.groups))
