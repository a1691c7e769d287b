"""One training run, from annotated pairs to a saved, evaluated model."""

from __future__ import annotations

import sys
from contextlib import nullcontext
from copy import copy
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import datasets
from transformers import PreTrainedTokenizerBase, ProgressCallback, set_seed
from transformers.trainer_utils import get_last_checkpoint
from transformers.utils import logging

from ..checkpoints.joined_models import join_models
from ..corpus.features import EmpathyDataCollator
from ..corpus.provenance import provenance_of_corpus
from ..encoders import load_tokenizer, name_on_hub
from ..errors import InputError
from ..evaluation.calibration import fitted_temperatures
from ..evaluation.diagnostics import diagnostics, diagnostics_tables
from ..evaluation.plots import save_plots
from ..evaluation.report import (
    confusion_counts,
    held_out_predictions,
    metrics_table,
    readable_pairs,
    save_metrics,
)
from ..evaluation.thresholds import tuned_rationale_thresholds
from ..files.whole_files import write_whole
from ..hub.model_card import save_model_card
from ..hub.run_record import RECORD, read_config, read_record
from ..model.configuration_empathy import EmpathyConfig
from ..model.modeling_empathy import EmpathyModel
from ..model.pipeline_empathy import own_tokenizer
from .arguments import DataArguments, EmpathyTrainingArguments, ModelArguments
from .build import build_model
from .data import features_of
from .seeker_states import remembered_seeker_states
from .trainer import EmpathyMetrics, EmpathyProgress, EmpathyTrainer, without_autocast


logger = logging.get_logger(__name__)


def train_and_report(
    corpus: datasets.DatasetDict,
    model_args: ModelArguments,
    data_args: DataArguments,
    training_args: EmpathyTrainingArguments,
) -> dict[str, float]:
    """Trains on the train split, keeps the best checkpoint on validation, reports on the test split.

    Level temperatures and rationale thresholds are chosen on the validation split too, unless those of another run are
    to be taken, and saved in the model's configuration. With
    `model_args.separate_models` all this happens once for each mechanism, in a folder of its own.

    Writes to `training_args.output_dir`: the model with its code and tokenizer, `metrics.json`,
    `test_predictions.parquet`, `confusion_{mechanism}.png`, `reliability.png` and `loss_curve.png`.

    Args:
        corpus: The split `train`, and `validation` and `test` where there are such.
        model_args: The model.
        data_args: How posts become tokens and labels.
        training_args: How it is trained.

    Returns:
        The test split's metrics, `{mechanism}_{metric}`; none without a test split.

    Raises:
        InputError: If a split has no pairs.
    """
    empty = [split for split, rows in corpus.items() if not len(rows)]
    if empty:
        raise InputError(f"No pairs in the split {', '.join(empty)}: the corpus is too small to be split by sp_id.")
    if model_args.separate_models and len(model_args.mechanisms) > 1:
        return _train_separately(corpus, model_args, data_args, training_args)
    if not training_args.save_model:
        logger.warning("The trained model will not be saved: --save_model saves it.")
    set_seed(training_args.seed)
    tokenizer = load_tokenizer(
        model_args.encoder, revision=model_args.encoder_revision, as_original=model_args.original_tokenization
    )
    with training_args.main_process_first(desc="tokenizing"):
        features = features_of(corpus, tokenizer, model_args, data_args)
    model = build_model(model_args, data_args, tokenizer, features["train"])
    if data_args.decisions_of is not None:
        take_decisions(model.config, Path(data_args.decisions_of))
    metrics_of = EmpathyMetrics(model.config)
    trainer = trainer_of(model, tokenizer, features, metrics_of, training_args)
    splits: dict[str, dict[str, float]] = {}
    predictions: Any = None
    # Processes that share out an encoder's weights compute in step: one that remembers would leave the others waiting.
    is_sharded = trainer.is_fsdp_enabled or trainer.is_deepspeed_enabled
    with nullcontext() if is_sharded else remembered_seeker_states(model):
        trainer.train(resume_from_checkpoint=_checkpoint(training_args))
        if "validation" in features:
            decides = data_args.decisions_of is None
            splits["validation"] = _validate(trainer, metrics_of, features["validation"], decides)
        if training_args.save_model:
            trainer.save_model()
        if "test" in features:
            predicted = trainer.predict(features["test"], metric_key_prefix="test")
            splits["test"] = _without_prefix(predicted.metrics or {}, "test")
            predictions = predicted.predictions
    if trainer.is_world_process_zero():
        record = _record(corpus, model_args, data_args, training_args)
        if predictions is not None:
            measured = trainer.accelerator.unwrap_model(trainer.model)
            # Not by the Trainer, whose other processes are not asked.
            with without_autocast(measured), remembered_seeker_states(measured):
                record |= diagnostics(
                    measured,
                    tokenizer,
                    features["test"],
                    predictions,
                    # What is sharded among processes is in none of them as a whole.
                    max_responses=0 if is_sharded else training_args.measured_rationales,
                )
        _report(trainer, features.get("test"), predictions, splits, record)
    return splits.get("test", {})


