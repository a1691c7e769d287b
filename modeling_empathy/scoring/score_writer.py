"""Scored pairs, written as CSV, JSON lines or Parquet."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any, TypeAlias

import pyarrow as pa
import pyarrow.parquet as pq

from ..checkpoints.identity import ModelIdentity, joined_label
from ..model.mechanisms import ABBREVIATIONS
from .input_pairs import InputPair


_WriteRows: TypeAlias = Callable[[list[dict[str, Any]]], None]


# The formats that are written.
WRITTEN = ("csv", "jsonl", "parquet")
# Under which a Parquet file's metadata has all that is known of the models, as JSON.
MODELS_KEY = "modeling_empathy.models"


class ScoreWriter:
    """Writes scored pairs: `id`, the posts, `{ER,IP,EX}_label` and `{ER,IP,EX}_rationale` of each mechanism, `model`.

    A label is the level (0, 1, 2). A rationale is a list: of `{start, end, text, score}` with offsets into the
    response, or of 0 and 1 for each token. In a CSV cell it stands as JSON. The model is a name and the first digits
    of the hash of its weights; a Parquet file's metadata has all of them under `MODELS_KEY`.

    Args:
        path: The file.
        file_format: `"csv"`, `"jsonl"` or `"parquet"`.
        mechanisms: Whose columns are written, in this order.
        rationale_format: `"spans"` or `"mask"`.
        models: What scores. The column is empty where none is known, as of a model that was never saved.
    """

    def __init__(
        self,
        path: Path,
        file_format: str,
        mechanisms: Sequence[str],
        rationale_format: str,
        models: Sequence[ModelIdentity] = (),
    ) -> None:
        self._key = "rationales" if rationale_format == "spans" else "token_mask"
        self._mechanisms = {mechanism: ABBREVIATIONS[mechanism] for mechanism in mechanisms}
        self._stack = ExitStack()
        codes = self._mechanisms.values()
        # In every row, because a CSV has no other place and rows of several files get joined.
        self._models, self._model = models, joined_label(models) if models else None
        # The original's names and order: all labels, then all rationales. Behind them what it does not have.
        by_mechanism = (f"{code}_{part}" for part in ("label", "rationale") for code in codes)
        self._columns = [*InputPair._fields, *by_mechanism, "model"]
        open_file = {"csv": self._to_csv, "jsonl": self._to_jsonl, "parquet": self._to_parquet}[file_format]
        self._write = open_file(path)

    def write(self, scored: Iterable[tuple[InputPair, Mapping[str, Any]]]) -> None:
        """Writes pairs with their results, as `EmpathyPipeline` gives them."""
        rows = []
        for pair, result in scored:
            row: dict[str, Any] = {**pair._asdict(), "model": self._model}
            for mechanism, code in self._mechanisms.items():
                row[f"{code}_label"] = result[mechanism]["level"]
                rationale = result[mechanism][self._key]
                if self._key == "rationales":
                    # What is behind the sixth place is noise: it differs with the batch that a pair was in.
                    rationale = [span | {"score": round(span["score"], 6)} for span in rationale]
                row[f"{code}_rationale"] = rationale
            rows.append(row)
        self._write(rows)

    def close(self) -> None:
        """Ends the file."""
        self._stack.close()

    def _to_csv(self, path: Path) -> _WriteRows:
        # newline="", or the line breaks within posts would be changed.
        writer = csv.writer(self._stack.enter_context(path.open("w", newline="", encoding="utf-8")))
        writer.writerow(self._columns)

        def cell(value: Any) -> Any:
            return json.dumps(value, ensure_ascii=False) if isinstance(value, list) else value

        return lambda rows: writer.writerows([cell(row[column]) for column in self._columns] for row in rows)

    def _to_jsonl(self, path: Path) -> _WriteRows:
        file = self._stack.enter_context(path.open("w", encoding="utf-8"))
        return lambda rows: file.writelines(
            json.dumps({column: row[column] for column in self._columns}, ensure_ascii=False) + "\n" for row in rows
        )

    def _to_parquet(self, path: Path) -> _WriteRows:
        span = pa.struct({"start": pa.int32(), "end": pa.int32(), "text": pa.string(), "score": pa.float32()})
        types = {"label": pa.int8(), "rationale": pa.list_(span if self._key == "rationales" else pa.int8())}
        # Named and not inferred: a first chunk without a rationale would give a column of nothing.
        schema = pa.schema([(column, types.get(column.rpartition("_")[2], pa.string())) for column in self._columns])
        known = json.dumps([model._asdict() for model in self._models], ensure_ascii=False)
        schema = schema.with_metadata({MODELS_KEY: known})
        writer = self._stack.enter_context(pq.ParquetWriter(path, schema))
        return lambda rows: writer.write_table(pa.Table.from_pylist(rows, schema=schema))
