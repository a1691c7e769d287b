"""A training run: one model of all mechanisms, or one for each of them, joined in one checkpoint."""

from __future__ import annotations

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
from ..model.modeling_empathy import EmpathyModel
from ..model.pipeline_empathy import own_tokenizer
from .arguments import DataArguments, EmpathyTrainingArguments, ModelArguments
from .one_model import RunReport, record_of, train_one_model


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
        InputError: If a split has no pairs.
    """
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
        if training_args.resume_from_checkpoint == "last" and not any(folder.glob("checkpoint-*")):
            mechanism_args.resume_from_checkpoint = None  # the run before had not come to this one
        reports.append(train_one_model(corpus, replace(model_args, mechanisms=[mechanism]), data_args, mechanism_args))
        yield reports[-1]
    joined = _joined(reports, training_args)
    # Of processes that train together, one writes.
    if training_args.process_index == 0:
        record = record_of(corpus, model_args, data_args, training_args)
        if joined.test:
            confusion = {name: read_record(joined.folder / name).confusion[name] for name in joined.mechanisms}
            save_metrics(joined.folder / RECORD, {"test": joined.test}, confusion=confusion, **record)
        if joined.is_saved:
            save_model_card(joined.folder)
    yield joined


def trains_separately(model_args: ModelArguments) -> bool:
    """Whether each mechanism gets a model."""
    return model_args.separate_models and len(model_args.mechanisms) > 1


def _joined(reports: Sequence[RunReport], training_args: EmpathyTrainingArguments) -> RunReport:
    """Joins the models of the reports in one checkpoint, if they are saved; a report of all."""
    folder = Path(training_args.output_dir)
    if training_args.save_model and training_args.process_index == 0:
        # From their folders: a report holds no model, so that the memory of each is free for the next.
        model = join_models([EmpathyModel.from_pretrained(report.folder) for report in reports])
        model.save_pretrained(folder)
        own_tokenizer(reports[0].folder, model.config).save_pretrained(folder)
    mechanisms = [report.mechanisms[0] for report in reports]
    test = {
        name: value
        for mechanism, report in zip(mechanisms, reports, strict=True)
        for name, value in report.test.items()
        if name.startswith(mechanism)
    }
    if test:
        test["macro_f1"] = sum(test[f"{mechanism}_macro_f1"] for mechanism in mechanisms) / len(mechanisms)
    return RunReport(folder, mechanisms, training_args.save_model, test)