def _record(
    corpus: datasets.DatasetDict,
    model_args: ModelArguments,
    data_args: DataArguments,
    training_args: EmpathyTrainingArguments,
) -> dict[str, Any]:
    """What a run writes down beside its metrics."""
    data = {
        "provenance": provenance_of_corpus(corpus).to_dict(),
        "pairs": {split: len(rows) for split, rows in corpus.items()},
        "encoder": name_on_hub(model_args.encoder),
    }
    if data_args.decisions_of is not None:
        data["twin"] = read_record(Path(data_args.decisions_of)).publishable()
    arguments = {"model": asdict(model_args), "data": asdict(data_args), "training": training_args.to_dict()}
    return {"arguments": arguments, "data": data}


def trainer_of(
    model: EmpathyModel,
    tokenizer: PreTrainedTokenizerBase,
    features: dict[str, datasets.Dataset],
    metrics_of: EmpathyMetrics,
    training_args: EmpathyTrainingArguments,
) -> EmpathyTrainer:
    """The Trainer of a run, before it runs."""
    trainer = EmpathyTrainer(
        model=model,
        args=training_args,
        data_collator=EmpathyDataCollator(tokenizer.pad_token_id, pad_to_length=model.config.padded_length),
        train_dataset=features["train"],
        eval_dataset=features.get("validation"),
        processing_class=tokenizer,
        compute_metrics=metrics_of,
    )
    if not training_args.disable_tqdm:
        trainer.remove_callback(ProgressCallback)
        trainer.add_callback(EmpathyProgress)
    return trainer


def _validate(
    trainer: EmpathyTrainer, metrics_of: EmpathyMetrics, features: datasets.Dataset, decides: bool
) -> dict[str, float]:
    """The validation split's metrics, once temperatures and thresholds are chosen on it if they are to be."""
    validated = trainer.predict(features, metric_key_prefix="eval")
    config, labels = metrics_of.config, validated.label_ids
    if decides and trainer.args.fit_level_temperatures:
        config.level_temperatures = fitted_temperatures(validated.predictions[0], labels[0])
    if decides and trainer.args.tune_rationale_thresholds:
        config.rationale_thresholds = tuned_rationale_thresholds(config, features, validated.predictions[1], labels[1])
    return _without_prefix(validated.metrics or {}, "eval") | metrics_of(validated)


def take_decisions(config: EmpathyConfig, folder: Path) -> None:
    """Takes over how the model in a folder decides: what was chosen on its validation split.

    Raises:
        InputError: If it holds no model, or one that decides something else.
    """
    other = read_config(folder)
    for name in ("mechanisms", "rationale_unit"):
        if getattr(other, name) != getattr(config, name):
            raise InputError(
                f"--decisions_of {folder}: its {name} is {getattr(other, name)!r}, and this model's "
                f"{getattr(config, name)!r}."
            )
    config.level_temperatures, config.rationale_thresholds = other.level_temperatures, other.rationale_thresholds


