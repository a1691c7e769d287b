"""`empathy score`: levels and rationales of pairs."""

from __future__ import annotations

import gc
import os
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from ..errors import InputError
from .failures import reports_errors, say, tell
from .options import Device, by_mechanism, mechanism_option


if TYPE_CHECKING:
    from ..jobs.executors import Executor
    from ..jobs.plan import ScoringOptions
    from ..jobs.score_files import ScoringSummary
    from ..scoring.engine import ScoringEngine


@reports_errors(
    "empathy", "nothing unfinished was left behind, and the same command goes on with the shards that are whole"
)
def score(
    input_path: Annotated[
        list[str],
        typer.Option(
            "--input_path",
            metavar="FILE",
            help="Pairs: files, folders or patterns ('answers/*.parquet'), given once or more often, also as URLs of "
            "fsspec (s3://, hf://): .csv, .tsv, .jsonl, .parquet, .xlsx, these compressed (.gz, .zst, .bz2, .xz), a "
            "folder that datasets saved; '-' for standard input.",
        ),
    ],
    output_path: Annotated[
        str | None,
        typer.Option(
            "--output_path",
            metavar="FILE_OR_DIR",
            help="Scores: a .csv, .jsonl or .parquet file, or a folder, which gets Parquet in shards (default: beside "
            "the one input, pairs.scores.csv for pairs.csv).",
        ),
    ] = None,
    column: Annotated[
        list[str] | None,
        typer.Option(
            "--column",
            metavar="OURS=THEIRS",
            help="What id, seeker_post or response_post is called in the input, as in response_post=answer; given "
            "more than once for response_post where a row has several; answers.text is what stands in objects.",
        ),
    ] = None,
    keep: Annotated[
        list[str] | None,
        typer.Option("--keep", metavar="COLUMN", help="A further column that goes to the output; 'all' for all."),
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
        Literal["csv", "tsv", "jsonl", "parquet", "arrow", "excel"] | None,
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
        Literal["fp32", "bf16", "int8", "auto"],
        typer.Option(
            "--dtype",
            help="bf16 is faster where the processor or GPU has it, and auto takes it there; int8 is of onnx. "
            "With int8 a level that is nearly even may change with what a pair is batched with.",
        ),
    ] = "fp32",
    device: Device = None,
    workers: Annotated[
        int,
        typer.Option(
            "--workers",
            help="Processes on this machine: on CPUs of one thread each, on GPUs one a card. With --executor, tasks "
            "that run at once (-1 for all).",
        ),
    ] = 1,
    executor: Annotated[
        Literal["local", "slurm", "ray", "jobs"] | None,
        typer.Option("--executor", help="Hand the shards to datatrove: here, to Slurm, Ray or Hugging Face Jobs."),
    ] = None,
    tasks: Annotated[
        int, typer.Option("--tasks", min=1, help="With --executor: in how many parts the shards are done.")
    ] = 1,
    executor_option: Annotated[
        list[str] | None,
        typer.Option(
            "--executor_option",
            metavar="NAME=VALUE",
            help="Of datatrove's executor: partition=cpu and time=12:00:00 of slurm, flavor=cpu-upgrade of jobs.",
        ),
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry_run", help="With --executor slurm or jobs: plan, and show what would be submitted.")
    ] = False,
    shard_rows: Annotated[
        int | None,
        typer.Option(
            "--shard_rows",
            min=1,
            help="Rows of the input in a shard: what a killed worker loses at most.",
            show_default="a thirtieth of the input, 1024 to 8192",
        ),
    ] = None,
    show: Annotated[
        int | None,
        typer.Option(
            "--show",
            min=0,
            help="Of how many pairs, the first, levels and words are printed as well.",
            show_default="3 on a terminal, else none",
        ),
    ] = None,
    start_over: Annotated[
        bool, typer.Option("--start_over", help="Throw away what an earlier run of this output has done.")
    ] = False,
) -> None:
    """Score pairs (the original's test.py).

    The input has the columns seeker_post and response_post, and id (or sp_id and rp_id; else a pair is called by its
    place). The output has them too, and for each mechanism {ER,IP,EX}_label, the level 0, 1 or 2, and
    {ER,IP,EX}_rationale, the words that show it, the probability of each level and the expected one, what --keep
    names, and last model, which names what scored them.

    A run that was ended, however it was, goes on with the same command; a file appears whole or not at all, and memory
    levels off however long the input is.

        empathy score --input_path pairs.csv

        empathy score --input_path 'dump/*.jsonl.zst' --column seeker_post=title --output_path scores --workers 8
    """
    from ..checkpoints.identity import joined_label
    from ..jobs.outputs import RunOutput
    from ..jobs.score_files import NothingToScore, score_files
    from .terminal import is_terminal, say_scored_pairs

    # A variable of a script that was not set, most likely; it must not mean the default.
    options = {"model": model, "tokenizer": tokenizer, "device": device, "output_path": output_path}
    options |= {"ER_model_path": ER_model_path, "IP_model_path": IP_model_path, "EX_model_path": EX_model_path}
    for name, value in [*options.items(), *(("input_path", path) for path in input_path)]:
        if value is not None and not value.strip():
            raise InputError(f"--{name} is empty: leave it out, or name what it stands for.")
    if no_windows and stride is not None:
        raise InputError("--stride and --no_windows contradict each other: leave one out.")
    given = by_mechanism(ER=ER_model_path, IP=IP_model_path, EX=EX_model_path)
    if model is not None and given:
        raise InputError("name the model with --model, or up to three with --{ER,IP,EX}_model_path, not both.")
    output_path = _output_beside(input_path, input_format) if output_path is None else output_path
    computed_by = _executor(executor, workers, tasks, executor_option or [], dry_run)
    computed_in = _widest_support(device, executor) if dtype == "auto" else dtype
    of_run = _options(column, keep, rationale_format, stride, no_windows, on_error, shard_rows, backend, computed_in)
    # Tasks of a cluster are started in other folders.
    names = _from_anywhere(model, given, tokenizer) if executor else (model, given, tokenizer)
    try:
        summary = score_files(
            partial(loaded_engines, *names, device, computed_in, backend),
            input_path,
            output_path,
            of_run,
            input_format=input_format,
            executor=computed_by,
            start_over=start_over,
            about_model=_about(model, given),
        )
    except NothingToScore as error:
        # No mistake of the command line, as scripts may want to know; and no success either.
        tell(f"empathy score: error: {error}")
        raise typer.Exit(1) from None
    if summary is None:
        return  # another process of the same run says what became of it
    # On standard error, as the progress before it: what stands on standard output says what became of the pairs.
    if summary.models:
        tell(f"scored by {joined_label(summary.models)}")
    _say_what_became(summary, output_path)
    if show is None:
        # What people wrote goes into no log that nobody asked for it.
        show = 3 if is_terminal() else 0
    if show and summary.is_whole:
        say_scored_pairs(output_path, show, is_folder=RunOutput(output_path).is_folder)


