"""`empathy export-dataset` and `empathy export-onnx`: a corpus and a checkpoint for other tools."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from .options import DataDir, Salt, Source, told


@told("empathy")
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
    from ..hub.dataset_export import export_dataset

    print(export_dataset(folder, source=source, data_dir=data_dir, salt=salt, show_progress=False))


@told("empathy")
def export_onnx(
    model: Annotated[
        str, typer.Option("--model", metavar="DIR_OR_REPO", help="Checkpoint: a folder, or a repository on the Hub.")
    ],
    output_path: Annotated[
        Path | None,
        typer.Option(
            "--output_path",
            metavar="DIR",
            help="What is written: a folder that isn't there yet (default: onnx in the checkpoint's).",
        ),
    ] = None,
    no_quantize: Annotated[
        bool, typer.Option("--no_quantize", help="Leave out the graphs with weights of 8 bits (*.int8.onnx).")
    ] = False,
) -> None:
    """Write a checkpoint as graphs that ONNX Runtime computes, without torch.

    One graph encodes seeker posts, the other scores responses to them, each in single precision and, less exact and
    faster on a CPU, in 8 bits. They are compared with the model before the folder appears; what 8 bits change, measure
    on pairs of your own. Needs what modeling-empathy is installed with as its extra "onnx".

        empathy export-onnx --model output/corpus
    """
    from ..scoring.onnx_export import export_onnx

    exported = export_onnx(model, output_path, quantize=not no_quantize)
    print(f"The graphs are in {exported.folder}:")
    width = max(map(len, exported.files))
    for name, size in exported.files.items():
        print(f"  {name:{width}}  {size / 1e6:8.1f} MB")
    differences = ", ".join(f"{value:.1g} ({name})" for name, value in exported.largest_differences.items())
    print(f"Probabilities differ from torch by at most {differences}, on random tokens.")
