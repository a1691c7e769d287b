"""Trains one model, decides on the validation split how it decides, and measures it on the test split."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import nullcontext
from dataclasses import asdict, replace
from functools import partial
from itertools import chain
from pathlib import Path
from typing import Any

import datasets
import numpy as np
from transformers import PreTrainedTokenizerBase, set_seed
from transformers.trainer_utils import IntervalStrategy, PredictionOutput
from transformers.utils import logging

from ..corpus.features import EmpathyDataCollator
from ..corpus.provenance import provenance_of_corpus
from ..encoders import name_on_hub
from ..errors import InputError
from ..evaluation.calibration import fitted_temperatures
from ..evaluation.diagnostics import diagnostics
from ..evaluation.evaluate import evaluate_checkpoint
from ..evaluation.metrics_by_mechanism import Annotated, Predicted, metrics_by_mechanism
from ..evaluation.plots import save_plots
from ..evaluation.post_lengths import post_lengths
from ..evaluation.predictions import confusion_counts, held_out_predictions
from ..evaluation.report import save_metrics
from ..evaluation.thresholds import tuned_rationale_thresholds
from ..files.whole_files import write_whole
from ..hub.model_card import save_model_card
from ..hub.run_record import RECORD, read_config, read_record
from ..model.configuration_empathy import EmpathyConfig
from ..model.mechanisms import LEVELS
from ..model.modeling_empathy import EmpathyModel
from ..phases import phase
from .arguments import DataArguments, EmpathyTrainingArguments, ModelArguments
from .build import build_model
from .data import features_of, suite_to_measure, tokenizer_of
from .live_line import show_live_line
from .resume import checkpoint_to_resume, decisive_arguments, remove_unfinished
from .run_report import RunReport, write_report
from .saving import replaced_model
from .seeker_states import remembered_seeker_states
from .trainer import EmpathyTrainer, metrics_of_predictions, without_autocast


logger = logging.get_logger(__name__)


def train_one_model(
    corpus: datasets.DatasetDict,
    model_args: ModelArguments,
    data_args: DataArguments,
    training_args: EmpathyTrainingArguments,
) -> RunReport:
    """Trains on the train split, keeps the best checkpoint on validation, reports on the test split.

    Level temperatures and rationale thresholds are chosen on the validation split too, unless those of another run are
    to be taken, and saved in the model's configuration.

    Writes to `training_args.output_dir`: the model with its code and tokenizer, `metrics.json`, `report.html`,
    `test_predictions.parquet`, `confusion_{mechanism}.png`, `reliability.png` and `loss_curve.png`.

    Args:
        corpus: The split `train`, and `validation` and `test` where there are such.
        model_args: The model.
        data_args: How posts become tokens and labels.
        training_args: How it is trained.

    Raises:
        InputError: If the checkpoint to go on from is missing, damaged or of another model, or what shall be evaluated
            is not there.
    """
    if not training_args.save_model:
        logger.warning("The trained model will not be saved: --save_model saves it.")
    _check_evaluation(corpus, model_args, training_args)
    # Of processes that train together, the first clears away what the others then don't see.
    with training_args.main_process_first(desc="looking for a checkpoint"):
        checkpoint = checkpoint_to_resume(training_args)
        if checkpoint is not None and training_args.process_index == 0:
            remove_unfinished(Path(training_args.output_dir))
    # Before the model is built: its heads start at random.
    set_seed(training_args.seed)
    tokenizer = tokenizer_of(model_args, data_args)
    # Of processes that train together, the others then find in the cache what the first has tokenized.
    is_first = training_args.process_index == 0
    with training_args.main_process_first(desc="tokenizing"), phase("Tokenizing", is_shown=is_first):
        features = features_of(corpus, tokenizer, model_args, data_args)
    model = build_model(model_args, data_args, features["train"])
    if data_args.decisions_of is not None:
        take_decisions(model.config, Path(data_args.decisions_of))
    trainer = trainer_of(model, tokenizer, features, training_args)
    trainer.run_arguments = decisive_arguments(model_args, data_args, training_args)
    splits: dict[str, dict[str, float]] = {}
    outcome = None
    posts = chain.from_iterable(split["seeker_input_ids"] for split in features.values())
    # Processes that share out an encoder's weights compute in step: one that remembers would leave the others waiting.
    with nullcontext() if _is_sharded(trainer) else remembered_seeker_states(model, posts):
        trainer.train(resume_from_checkpoint=None if checkpoint is None else str(checkpoint))
        if "validation" in features:
            splits["validation"] = _validate(trainer, features["validation"], decides=data_args.decisions_of is None)
        # Behind the validation split, which puts temperatures and thresholds into the configuration that is saved.
        if training_args.save_model:
            with replaced_model(Path(training_args.output_dir), trainer.is_world_process_zero()) as folder:
                trainer.save_model(str(folder))
        if "test" in features:
            outcome = trainer.predict(features["test"], metric_key_prefix="test")
            splits["test"] = _without_prefix(outcome.metrics or {}, "test")
    folder, is_saved = Path(training_args.output_dir), training_args.save_model
    report = RunReport(folder, model.config.mechanisms, is_saved, splits.get("test", {}))
    if trainer.is_world_process_zero():
        record = record_of(corpus, model_args, data_args, training_args)
        if outcome is not None:
            # Where nothing else of that kind is measured, the suite isn't.
            suite = suite_to_measure(model_args, data_args) if training_args.measured_rationales else None
            predicted = Predicted(*outcome.predictions)
            report = _measured(report, trainer, tokenizer, features["test"], predicted, suite)
        _write(report, splits, record, trainer, outcome)
    return report


def trainer_of(
    model: EmpathyModel,
    tokenizer: PreTrainedTokenizerBase,
    features: Mapping[str, datasets.Dataset],
    training_args: EmpathyTrainingArguments,
) -> EmpathyTrainer:
    """The Trainer of a run, before it runs."""
    padded_length = model.config.padded_length
    trainer = EmpathyTrainer(
        model=model,
        args=training_args,
        data_collator=EmpathyDataCollator(tokenizer.pad_token_id, pad_to_length=padded_length, with_clauses=True),
        train_dataset=features["train"],
        eval_dataset=features.get("validation"),
        processing_class=tokenizer,
        # Bound, not copied: thresholds and temperatures of the configuration change in the run.
        compute_metrics=partial(metrics_of_predictions, model.config),
    )
    show_live_line(trainer)
    return trainer


def take_decisions(config: EmpathyConfig, folder: Path) -> None:
    """Takes over how the model in a folder decides: what was chosen on its validation split.

    Raises:
        InputError: If it holds no model, or one that decides something else.
    """
    twin = read_config(folder)
    # The values stand in the order of the mechanisms, and a threshold for clauses is none for tokens.
    for name in ("mechanisms", "rationale_unit"):
        theirs, ours = getattr(twin, name), getattr(config, name)
        if theirs != ours:
            raise InputError(f"--decisions_of {folder}: its {name} is {theirs!r}, and this model's {ours!r}.")
    config.level_temperatures, config.rationale_thresholds = twin.level_temperatures, twin.rationale_thresholds


def record_of(
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


def _check_evaluation(
    corpus: datasets.DatasetDict, model_args: ModelArguments, training_args: EmpathyTrainingArguments
) -> None:
    """Finds what would stop a run at its first evaluation, an epoch later."""
    if training_args.eval_strategy == "no":
        return
    if "validation" not in corpus:
        strategy = IntervalStrategy(training_args.eval_strategy).value
        raise InputError(
            f"--eval_strategy {strategy}: there is no validation split to evaluate on; add --eval_strategy no."
        )
    config = EmpathyConfig(**model_args.config_options())
    count = len(config.mechanisms)
    # Of one made-up pair, for the names.
    predicted = Predicted(np.zeros((1, count, len(LEVELS))), np.zeros((1, 2, count)))
    annotated = Annotated(*(np.zeros(shape, dtype=int) for shape in ((1, count), (1, 2, count), (1, 2))))
    names = ["loss", *metrics_by_mechanism(config, predicted, annotated)]
    best = training_args.metric_for_best_model
    if best is not None and best.removeprefix("eval_") not in names:
        raise InputError(f"--metric_for_best_model {best}: there is no such metric; choose one of {', '.join(names)}.")


def _validate(trainer: EmpathyTrainer, features: datasets.Dataset, decides: bool) -> dict[str, float]:
    """The validation split's metrics, once temperatures and thresholds are chosen on it if they are to be."""
    # Not `evaluate`, which gives metrics alone: temperatures and thresholds are chosen by what was predicted.
    outcome = trainer.predict(features, metric_key_prefix="eval")
    config, predicted, annotated = trainer.model.config, Predicted(*outcome.predictions), Annotated(*outcome.label_ids)
    if decides and trainer.args.fit_level_temperatures:
        config.level_temperatures = fitted_temperatures(predicted.level_logits, annotated.levels)
    if decides and trainer.args.tune_rationale_thresholds:
        config.rationale_thresholds = tuned_rationale_thresholds(
            config.rationale_unit, predicted.rationale_probabilities, annotated.rationale_labels, annotated.clauses
        )
    # The metrics of the Trainer are of the decisions before; its loss and its times stay.
    return _without_prefix(outcome.metrics or {}, "eval") | metrics_by_mechanism(config, predicted, annotated)


