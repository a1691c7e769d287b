"""`empathy prepare`: token labels for annotated pairs."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ..corpus.alignment_report import AlignmentReport
from .failures import reports_errors, say, tell


@reports_errors("empathy")
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

    prepared = prepare_file(input_path, output_path, encoder, max_len)
    # Standard output says what was written, and nothing else, for scripts.
    tell(_summary(prepared.report))
    labels = f"{max_len} labels each" if output_path.suffix == ".csv" else "spans and a label for each token"
    say(f"{prepared.pairs} pairs with {labels}: {output_path}")


def _summary(report: AlignmentReport) -> str:
    lines = [f"Aligned {report.rationales - len(report.unaligned)} of {report.rationales} rationales."]
    for name, counts in report.files.items():
        levels = " / ".join(map(str, counts.levels))
        aligned = counts.aligned_exactly + counts.aligned_by_folding
        lines.append(
            f"  {name}: {counts.rows} rows (levels {levels}), "
            f"{aligned} of {counts.rationales} rationales aligned, {counts.aligned_by_folding} of them by folding"
        )
    # Enough to see where to look: a corpus has hundreds where something is wrong with it.
    for rationale in report.unaligned[:3]:
        lines.append(f"  not aligned: {rationale['file']}, row {rationale['row']} (line {rationale['line']})")
    if len(report.unaligned) > 3:
        lines.append(f"  and {len(report.unaligned) - 3} more, all listed in the report")
    if report.without_rationale:
        lines.append(f"  {len(report.without_rationale)} rows with a level above 0 and no rationale")
    if report.rationale_at_level_0:
        lines.append(f"  {len(report.rationale_at_level_0)} rows with a rationale at level 0")
    return "\n".join(lines)
