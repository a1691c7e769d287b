"""`empathy train`, and `train_hf.py`: trains and evaluates a model, and prints what came of it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import datasets

from ..evaluation.diagnostics import diagnostics_tables
from ..evaluation.report import metrics_table, readable_pairs
from ..evaluation.run_page import REPORT
from ..phases import hide_other_bars, phase
from ..training.arguments import DataArguments, EmpathyTrainingArguments, ModelArguments
from ..training.data import read_corpus
from ..training.parsing import parse_arguments
from ..training.run import check_run, training_runs, trains_separately
from ..training.run_report import RunReport
from .failures import reporting, say
from .terminal import is_terminal, say_markdown


def main(argv: Sequence[str] | None = None, description: str | None = None, program: str | None = None) -> None:
    """Runs the command line.

    Args:
        argv: Its arguments; `sys.argv` when left out.
        description: What `--help` says first.
        program: What the command is called there; the script's name when left out.
    """
    model_args, data_args, training_args = parse_arguments(argv, description, program)
    goes_on = "the same command with --resume_from_checkpoint last goes on from the last checkpoint, if one was saved"
    with reporting(program or "train_hf.py", goes_on):
        hide_other_bars()
        check_run(model_args, data_args, training_args)
        # The others read what the first has built.
        with (
            training_args.main_process_first(desc="building the data set"),
            phase("Reading the corpus", is_shown=training_args.process_index == 0),
        ):
            corpus = read_corpus(model_args, data_args, training_args.do_eval, training_args.do_predict)
        train_and_print(corpus, model_args, data_args, training_args)


def train_and_print(
    corpus: datasets.DatasetDict,
    model_args: ModelArguments,
    data_args: DataArguments,
    training_args: EmpathyTrainingArguments,
) -> RunReport:
    """Trains, and prints each report as soon as it is there; the last one."""
    is_separate = trains_separately(model_args)
    # Of processes that train together, one prints.
    is_main = training_args.process_index == 0
    # A generator, which trains the next model when it is asked for the next report: headings come before their model.
    reports = training_runs(corpus, model_args, data_args, training_args)
    for mechanism in model_args.mechanisms if is_separate else []:
        if is_main:
            say(f"\nTraining the model of {mechanism.replace('_', ' ')}")
        report = next(reports)
        if is_main:
            _print_model(report, training_args.save_model_path)
    last = next(reports)
    if is_main and is_separate:
        _print_joined(last)
    elif is_main:
        _print_model(last, training_args.save_model_path)
    return last


def _print_joined(report: RunReport) -> None:
    if report.test:
        say_markdown(f"\n{metrics_table(report.test, report.mechanisms)}")
    if report.is_saved:
        say(f"\nJoined in one checkpoint: {report.folder}")
    _print_page(report)


def _print_model(report: RunReport, save_model_path: str | None) -> None:
    rows = report.predictions
    if rows is not None:
        say(f"\nHeld-out test split, {len(rows)} pairs (rationales over annotated responses unless said otherwise):\n")
        say_markdown(metrics_table(report.test, report.mechanisms))
        say_markdown(diagnostics_tables(report.diagnostics))
        # Without colour, as in a file, rationales stand in brackets.
        readable = readable_pairs(rows, report.mechanisms, colour=is_terminal())
        say(f"\nHeld-out pairs, rationales highlighted:\n\n{readable}")
    if not report.is_saved:
        say(f"\nMetrics and plots are in {report.folder}; the model was not saved (--save_model saves it)")
        _print_page(report)
        return
    say(f"\nModel, metrics, plots{' and predictions' if rows is not None else ''} are in {report.folder}")
    _print_page(report)
    # Who names a .pth expects one, as the original writes it.
    if save_model_path is not None and Path(save_model_path) != report.folder:
        say(
            f"  --save_model_path {save_model_path}: no pickle is written. The folder holds the weights as "
            "safetensors, with the tokenizer and the code.\n  `empathy score` takes it under either name; for the "
            "original code: "
            f"empathy convert --reverse --model {report.folder} --output_path {save_model_path}"
        )


def _print_page(report: RunReport) -> None:
    say(f"The report is {report.folder / REPORT}, a page to open in a browser; it holds the texts")