def _measured(
    report: RunReport,
    trainer: EmpathyTrainer,
    tokenizer: PreTrainedTokenizerBase,
    features: datasets.Dataset,
    predicted: Predicted,
    suite: datasets.Dataset | None,
) -> RunReport:
    """The report with what was predicted for a held-out split, and what stands behind it."""
    model = trainer.accelerator.unwrap_model(trainer.model)
    predictions = held_out_predictions(features, predicted, model.config)
    # Not by the Trainer, whose other processes are not asked; what is sharded among them is in none as a whole.
    max_responses = 0 if _is_sharded(trainer) else trainer.args.measured_rationales
    original: Mapping[str, float] = {}
    with phase("Measuring what stands behind the figures"), without_autocast(model), remembered_seeker_states(model):
        measured = diagnostics(
            model, tokenizer, features, predicted, predictions, max_responses=max_responses, suite=suite
        )
        if max_responses:
            # Once more, because the original's metrics also count what is predicted for padding.
            original = evaluate_checkpoint(
                model, tokenizer, features, report.mechanisms, definitions=("original",), show_progress=False
            ).metrics["original"]
    lengths = post_lengths(features, tokenizer, model.config.max_post_length)
    return replace(report, predictions=predictions, diagnostics=measured, original=original, lengths=lengths)


