"""`empathy score`: levels and rationales of pairs."""

from __future__ import annotations

import gc
from pathlib import Path
from typing import Annotated, Literal

import typer

from ..errors import InputError
from .failures import reports_errors, say, tell
from .options import Device, by_mechanism, mechanism_option


@reports_errors("empathy")
def score(
    input_path: Annotated[
        Path,
        typer.Option("--input_path", metavar="FILE", help="Pairs: .csv, .jsonl or .parquet; '-' for standard input."),
    ],
    output_path: Annotated[
        Path | None,
        typer.Option(
            "--output_path",
            metavar="FILE",
            help="Scores: .csv, .jsonl or .parquet (default: beside the input, pairs.scores.csv for pairs.csv).",
        ),
    ] = None,
    model: Annotated[
        str | None,
        typer.Option(
            "--model",
            metavar="DIR_OR_REPO",
            help="Checkpoint: a folder, or a repository on the Hub (default: the one that is part of the package).",
        ),
    ] = None,
    ER_model_path: Annotated[str | None, mechanism_option("ER", "Instead of --model: the model")] = None,
    IP_model_path: Annotated[str | None, mechanism_option("IP", "Instead of --model: the model")] = None,
    EX_model_path: Annotated[str | None, mechanism_option("EX", "Instead of --model: the model")] = None,
    rationale_format: Annotated[
        Literal["spans", "mask"],
        typer.Option(
            "--rationale_format", help="Spans with offsets and scores, or as the original 0 and 1 for each token."
        ),
    ] = "spans",
    stride: Annotated[
        int | None,
        typer.Option(
            "--stride",
            min=0,
            help="Score long responses to their end, in windows that share this many tokens (default: as the model's "
            "configuration says).",
        ),
    ] = None,
    no_windows: Annotated[
        bool, typer.Option("--no_windows", help="Cut long responses, whatever the model's configuration says.")
    ] = False,
    on_error: Annotated[
        Literal["stop", "skip"],
        typer.Option("--on_error", help="Stop at a bad row, or list it in OUTPUT.errors.jsonl and go on."),
    ] = "stop",
    input_format: Annotated[
        Literal["csv", "jsonl", "parquet"] | None,
        typer.Option("--input_format", help="Of the input (default: by its ending; csv for standard input)."),
    ] = None,
    tokenizer: Annotated[
        str | None,
        typer.Option(
            "--tokenizer", help="For a checkpoint without one (default: its own, or of a .pth roberta-base's)."
        ),
    ] = None,
    backend: Annotated[
        Literal["torch", "onnx"],
        typer.Option("--backend", help="What computes: torch, or the graphs that `empathy export-onnx` left."),
    ] = "torch",
    dtype: Annotated[
        Literal["fp32", "bf16", "int8"],
        typer.Option(
            "--dtype",
            help="bf16 is faster where the processor or GPU has it; int8 is of --backend onnx, and with it a level "
            "that is nearly even may change with what a pair is batched with.",
        ),
    ] = "fp32",
    device: Device = None,
) -> None:
    """Score pairs (the original's test.py).

    The input has the columns id (or sp_id and rp_id), seeker_post and response_post. The output has them too, and for
    each mechanism {ER,IP,EX}_label, the level 0, 1 or 2, and {ER,IP,EX}_rationale, the words that show it, and last
    model, which names what scored them. It appears whole or not at all, and memory levels off however long it is.

        empathy score --input_path pairs.csv

        empathy score --model output/corpus --input_path pairs.csv --output_path scores.csv
    """
    from ..checkpoints.identity import joined_label
    from ..files.rows import format_of
    from ..files.text_lines import STDIN
    from ..model.encoded_pairs import OWN_STRIDE
    from ..scoring.engine import ScoringEngine, load_engines
    from ..scoring.score_file import NothingToScore, score_file

    # A variable of a script that was not set, most likely; it must not mean the default.
    options = {"model": model, "tokenizer": tokenizer, "device": device}
    options |= {"ER_model_path": ER_model_path, "IP_model_path": IP_model_path, "EX_model_path": EX_model_path}
    # An empty path is the folder that one is in.
    options |= {"input_path": input_path.name, "output_path": None if output_path is None else output_path.name}
    for name, value in options.items():
        if value is not None and not value.strip():
            raise InputError(f"--{name} is empty: leave it out, or name what it stands for.")
    if no_windows and stride is not None:
        raise InputError("--stride and --no_windows contradict each other: leave one out.")
    given = by_mechanism(ER=ER_model_path, IP=IP_model_path, EX=EX_model_path)
    if model is not None and given:
        raise InputError("name the model with --model, or up to three with --{ER,IP,EX}_model_path, not both.")
    if output_path is None:
        if input_path == STDIN:
            raise InputError("name the file to write with --output_path: standard input has no place beside it.")
        output_path = input_path.with_suffix(f".scores.{format_of(input_path, input_format)}")

    # Called once the input has been opened: a wrong path should not cost the time to load a model.
    def loaded_engines() -> list[ScoringEngine]:
        engines = load_engines(model, given, tokenizer, device, dtype=dtype, backend=backend)
        # What is loaded stays: looking it through for garbage costs some percent of the time. It is for the command to
        # say so, whose process this is, and not for the library.
        gc.freeze()
        return engines

    try:
        summary = score_file(
            loaded_engines,
            input_path,
            output_path,
            # Standard input has no ending that names a format.
            input_format=input_format or ("csv" if input_path == STDIN else None),
            rationale_format=rationale_format,
            stride=None if no_windows else OWN_STRIDE if stride is None else stride,
            skip_errors=on_error == "skip",
        )
    except NothingToScore as error:
        # No mistake of the command line, as scripts may want to know; and no success either.
        tell(f"empathy score: error: {error}")
        raise typer.Exit(1) from None
    # On standard error, as the progress before it: what stands on standard output says what became of the pairs.
    if summary.models:
        tell(f"scored by {joined_label(summary.models)}")
    say(f"{summary.pairs} {'pair' if summary.pairs == 1 else 'pairs'} scored: {output_path}")
    if summary.truncated:
        say(f"  {summary.truncated} of them with a post longer than the model reads, scored without its end")
    if summary.skipped:
        say(f"  {summary.skipped} that could not be used and were left out are listed in {summary.errors_path}")
