"""Annotated pairs of one mechanism from one file: published CSV columns, the original's prepared ones, or Parquet."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import datasets
import numpy as np

from ..errors import InputError, shortened
from ..files.row import Row
from ..files.rows import check_columns, csv_header, read_rows
from ..model.mechanisms import LEVELS
from .alignment_report import AlignmentReport, log_alignment
from .annotated_csv import read_mechanism
from .original_csv import PREPARED_COLUMNS, read_prepared_csv
from .pairs import COLUMNS, TEXTS, AnnotatedPair
from .provenance import record_provenance


if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase


def row_features(
    mechanisms: Sequence[str] = (), *, with_token_labels: bool = False, marks: Sequence[str] = ()
) -> datasets.Features:
    """The columns of a pair: one for each of these mechanisms, or those of the only mechanism that is annotated.

    Args:
        mechanisms: The mechanisms.
        with_token_labels: Whether each annotation has `rationale_labels` too.
        marks: Further columns of text.
    """
    annotation: dict[str, Any] = {
        "level": datasets.ClassLabel(names=list(LEVELS)),
        "rationales": [
            {"start": datasets.Value("int32"), "end": datasets.Value("int32"), "text": datasets.Value("string")}
        ],
    }
    if with_token_labels:
        annotation["rationale_labels"] = [datasets.Value("int8")]
    texts = {column: datasets.Value("string") for column in (*TEXTS, *marks)}
    return datasets.Features(texts | ({mechanism: annotation for mechanism in mechanisms} or annotation))


def is_single(rows: datasets.Dataset) -> bool:
    """Whether the rows have the columns of a single mechanism, and not one for each."""
    return "level" in rows.column_names


def annotated_levels(rows: datasets.Dataset, mechanisms: Sequence[str]) -> np.ndarray:
    """`(row, mechanism)`, of rows that have these mechanisms or that single one."""
    if is_single(rows):
        return np.array(rows["level"])[:, None]
    # Of no rows too it has a column for each mechanism.
    columns = [np.array([annotation["level"] for annotation in rows[name]], dtype=int) for name in mechanisms]
    return np.stack(columns, axis=-1)


def annotation_of(response_post: str, level: int, spans: Iterable[tuple[int, int]]) -> dict[str, Any]:
    """What was annotated for a mechanism as a data set holds it, the rationales in the order of the text."""
    rationales = [{"start": start, "end": end, "text": response_post[start:end]} for start, end in sorted(spans)]
    return {"level": level, "rationales": rationales}


def as_row(pair: AnnotatedPair) -> dict[str, Any]:
    """A pair that is annotated for one mechanism as a row of a data set."""
    texts = {column: getattr(pair, column) for column in TEXTS}
    return texts | annotation_of(pair.response_post, pair.level, pair.spans)


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
    if path.suffix == ".parquet":
        columns = list(row_features())
        rows = [_checked_values(row) for row in read_rows(path, partial(check_columns, columns), "parquet")]
    else:
        rows = _read_csv(path, tokenizer, max_length)
    if not rows:
        raise InputError(f"{path.name} has no rows.")
    # A prepared file brings `prepared_labels`, a column that no other has; its types are what its values are.
    dataset = datasets.Dataset.from_list(rows, features=None if "prepared_labels" in rows[0] else row_features())
    record_provenance(dataset.info, {path.name: path})
    return dataset


def _read_csv(path: Path, tokenizer: PreTrainedTokenizerBase, max_length: int) -> list[dict[str, Any]]:
    header = csv_header(path)
    if "rationale_labels" in header:
        return list(read_prepared_csv(path, tokenizer, max_length))
    # An empty file goes on: that its header has nothing says more than that it is no annotated one.
    if header and "rationales" not in header:
        raise InputError(
            f"{path.name} is no annotated file: expected the columns {', '.join(COLUMNS)}, or those of a prepared "
            f"file, {', '.join(PREPARED_COLUMNS)}; the header has {', '.join(map(repr, header))}."
        )
    report = AlignmentReport()
    pairs = read_mechanism(path, report)
    places = [f", row {unaligned['row']} (line {unaligned['line']})" for unaligned in report.unaligned]
    log_alignment(report, path.name + "".join(places))
    return [as_row(pair) for pair in pairs]


def _checked_values(row: Row) -> dict[str, Any]:
    for column in TEXTS:
        row.text(column)
    level, rationales = row.values["level"], row.values["rationales"]
    # `type`, because True is an integer too.
    if type(level) is not int or level not in range(len(LEVELS)):
        raise row.error("level", "expected 0, 1 or 2")
    if not isinstance(rationales, list | None):
        raise row.error("rationales", "expected a list")
    response = row.values["response_post"]
    for span in rationales or ():
        if not _is_span_of(response, span):
            raise InputError(
                f"{row.place}, column 'rationales': expected start, end and text, with offsets into the response, got "
                f"{shortened(span)}, which is not in the response."
            )
    return row.values


def _is_span_of(response: str, span: Any) -> bool:
    if not isinstance(span, dict) or type(span.get("start")) is not int or type(span.get("end")) is not int:
        return False
    start, end = span["start"], span["end"]
    # The text beside the offsets proves them: in a file that somebody edited they may no longer fit the response.
    return 0 <= start < end <= len(response) and response[start:end] == span.get("text")