def _write(
    report: RunReport,
    splits: dict[str, dict[str, float]],
    record: dict[str, Any],
    trainer: EmpathyTrainer,
    outcome: PredictionOutput | None,
) -> None:
    folder, predictions = report.folder, report.predictions
    config, log = trainer.model.config, trainer.state.log_history
    confusion = {} if predictions is None else confusion_counts(predictions, report.mechanisms)
    if report.original:
        splits = {**splits, "test_original": dict(report.original)}
    save_metrics(folder / RECORD, splits, confusion=confusion, **record, **report.diagnostics)
    if predictions is None or outcome is None:
        save_plots(folder, log, config)
    else:
        write_whole(folder / "test_predictions.parquet", predictions.to_parquet)
        save_plots(folder, log, config, confusion, outcome.predictions[0], outcome.label_ids[0])
    write_report(report, log)
    if report.is_saved:
        save_model_card(folder)


def _is_sharded(trainer: EmpathyTrainer) -> bool:
    """Whether each process holds a part of the weights."""
    return bool(trainer.is_fsdp_enabled or trainer.is_deepspeed_enabled)


def _without_prefix(metrics: dict[str, float], prefix: str) -> dict[str, float]:
    return {name.removeprefix(f"{prefix}_"): value for name, value in metrics.items()}
