"""Annotated pairs of one mechanism from one file: published CSV columns, the original's prepared ones, or Parquet."""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import datasets

from ..errors import InputError
from ..files.rows import Row, check_columns, csv_header, read_rows
from ..model.mechanisms import LEVELS
from .alignment_report import AlignmentReport, log_alignment
from .annotated_csv import read_mechanism
from .original_csv import PREPARED_COLUMNS, read_prepared_csv
from .pairs import COLUMNS, TEXTS, AnnotatedPair
from .provenance import record_provenance


if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase


def annotation_features(with_token_labels: bool = False) -> dict[str, Any]:
    """The columns that hold what was annotated for a mechanism."""
    features: dict[str, Any] = {
        "level": datasets.ClassLabel(names=list(LEVELS)),
        "rationales": [
            {"start": datasets.Value("int32"), "end": datasets.Value("int32"), "text": datasets.Value("string")}
        ],
    }
    return features | ({"rationale_labels": [datasets.Value("int8")]} if with_token_labels else {})


def rationales_in(text: str, spans: Iterable[tuple[int, int]]) -> list[dict[str, Any]]:
    """Spans as a data set holds them, in the order of the text."""
    return [{"start": start, "end": end, "text": text[start:end]} for start, end in sorted(spans)]


def row_features(with_token_labels: bool = False) -> datasets.Features:
    """The columns of a pair that is annotated for one mechanism."""
    texts = {column: datasets.Value("string") for column in TEXTS}
    return datasets.Features(texts | annotation_features(with_token_labels))


def read_annotated(path: Path, tokenizer: PreTrainedTokenizerBase, max_length: int) -> datasets.Dataset:
    """Reads annotated pairs of one mechanism.

    Args:
        path: A CSV file in the published columns or in those of the original's prepared files, or a Parquet file of
            `empathy prepare`. The columns decide.
        tokenizer: The one that a prepared file was prepared with; not used for the others.
        max_length: Tokens that a prepared file was prepared with, likewise.

    Returns:
        `sp_id`, `rp_id`, `seeker_post`, `response_post`, `level`, `rationales` (`start`, `end`, `text`) and, of a
        prepared file, `prepared_labels`. Its info says which file it was read from.

    Raises:
        InputError: Names file, row, column and value.
    """
    if not path.is_file():
        raise InputError(f"{path} is not a file.")
    rows = _read_parquet(path) if path.suffix == ".parquet" else _read_csv(path, tokenizer, max_length)
    record_provenance(rows.info, {path.name: path})
    return rows


def as_row(pair: AnnotatedPair) -> dict[str, Any]:
    """An annotated pair as a row of a data set."""
    rationales = rationales_in(pair.response_post, pair.spans)
    return {name: getattr(pair, name) for name in TEXTS} | {"level": pair.level, "rationales": rationales}


def _read_csv(path: Path, tokenizer: PreTrainedTokenizerBase, max_length: int) -> datasets.Dataset:
    header = csv_header(path)
    if "rationale_labels" in header:
        rows = list(read_prepared_csv(path, tokenizer, max_length))
        if not rows:
            raise InputError(f"{path.name} has no rows.")
        return datasets.Dataset.from_list(rows)
    if header and "rationales" not in header:
        raise InputError(
            f"{path.name} is no annotated file: expected the columns {', '.join(COLUMNS)}, or those of a prepared "
            f"file, {', '.join(PREPARED_COLUMNS)}; the header has {', '.join(map(repr, header))}."
        )
    report = AlignmentReport()
    pairs = read_mechanism(path, report)
    places = [f", row {unaligned['row']} (line {unaligned['line']})" for unaligned in report.unaligned]
    log_alignment(report, path.name + "".join(places))
    return datasets.Dataset.from_list([as_row(pair) for pair in pairs], features=row_features())


def _read_parquet(path: Path) -> datasets.Dataset:
    features = row_features()
    rows = [_checked_values(row) for row in read_rows(path, partial(check_columns, list(features)), "parquet")]
    if not rows:
        raise InputError(f"{path.name} has no rows.")
    return datasets.Dataset.from_list(rows, features=features)


def _checked_values(row: Row) -> dict[str, Any]:
    for column in TEXTS:
        row.text(column)
    if row.values["level"] not in range(len(LEVELS)):
        raise row.error("level", "expected 0, 1 or 2")
    response = row.values["response_post"]
    for span in row.values["rationales"] or ():
        if response[span["start"] : span["end"]] != span["text"] or not span["text"]:
            raise InputError(f"{row.place}, column 'rationales': {span} is not in the response.")
    return row.values
