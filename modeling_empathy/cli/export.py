"""`empathy export-dataset` and `empathy export-onnx`: a corpus and a checkpoint for other tools."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from .failures import reports_errors, say
from .options import DataDir, ModelPath, Salt, Source


if TYPE_CHECKING:
    from ..hub.dataset_files import ExportSummary
    from ..scoring.onnx_export import OnnxExport


@reports_errors("empathy")
def export_dataset(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="What is written: a folder that isn't there yet.")],
    data_dir: DataDir = None,
    source: Source = "auto",
    salt: Salt = "",
) -> None:
    """Write the corpus as a folder that datasets.load_dataset reads without any code.

    One Parquet file for each split of all three mechanisms joined ("all", the default) and of each mechanism alone, a
    card with counts, checksums and licence, and the report of what was aligned. It appears whole or not at all, and
    nothing is uploaded. The texts of the published corpus are people's: read the licence in the card before you pass
    them on.

        empathy export-dataset exported --data_dir path/to/csvs

        python -c 'import datasets; print(datasets.load_dataset("exported", "explorations"))'
    """
    # In here it hides the command, which has the same name.
    from ..hub.dataset_export import export_dataset

    _print_dataset(export_dataset(folder, source=source, data_dir=data_dir, salt=salt, show_progress=False))


@reports_errors("empathy")
def export_onnx(
    model: ModelPath,
    output_path: Annotated[
        Path | None,
        typer.Option(
            "--output_path",
            metavar="DIR",
            help="What is written: a folder that isn't there yet (default: onnx in the checkpoint's).",
        ),
    ] = None,
    no_quantize: Annotated[
        bool,
        typer.Option(
            "--no_quantize",
            help="Leave out the graphs in 8 bits (*.int8.onnx), whose results depend a little on batching.",
        ),
    ] = False,
) -> None:
    """Write a checkpoint as graphs that ONNX Runtime computes, without torch.

    One graph encodes seeker posts, the other scores responses to them, each in single precision and, less exact and
    faster on a CPU, in 8 bits. They are compared with the model before the folder appears; what 8 bits change, measure
    on pairs of your own. Needs what modeling-empathy is installed with as its extra "onnx".

        empathy export-onnx --model output/corpus
    """
    from ..phases import hide_other_bars
    from ..scoring.onnx_export import export_onnx

    hide_other_bars()
    _print_graphs(export_onnx(model, output_path, quantize=not no_quantize))


def _print_dataset(summary: ExportSummary) -> None:
    from ..corpus.builder import REPORT_NAME
    from ..hub.cards import CARD
    from ..hub.croissant import CROISSANT_NAME

    say(f"{summary.folder}: {summary.provenance.title}")
    for configuration, splits in summary.rows.items():
        say(f"  {configuration}: {', '.join(f'{split} {rows}' for split, rows in splits.items())}")
    if summary.left_out:
        say(f"  without rows and left out: {', '.join(summary.left_out)}")
    say(f"  {CARD}, {REPORT_NAME}{f', {CROISSANT_NAME}' if summary.has_croissant else ''}")
    if not summary.has_croissant:
        say(f"  no {CROISSANT_NAME}: pip install 'modeling-empathy[croissant]' for one")
    # Not of the sample, whose texts are made up.
    if summary.provenance.needs_permission:
        say(f"  Before you pass it on: {summary.provenance.terms}")
    say(f'Load it with datasets.load_dataset("{summary.folder}", "explorations"); without a name, "all".')


def _print_graphs(export: OnnxExport) -> None:
    say(f"The graphs are in {export.folder}:")
    width = max(map(len, export.files))
    for name, size in export.files.items():
        say(f"  {name:{width}}  {size / 1e6:8.1f} MB")
    differences = ", ".join(f"{value:.1g} ({name})" for name, value in export.largest_differences.items())
    say(f"Probabilities differ from torch by at most {differences}, on random tokens.")