def _from_anywhere(
    model: str | None, by_mechanism: dict[str, str], tokenizer: str | None
) -> tuple[str | None, dict[str, str], str | None]:
    """The same names, that lead to the same places in a process that is started in another folder."""

    def path(name: str) -> str:
        return os.path.abspath(name) if os.path.exists(name) else name

    return (
        None if model is None else path(model),
        {mechanism: path(name) for mechanism, name in by_mechanism.items()},
        None if tokenizer is None else path(tokenizer),
    )


def loaded_engines(
    model: str | None,
    by_mechanism: dict[str, str],
    tokenizer: str | None,
    device: str | None,
    dtype: str,
    backend: str,
) -> list[ScoringEngine]:
    """What scores; called in the processes that do."""
    from ..phases import hide_other_bars
    from ..scoring.engine import load_engines

    hide_other_bars()
    engines = load_engines(model, by_mechanism, tokenizer, device, dtype=dtype, backend=backend)
    # What is loaded stays: looking it through for garbage costs some percent of the time. It is for the command to say
    # so, whose process this is, and not for the library.
    gc.freeze()
    return engines


def _output_beside(inputs: Sequence[str], input_format: str | None) -> str:
    """Where the scores of one file go that nobody named a place for."""
    from ..files.input_files import COMPRESSED, STDIN, format_of, is_pattern
    from ..jobs.score_writer import WRITTEN

    [path] = inputs if len(inputs) == 1 else [None]
    if path is None or not Path(path).is_file():
        if path == str(STDIN):
            raise InputError("name the file to write with --output_path: standard input has no place beside it.")
        if path is not None and "://" not in path and not Path(path).is_dir() and not is_pattern(path):
            raise InputError(f"{path} is not a file.")
        raise InputError("name the file or folder to write with --output_path: the input is more than one file here.")
    file_format = format_of(Path(path), input_format)
    beside = Path(path).with_suffix("") if Path(path).suffix.lower() in COMPRESSED else Path(path)
    written = file_format if file_format in WRITTEN else "parquet" if file_format == "arrow" else "csv"
    return str(beside.with_suffix(f".scores.{written}"))


