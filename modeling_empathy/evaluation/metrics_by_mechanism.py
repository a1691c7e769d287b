"""From what a model computed for annotated pairs to what it decides, and the metrics of that."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from ..model.configuration_empathy import EmpathyConfig
from ..model.rationale_decisions import decided_by_clause
from .metrics import identification_metrics, rationale_metrics


# Metrics of what is shown: those that need no scores.
_SHOWN = ("token_precision_micro", "token_recall_micro", "token_f1_micro", "token_f1_macro", "iou_f1_macro")


def metrics_by_mechanism(
    config: EmpathyConfig,
    rows: Sequence[Mapping[str, Any]],
    predictions: tuple[np.ndarray, np.ndarray],
    labels: tuple[np.ndarray, np.ndarray],
    mechanisms: Sequence[str] | None = None,
) -> dict[str, float]:
    """Computes every metric of every mechanism.

    Args:
        config: The model's.
        rows: Features of the pairs; only read where rationales are decided by clause.
        predictions: Level logits `(pair, mechanism, level)`, rationale probabilities `(pair, token, mechanism)`.
        labels: Levels `(pair, mechanism)` and rationale labels `(pair, token, mechanism)`.
        mechanisms: Those that predictions and labels are about, in their order; all of the model's when left out.

    Returns:
        `{mechanism}_{metric}` for each, and `macro_f1`, the mean of the mechanisms' macro-F1. Beside the rationale
        metrics `annotated_` and `all_` of [`~modeling_empathy.evaluation.metrics.rationale_metrics`], which hold what
        is marked against the annotation whatever the predicted level, those of `all_` with the prefix `shown_`: over
        all responses, of what is shown to a reader, which is nothing where the predicted level is 0.
    """
    mechanisms = list(mechanisms or config.mechanisms)
    metrics: dict[str, float] = {}
    for index, mechanism in enumerate(mechanisms):
        levels = np.asarray(predictions[0])[:, index].argmax(-1)
        threshold = config.rationale_thresholds[config.mechanisms.index(mechanism)]
        scores, thresholds = decided(config, rows, predictions[1][:, :, index], threshold)
        of_mechanism = identification_metrics(levels, np.asarray(labels[0])[:, index])
        of_mechanism |= rationale_metrics(scores, labels[1][:, :, index], threshold=thresholds)
        of_mechanism |= _as_shown(scores, thresholds, levels, labels[1][:, :, index])
        metrics |= {f"{mechanism}_{name}": value for name, value in of_mechanism.items()}
    macro_f1 = [metrics[f"{mechanism}_macro_f1"] for mechanism in mechanisms]
    metrics["macro_f1"] = sum(macro_f1) / len(macro_f1)
    return metrics


def _as_shown(
    scores: np.ndarray, thresholds: Sequence[float], levels: np.ndarray, labels: np.ndarray
) -> dict[str, float]:
    """Rationale metrics over all responses, of what is shown to a reader: nothing at level 0."""
    marks = (scores >= np.array(thresholds)[:, None]) & (levels > 0)[:, None]
    metrics = rationale_metrics(marks.astype(float), labels)
    return {f"shown_{name}": metrics[f"all_{name}"] for name in _SHOWN}


def decided(
    config: EmpathyConfig, rows: Sequence[Mapping[str, Any]], probabilities: np.ndarray, threshold: float
) -> tuple[np.ndarray, list[float]]:
    """Which scores are held against which threshold in each response, for one mechanism.

    Args:
        config: The model's; its `rationale_unit` is used.
        rows: Features of the pairs: `response_post`, `response_offsets`, `response_special_tokens_mask`.
        probabilities: `(pair, token)`.
        threshold: The mechanism's.

    Returns:
        `(pair, token)` and `(pair,)`.
    """
    if config.rationale_unit == "token":
        return probabilities, [threshold] * len(probabilities)
    scores, thresholds = [], []
    for row, own in zip(rows, probabilities.tolist(), strict=True):
        texts = row["response_post"], row["response_offsets"], row["response_special_tokens_mask"]
        of_row, reached = decided_by_clause(*texts, own, threshold)
        scores.append(of_row)
        thresholds.append(reached)
    return np.array(scores), thresholds