def _train_separately(
    corpus: datasets.DatasetDict,
    model_args: ModelArguments,
    data_args: DataArguments,
    training_args: EmpathyTrainingArguments,
) -> dict[str, float]:
    """Trains a model for each mechanism, each in a folder of its own, and joins them in one checkpoint."""
    folder = Path(training_args.output_dir)
    test: dict[str, float] = {}
    for mechanism in model_args.mechanisms:
        print(f"\nTraining the model of {mechanism.replace('_', ' ')}", flush=True)
        of_mechanism = copy(training_args)
        of_mechanism.output_dir = str(folder / mechanism)
        if training_args.resume_from_checkpoint == "last" and not any((folder / mechanism).glob("checkpoint-*")):
            of_mechanism.resume_from_checkpoint = None  # the run before had not come to this one
        own_args = replace(model_args, mechanisms=[mechanism])
        metrics = train_and_report(corpus, own_args, data_args, of_mechanism)
        test |= {name: value for name, value in metrics.items() if name.startswith(mechanism)}
    if training_args.process_index == 0:
        if training_args.save_model:
            folders = [folder / mechanism for mechanism in model_args.mechanisms]
            joined = join_models([EmpathyModel.from_pretrained(one) for one in folders])
            joined.save_pretrained(folder)
            own_tokenizer(folders[0], joined.config).save_pretrained(folder)
        if test:
            macro_f1 = [test[f"{mechanism}_macro_f1"] for mechanism in model_args.mechanisms]
            test["macro_f1"] = sum(macro_f1) / len(macro_f1)
            confusion = {name: read_record(folder / name).confusion[name] for name in model_args.mechanisms}
            record = _record(corpus, model_args, data_args, training_args)
            save_metrics(folder / RECORD, {"test": test}, confusion=confusion, **record)
            print(f"\n{metrics_table(test, model_args.mechanisms)}")
        if training_args.save_model:
            save_model_card(folder)
            print(f"\nJoined in one checkpoint: {folder}")
    return test


def _report(
    trainer: EmpathyTrainer,
    test_features: datasets.Dataset | None,
    predictions: Any,
    splits: dict[str, dict[str, float]],
    record: dict[str, Any],
) -> None:
    config = trainer.model.config
    folder = Path(trainer.args.output_dir)
    rows = None if test_features is None else held_out_predictions(test_features, predictions, config)
    confusion = {} if rows is None else confusion_counts(rows, config)
    save_metrics(folder / RECORD, splits, confusion=confusion, **record)
    if rows is not None:
        write_whole(folder / "test_predictions.parquet", rows.to_parquet)
        print(
            f"\nHeld-out test split, {len(rows)} pairs (rationales over annotated responses unless said otherwise):\n"
        )
        print(metrics_table(splits["test"], config.mechanisms))
        print(diagnostics_tables(record))
        print(f"\nHeld-out pairs, rationales highlighted:\n\n{readable_pairs(rows, config, sys.stdout.isatty())}")
    save_plots(folder, rows, config, trainer.state.log_history)
    if trainer.args.save_model:
        save_model_card(folder)
    if not trainer.args.save_model:
        print(f"\nMetrics and plots are in {folder}; the model was not saved (--save_model saves it)")
        return
    print(f"\nModel, metrics, plots{' and predictions' if rows is not None else ''} are in {folder}")
    asked = trainer.args.save_model_path
    if asked is not None and Path(asked) != folder:
        print(
            f"  --save_model_path {asked}: no pickle is written. The folder holds the weights as safetensors, with "
            f"the tokenizer and the code.\n  `empathy score` takes it under either name; for the original code: "
            f"empathy convert --reverse --model {folder} --output_path {asked}"
        )


def _checkpoint(args: EmpathyTrainingArguments) -> str | None:
    """The checkpoint to resume from: a folder, or with `last` the newest in the output folder."""
    if args.resume_from_checkpoint != "last":
        return args.resume_from_checkpoint
    checkpoint = get_last_checkpoint(args.output_dir) if Path(args.output_dir).is_dir() else None
    if checkpoint is None:
        raise ValueError(f"--resume_from_checkpoint last: there is no checkpoint in {args.output_dir!r}.")
    return checkpoint


def _without_prefix(metrics: dict[str, float], prefix: str) -> dict[str, float]:
    return {name.removeprefix(f"{prefix}_"): value for name, value in metrics.items()}
