"""Turns a file of annotated pairs into one with a label for each token."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import datasets

from ..encoders import load_tokenizer
from ..errors import InputError
from ..files.whole_files import check_apart, whole_file
from .alignment_report import AlignmentReport
from .annotated_csv import read_mechanism
from .annotated_files import as_row, row_features
from .original_csv import write_prepared_csv
from .pairs import AnnotatedPair
from .token_labels import label_responses


if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase


@dataclass(frozen=True)
class PreparedFile:
    """What was written.

    Attributes:
        pairs: How many.
        report: What became of their rationales.
    """

    pairs: int
    report: AlignmentReport


def prepare_file(
    input_path: Path, output_path: Path, encoder: str = "roberta-base", max_length: int = 64
) -> PreparedFile:
    """Labels the tokens of annotated pairs.

    Args:
        input_path: A CSV file of one mechanism in the published columns.
        output_path: A `.csv` in the original's columns, for the tokens of the original's tokenization
            ([`~modeling_empathy.corpus.original_csv`]), or a `.parquet` with the builder's columns for one mechanism:
            character spans, and `rationale_labels`, -100 on special tokens and where nothing is known.
        encoder: Whose tokenizer labels are made for.
        max_length: Tokens of a response, special tokens included.

    Raises:
        InputError: Where input or output can't be used; then nothing is written.
    """
    if not input_path.is_file():
        raise InputError(f"{input_path} is not a file.")
    if output_path.suffix not in (".csv", ".parquet"):
        raise InputError(f"{output_path}: name a .csv or a .parquet file.")
    check_apart(input_path, output_path)
    # The original's files hold labels of lower-cased text, as its models read it; ours are for any tokenizer.
    as_original = output_path.suffix == ".csv"
    report = AlignmentReport()
    with whole_file(output_path) as temporary:
        tokenizer = load_tokenizer(encoder, as_original=as_original)
        pairs = read_mechanism(input_path, report)
        if as_original:
            write_prepared_csv(temporary, pairs, tokenizer, max_length)
        else:
            _labelled(pairs, tokenizer, max_length).to_parquet(temporary)
    return PreparedFile(len(pairs), report)


def _labelled(pairs: Sequence[AnnotatedPair], tokenizer: PreTrainedTokenizerBase, max_length: int) -> datasets.Dataset:
    rows = [as_row(pair) for pair in pairs]
    _, labels, _ = label_responses(
        tokenizer, [row["response_post"] for row in rows], [[row] for row in rows], max_length=max_length
    )
    labelled = [row | {"rationale_labels": row_labels} for row, [row_labels] in zip(rows, labels, strict=True)]
    return datasets.Dataset.from_list(labelled, features=row_features(with_token_labels=True))
