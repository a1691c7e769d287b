"""Scored pairs, written as CSV, JSON lines or Parquet."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from ..model.mechanisms import ABBREVIATIONS
from .input_pairs import InputPair


class ScoreWriter:
    """Writes scored pairs: `id`, the posts, and `{ER,IP,EX}_label` and `{ER,IP,EX}_rationale` of each mechanism.

    A label is the level (0, 1, 2). A rationale is a list: of `{start, end, text, score}` with offsets into the
    response, or of 0 and 1 for each token. In a CSV cell it stands as JSON.

    Args:
        path: The file.
        file_format: `"csv"`, `"jsonl"` or `"parquet"`.
        mechanisms: Whose columns are written, in this order.
        rationale_format: `"spans"` or `"mask"`.
    """

    def __init__(self, path: Path, file_format: str, mechanisms: Sequence[str], rationale_format: str) -> None:
        self._key = "rationales" if rationale_format == "spans" else "token_mask"
        self._mechanisms = {mechanism: ABBREVIATIONS[mechanism] for mechanism in mechanisms}
        self._stack = ExitStack()
        codes = list(self._mechanisms.values())
        columns = [*InputPair._fields, *(f"{code}_label" for code in codes), *(f"{code}_rationale" for code in codes)]
        self._write = {"csv": self._to_csv, "jsonl": self._to_jsonl, "parquet": self._to_parquet}[file_format](
            path, columns, rationale_format
        )

    def write(self, scored: Iterable[tuple[InputPair, Mapping[str, Any]]]) -> None:
        """Writes pairs with their results, as `EmpathyPipeline` gives them."""
        rows = []
        for pair, result in scored:
            row: dict[str, Any] = pair._asdict()
            for mechanism, code in self._mechanisms.items():
                row[f"{code}_label"] = result[mechanism]["level"]
                row[f"{code}_rationale"] = [
                    one | {"score": round(one["score"], 6)} if self._key == "rationales" else one
                    for one in result[mechanism][self._key]
                ]
            rows.append(row)
        self._write(rows)

    def close(self) -> None:
        """Ends the file."""
        self._stack.close()

    def _to_csv(self, path: Path, columns: list[str], rationale_format: str) -> Callable[[list[dict[str, Any]]], None]:
        writer = csv.writer(self._stack.enter_context(path.open("w", newline="", encoding="utf-8")))
        writer.writerow(columns)

        def cell(value: Any) -> Any:
            return json.dumps(value, ensure_ascii=False) if isinstance(value, list) else value

        return lambda rows: writer.writerows([cell(row[column]) for column in columns] for row in rows)

    def _to_jsonl(
        self, path: Path, columns: list[str], rationale_format: str
    ) -> Callable[[list[dict[str, Any]]], None]:
        file = self._stack.enter_context(path.open("w", encoding="utf-8"))
        return lambda rows: file.writelines(
            json.dumps({column: row[column] for column in columns}, ensure_ascii=False) + "\n" for row in rows
        )

    def _to_parquet(
        self, path: Path, columns: list[str], rationale_format: str
    ) -> Callable[[list[dict[str, Any]]], None]:
        span = pa.struct({"start": pa.int32(), "end": pa.int32(), "text": pa.string(), "score": pa.float32()})
        types = {"label": pa.int8(), "rationale": pa.list_(span if rationale_format == "spans" else pa.int8())}
        schema = pa.schema(
            [(column, types.get(column.rpartition("_")[2], pa.string())) for column in columns],
        )
        writer = self._stack.enter_context(pq.ParquetWriter(path, schema))
        return lambda rows: writer.write_table(pa.Table.from_pylist(rows, schema=schema))
