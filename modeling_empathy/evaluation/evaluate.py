"""Measures a checkpoint on annotated pairs, by the corrected definitions and by the original's."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import datasets
import numpy as np
from transformers import PreTrainedTokenizerBase

from ..corpus.contrast import families
from ..corpus.features import EmpathyDataCollator, build_features
from ..model.configuration_empathy import EmpathyConfig
from ..model.modeling_empathy import EmpathyModel
from ..phases import phase
from .behaviour import measure_behaviour
from .calibration import level_probabilities
from .metrics import REPORTED
from .metrics_by_mechanism import Annotated, Predicted, metrics_by_mechanism, scores_and_thresholds
from .original_metrics import original_metrics
from .perturbations import PERTURBATIONS
from .predictions import predict
from .report import metrics_table
from .tables import markdown_table


DEFINITIONS = ("corrected", "original")


class Evaluated(NamedTuple):
    """What was measured of a checkpoint, and what on.

    Attributes:
        metrics: Definition to `{mechanism}_{metric}`.
        features: Of the pairs, as of [`~modeling_empathy.corpus.features.build_features`].
        predicted: What the model computed for them.
    """

    metrics: dict[str, dict[str, float]]
    features: datasets.Dataset
    predicted: Predicted


def evaluate_checkpoint(
    model: EmpathyModel,
    tokenizer: PreTrainedTokenizerBase,
    rows: datasets.Dataset,
    mechanisms: Sequence[str],
    *,
    definitions: Sequence[str] = ("corrected",),
    batch_size: int = 32,
    show_progress: bool = True,
) -> Evaluated:
    """Computes the metrics of some of a model's mechanisms.

    Posts are cut to the model's `max_post_length`, as their labels are and as training cuts them, also where the model
    scores long responses in windows.

    Args:
        model: In evaluation mode.
        tokenizer: The model's.
        rows: Annotated pairs: of the builder, or of [`~modeling_empathy.corpus.annotated_files.read_annotated`].
        mechanisms: Which of the model's are annotated in the rows.
        definitions: `"corrected"` (`metrics.py`), `"original"` (`original_metrics.py`; the batch size is part of it).
        batch_size: Pairs scored at once.
        show_progress: Whether a line says how far it is.
    """
    config = model.config
    max_length = config.max_post_length
    # The original also scores the padding.
    padded_length = max_length if "original" in definitions else config.padded_length
    collator = EmpathyDataCollator(tokenizer.pad_token_id, pad_to_length=padded_length, with_clauses=True)
    features = build_features(rows, tokenizer, mechanisms, max_length=max_length)
    with phase("Scoring", len(rows), "pairs", is_shown=show_progress) as line:
        predicted, annotated = predict(model, features, collator, mechanisms, batch_size, line.update)
    results = {}
    if "corrected" in definitions:
        results["corrected"] = metrics_by_mechanism(config, predicted, annotated, mechanisms)
    if "original" in definitions:
        # Tokenized once more, because the original labels an unannotated response as rationale from end to end.
        labelled = build_features(rows, tokenizer, mechanisms, max_length=max_length, unannotated="original")
        results["original"] = _original(config, mechanisms, labelled, predicted, annotated, batch_size)
    return Evaluated(results, features, predicted)


def evaluate_behaviour(
    model: EmpathyModel,
    tokenizer: PreTrainedTokenizerBase,
    rows: datasets.Dataset,
    mechanisms: Sequence[str],
    *,
    batch_size: int = 32,
    show_progress: bool = False,
) -> dict[str, Any]:
    """Measures what a model says of rows of the behaviour suite.

    Args:
        model: In evaluation mode.
        tokenizer: The model's.
        rows: Of `load_epitome(source="contrast")`.
        mechanisms: Which of the model's the rows are annotated for.
        batch_size: Pairs scored at once.
        show_progress: Whether a line says how far it is.

    Returns:
        As [`~modeling_empathy.evaluation.behaviour.measure_behaviour`].
    """
    config = model.config
    collator = EmpathyDataCollator(tokenizer.pad_token_id, pad_to_length=config.padded_length, with_clauses=True)
    temperatures = [config.level_temperatures[config.mechanisms.index(name)] for name in mechanisms]

    def probabilities_of(changed: datasets.Dataset) -> np.ndarray:
        features = build_features(changed, tokenizer, mechanisms, max_length=config.max_post_length)
        predicted, _ = predict(model, features, collator, mechanisms, batch_size, line.update)
        return level_probabilities(predicted.level_logits, temperatures)

    # As they are, and with each change.
    total = len(rows) * (1 + len(PERTURBATIONS))
    with phase("Scoring the suite", total, "responses", is_shown=show_progress) as line:
        return measure_behaviour(probabilities_of, rows, mechanisms, families())


def evaluation_table(results: dict[str, dict[str, float]], mechanisms: Sequence[str]) -> str:
    """The results as Markdown: every metric of one definition, or what both have beside each other."""
    if list(results) == ["corrected"]:
        return metrics_table(results["corrected"], mechanisms)
    in_both = [metric for metric in REPORTED if metric.original_name is not None]
    rows = []
    for mechanism in mechanisms:
        for definition, metrics in results.items():
            names = [metric.name if definition == "corrected" else metric.original_name for metric in in_both]
            cells = [f"{metrics[f'{mechanism}_{name}']:.3f}" for name in names]
            rows.append([mechanism.replace("_", " "), definition, *cells])
    return markdown_table(["mechanism", "definition", *(metric.column for metric in in_both)], rows)


def _original(
    config: EmpathyConfig,
    mechanisms: Sequence[str],
    labelled: datasets.Dataset,
    predicted: Predicted,
    annotated: Annotated,
    batch_size: int,
) -> dict[str, float]:
    token_counts = [len(ids) for ids in labelled["response_input_ids"]]
    metrics: dict[str, float] = {}
    for index, mechanism in enumerate(mechanisms):
        probabilities = predicted.rationale_probabilities[:, :, index]
        scores, thresholds = scores_and_thresholds(config, mechanism, probabilities, annotated.clauses)
        labels = np.zeros(probabilities.shape, dtype=int)
        for row, row_labels in enumerate(labelled["rationale_labels"]):
            labels[row, : token_counts[row]] = row_labels[index]
        mechanism_metrics = original_metrics(
            predicted.level_logits[:, index].argmax(-1),
            annotated.levels[:, index],
            (scores >= thresholds[:, None]).astype(int),
            labels,
            token_counts,
            batch_size,
        )
        metrics |= {f"{mechanism}_{name}": value for name, value in mechanism_metrics.items()}
    return metrics
