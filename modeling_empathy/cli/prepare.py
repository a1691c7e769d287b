"""`empathy prepare`: token labels for annotated pairs."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from .options import told


@told("empathy")
def prepare(
    input_path: Annotated[
        Path, typer.Option("--input_path", metavar="CSV", help="Annotated pairs of one mechanism, published columns.")
    ],
    output_path: Annotated[
        Path, typer.Option("--output_path", metavar="FILE", help="What is written: a .csv or a .parquet file.")
    ],
    encoder: Annotated[
        str, typer.Option("--encoder", help="Whose tokens are labelled: a name, a folder, or 'embedded'.")
    ] = "roberta-base",
    max_len: Annotated[int, typer.Option("--max_len", min=3, help="Tokens of a response; the rest is cut.")] = 64,
) -> None:
    """Turn rationales into token labels (the original's process_data.py, with correct labels).

    A .csv gets the original's columns and labelling: tokens of the lower-cased response, padded to --max_len, an
    unannotated response all rationale. A .parquet keeps the character spans, with a label for each token of the
    response as it is and -100 where nothing is known.

        empathy prepare --input_path explorations-reddit.csv --output_path explorations.csv
    """
    from ..corpus.preparation import prepare_file

    print(prepare_file(input_path, output_path, encoder, max_len))
