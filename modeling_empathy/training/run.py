"""A training run: one model of all mechanisms, or one for each of them, joined in one checkpoint."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from copy import copy
from dataclasses import replace
from pathlib import Path

import datasets

from ..checkpoints.joined_models import join_models
from ..errors import InputError
from ..evaluation.report import save_metrics
from ..hub.model_card import save_model_card
from ..hub.run_record import RECORD, read_record
from ..model.configuration_empathy import EmpathyConfig
from ..model.modeling_empathy import EmpathyModel
from ..model.pipeline_empathy import own_tokenizer
from .arguments import DataArguments, EmpathyTrainingArguments, ModelArguments
from .one_model import record_of, take_decisions, train_one_model
from .resume import LAST, checkpoint_to_resume, last_whole_checkpoint
from .run_report import RunReport, joined_diagnostics, joined_predictions, write_joined_report
from .saving import replaced_model


def training_runs(
    corpus: datasets.DatasetDict,
    model_args: ModelArguments,
    data_args: DataArguments,
    training_args: EmpathyTrainingArguments,
) -> Iterator[RunReport]:
    """Trains what the arguments ask for, as [`~modeling_empathy.training.one_model.train_one_model`] does.

    Args:
        corpus: The split `train`, and `validation` and `test` where there are such.
        model_args: The model; with `separate_models`, one for each mechanism, in a folder of its own.
        data_args: How posts become tokens and labels.
        training_args: How it is trained.

    Yields:
        A report of each model, once it is trained and written; of separate models in the end one more, of all of them
        joined in one checkpoint.

    Raises:
        InputError: If a split has no pairs, or as of [`check_run`].
    """
    check_run(model_args, data_args, training_args)
    empty = [split for split, rows in corpus.items() if not len(rows)]
    if empty:
        raise InputError(f"No pairs in the split {', '.join(empty)}: the corpus is too small to be split by sp_id.")
    if not trains_separately(model_args):
        yield train_one_model(corpus, model_args, data_args, training_args)
        return
    reports = []
    for mechanism in model_args.mechanisms:
        # Not `replace`: it would run the checks of TrainingArguments again, on values that they have changed.
        mechanism_args = copy(training_args)
        folder = Path(training_args.output_dir, mechanism)
        mechanism_args.output_dir = str(folder)
        if training_args.resume_from_checkpoint == LAST and last_whole_checkpoint(folder) is None:
            mechanism_args.resume_from_checkpoint = None  # the run before had not come to this one
        reports.append(train_one_model(corpus, replace(model_args, mechanisms=[mechanism]), data_args, mechanism_args))
        yield reports[-1]
    joined = _joined(reports, training_args)
    # Of processes that train together, one writes.
    if training_args.process_index == 0:
        record = record_of(corpus, model_args, data_args, training_args)
        if joined.test:
            confusion = {name: read_record(joined.folder / name).confusion[name] for name in joined.mechanisms}
            splits = {"test": joined.test} | ({"test_original": dict(joined.original)} if joined.original else {})
            save_metrics(joined.folder / RECORD, splits, confusion=confusion, **record)
            write_joined_report(joined, reports)
        if joined.is_saved:
            save_model_card(joined.folder)
    yield joined


def check_run(model_args: ModelArguments, data_args: DataArguments, training_args: EmpathyTrainingArguments) -> None:
    """Finds what would stop a run later, before anything is loaded.

    Raises:
        InputError: Names the argument, its value and what to do.
    """
    output_dir = Path(training_args.output_dir)
    existing = next(path for path in (output_dir, *output_dir.absolute().parents) if path.exists())
    if not existing.is_dir():
        raise InputError(f"--output_dir {output_dir}: {existing} is a file; name a folder.")
    if not os.access(existing, os.W_OK):
        raise InputError(f"--output_dir {output_dir}: {existing} can't be written to.")
    for name in ("train_path", "dev_path", "test_path"):
        path = getattr(data_args, name)
        if path is not None and not Path(path).is_file():
            raise InputError(f"--{name} {path}: there is no such file.")
    try:
        config = EmpathyConfig(**model_args.config_options())
    except ValueError as error:
        raise InputError(str(error)) from None
    if data_args.decisions_of is not None:
        take_decisions(config, Path(data_args.decisions_of))
    if not trains_separately(model_args):
        checkpoint_to_resume(training_args)
    elif training_args.resume_from_checkpoint not in (None, LAST):
        raise InputError("--resume_from_checkpoint: separate models go on with 'last' alone, each from its own.")


def trains_separately(model_args: ModelArguments) -> bool:
    """Whether each mechanism gets a model."""
    return model_args.separate_models and len(model_args.mechanisms) > 1


def _joined(reports: Sequence[RunReport], training_args: EmpathyTrainingArguments) -> RunReport:
    """Joins the models of the reports in one checkpoint, if they are saved; a report of all."""
    folder = Path(training_args.output_dir)
    if training_args.save_model and training_args.process_index == 0:
        # From their folders: a report holds no model, so that the memory of each is free for the next.
        model = join_models([EmpathyModel.from_pretrained(report.folder) for report in reports])
        with replaced_model(folder) as temporary:
            model.save_pretrained(temporary)
            own_tokenizer(reports[0].folder, model.config).save_pretrained(temporary)
    mechanisms = [report.mechanisms[0] for report in reports]
    test = {
        name: value
        for mechanism, report in zip(mechanisms, reports, strict=True)
        for name, value in report.test.items()
        if name.startswith(mechanism)
    }
    if test:
        test["macro_f1"] = sum(test[f"{mechanism}_macro_f1"] for mechanism in mechanisms) / len(mechanisms)
    return RunReport(
        folder,
        mechanisms,
        training_args.save_model,
        test,
        joined_predictions(reports),
        joined_diagnostics(reports),
        {name: value for report in reports for name, value in report.original.items()},
        reports[0].lengths,
    )
