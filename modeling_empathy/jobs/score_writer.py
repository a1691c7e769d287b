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
from ..errors import InputError
from ..model.mechanisms import ABBREVIATIONS, LEVELS
from .input_pairs import InputPair
from .kept_columns import TYPES, as_kind


_WriteRows: TypeAlias = Callable[[list[dict[str, Any]]], None]


# The formats that are written.
WRITTEN = ("csv", "jsonl", "parquet")
# Under which a Parquet file's metadata has all that is known of the models, as JSON.
MODELS_KEY = "modeling_empathy.models"
_PAIR = ("id", "seeker_post", "response_post")
# What is behind the sixth place is noise: it differs with the batch that a pair was in.
_PLACES = 6


class ScoreWriter:
    """Writes scored pairs.

    The columns: `id`, the posts, `{ER,IP,EX}_label` and `{ER,IP,EX}_rationale` of each mechanism; for each mechanism
    the probabilities of its levels, `ER_probability_0` to `ER_probability_2`, and `ER_expected`, their mean level; the
    kept columns; `model`.

    A label is the level (0, 1, 2). A rationale is a list: of `{start, end, text, score}` with offsets into the
    response, or of 0 and 1 for each token. In a CSV cell it stands as JSON. The model is a name and the first digits
    of the hash of its weights; a Parquet file's metadata has all of them under `MODELS_KEY`.

    Args:
        path: The file.
        file_format: `"csv"`, `"jsonl"` or `"parquet"`.
        mechanisms: Whose columns are written, in this order.
        rationale_format: `"spans"` or `"mask"`.
        models: What scores. The column is empty where none is known, as of a model that was never saved.
        kept: Kept column to the kind of its values, as of [`~modeling_empathy.jobs.kept_columns.KeptColumns`].

    Raises:
        InputError: If a kept column is called as one of these.
    """

    def __init__(
        self,
        path: Path,
        file_format: str,
        mechanisms: Sequence[str],
        rationale_format: str,
        models: Sequence[ModelIdentity] = (),
        kept: Mapping[str, str] | None = None,
    ) -> None:
        self._key = "rationales" if rationale_format == "spans" else "token_mask"
        self._mechanisms = {mechanism: ABBREVIATIONS[mechanism] for mechanism in mechanisms}
        self._kept = dict(kept or {})
        self._stack = ExitStack()
        # In every row, because a CSV has no other place and rows of several files get joined.
        self._models, self._model = models, joined_label(models) if models else None
        self._columns = columns_of(list(self._mechanisms.values()), self._kept)
        open_file = {"csv": self._to_csv, "jsonl": self._to_jsonl, "parquet": self._to_parquet}[file_format]
        self._write = open_file(path)

    def write(self, scored: Iterable[tuple[InputPair, Mapping[str, Any]]]) -> None:
        """Writes pairs with their results, as `EmpathyPipeline` gives them with all scores."""
        self._write([self._row(pair, result) for pair, result in scored])

    def close(self) -> None:
        """Ends the file."""
        self._stack.close()

    def _row(self, pair: InputPair, result: Mapping[str, Any]) -> dict[str, Any]:
        row: dict[str, Any] = dict(zip(_PAIR, pair, strict=False))
        row["model"] = self._model
        for column, kind in self._kept.items():
            row[column] = as_kind(pair.kept.get(column), kind)
        for mechanism, code in self._mechanisms.items():
            of_mechanism = result[mechanism]
            row[f"{code}_label"] = of_mechanism["level"]
            rationale = of_mechanism[self._key]
            if self._key == "rationales":
                rationale = [span | {"score": round(span["score"], _PLACES)} for span in rationale]
            row[f"{code}_rationale"] = rationale
            probabilities = [round(probability, _PLACES) for probability in of_mechanism["scores"].values()]
            for level, probability in enumerate(probabilities):
                row[f"{code}_probability_{level}"] = probability
            expected = sum(level * probability for level, probability in enumerate(probabilities))
            row[f"{code}_expected"] = round(expected, _PLACES)
        return row

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
        # Named and not inferred: a first chunk without a rationale would give a column of nothing.
        schema = pa.schema([(column, self._type(column)) for column in self._columns])
        known = json.dumps([model._asdict() for model in self._models], ensure_ascii=False)
        schema = schema.with_metadata({MODELS_KEY: known})
        writer = self._stack.enter_context(pq.ParquetWriter(path, schema))
        # By column, which takes half the time that a table from rows does.
        return lambda rows: writer.write_table(
            pa.table([pa.array([row[field.name] for row in rows], field.type) for field in schema], schema=schema)
        )

    def _type(self, column: str) -> pa.DataType:
        if column in self._kept:
            return TYPES[self._kept[column]]
        code, _, part = column.partition("_")
        if code not in self._mechanisms.values():
            return pa.string()
        if part == "label":
            return pa.int8()
        if part == "rationale":
            span = pa.struct({"start": pa.int32(), "end": pa.int32(), "text": pa.string(), "score": pa.float32()})
            return pa.list_(span if self._key == "rationales" else pa.int8())
        return pa.float32()


def columns_of(codes: Sequence[str], kept: Iterable[str]) -> list[str]:
    """The columns of an output, in their order.

    Args:
        codes: Of the mechanisms.
        kept: The kept columns.

    Raises:
        InputError: If a kept column is called as another one.
    """
    # The original's names and order: all labels, then all rationales. Behind them what it does not have.
    scores = [f"{code}_{part}" for part in ("label", "rationale") for code in codes]
    parts = [*(f"probability_{level}" for level in range(len(LEVELS))), "expected"]
    scores += [f"{code}_{part}" for code in codes for part in parts]
    if taken := [column for column in kept if column in (*_PAIR, *scores, "model")]:
        raise InputError(
            f"The column {', '.join(map(repr, taken))} can't be kept: the output has its own of that name."
        )
    return [*_PAIR, *scores, *kept, "model"]