def _executor(name: str | None, workers: int, tasks: int, options: Sequence[str], dry_run: bool) -> Executor | None:
    from ..jobs.clusters import Cluster
    from ..jobs.executors import Processes

    if name is None:
        if tasks != 1 or options or dry_run:
            raise InputError("--tasks, --executor_option and --dry_run are for --executor: name one.")
        if workers < 1:
            raise InputError(f"--workers {workers}: expected a number from 1.")
        return Processes(workers) if workers > 1 else None
    if workers == 0 or workers < -1:
        raise InputError(f"--workers {workers}: expected a number from 1, or -1 for all tasks at once.")
    settings: dict[str, Any] = {}
    for option in options:
        key, equals, value = option.partition("=")
        if not equals:
            raise InputError(f"--executor_option {option}: expected a name and a value, as in partition=cpu.")
        settings[key] = int(value) if value.lstrip("-").isdigit() else value
    if dry_run and name not in ("slurm", "jobs"):
        raise InputError(f"--dry_run shows what is submitted, and with --executor {name} nothing is.")
    return Cluster(name, tasks, workers, settings, partial(say, is_result=True) if dry_run else None)


def _widest_support(device: str | None, executor: str | None) -> str:
    from ..checkpoints.loading import resolve_device
    from ..precision import computes_in_bfloat16

    if executor in ("slurm", "ray", "jobs"):
        raise InputError("--dtype auto is for this machine: others compute here, so name fp32 or bf16.")
    return "bf16" if computes_in_bfloat16(resolve_device(device)) else "fp32"


def _options(
    column: Sequence[str] | None,
    keep: Sequence[str] | None,
    rationale_format: str,
    stride: int | None,
    no_windows: bool,
    on_error: str,
    shard_rows: int | None,
    backend: str,
    dtype: str,
) -> ScoringOptions:
    from ..jobs.input_pairs import InputColumns
    from ..jobs.plan import ScoringOptions
    from ..model.encoded_pairs import OWN_STRIDE

    return ScoringOptions(
        columns=InputColumns.parsed(column or [], keep or []),
        rationale_format=rationale_format,
        stride=None if no_windows else OWN_STRIDE if stride is None else stride,
        skip_errors=on_error == "skip",
        shard_rows=shard_rows,
        backend=backend,
        dtype=dtype,
    )


def _about(model: str | None, by_mechanism: dict[str, str]) -> dict[str, Any]:
    """What the analysis of scores wants to know: how often each level is taken for another."""
    from ..checkpoints.deltas import PRETRAINED
    from ..hub.run_record import read_record

    confusion: dict[str, list[list[int]]] = {}
    for mechanism, name in by_mechanism.items() or [(None, str(PRETRAINED) if model is None else model)]:
        if (folder := _folder_of_record(name)) is not None:
            found = read_record(folder).measured.confusion
            confusion |= {key: rows for key, rows in found.items() if mechanism in (None, key)}
    return {"confusion": confusion}


def _folder_of_record(name: str) -> Path | None:
    """Where the record of a model's training is, which of a model on the Hub is downloaded; None if it has none."""
    from huggingface_hub import hf_hub_download
    from huggingface_hub.errors import EntryNotFoundError

    from ..hub.run_record import RECORD

    if os.path.exists(name):
        return Path(name) if os.path.isdir(name) else None
    try:
        return Path(hf_hub_download(name, RECORD)).parent
    except (EntryNotFoundError, OSError, ValueError):
        return None  # what is wrong with a name, loading the model says


def _say_what_became(summary: ScoringSummary, output_path: str) -> None:
    if not summary.is_whole:
        say(f"{summary.earlier} of {summary.shards} shards are done: {output_path}")
        say("  the others were handed over; the same command says how far they are, and finishes")
        return
    say(f"{summary.pairs} {'pair' if summary.pairs == 1 else 'pairs'} scored: {output_path}")
    if summary.earlier:
        say(f"  {summary.earlier} of {summary.shards} shards were done already, by an earlier run")
    if summary.truncated:
        say(f"  {summary.truncated} of them with a post longer than the model reads, scored without its end")
    if summary.skipped:
        say(f"  {summary.skipped} that could not be used and were left out are listed in {summary.errors_path}")
