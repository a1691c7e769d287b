"""From what a model computed for annotated pairs to decisions, their metrics, and how they are best decided."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from .metrics import identification_metrics, rationale_metrics
from .model.configuration_empathy import EmpathyConfig
from .model.rationale_decisions import decided_by_clause


# Metrics of what is shown: those that need no scores.
_SHOWN = ("token_precision_micro", "token_recall_micro", "token_f1_micro", "token_f1_macro", "iou_f1_macro")
# What a threshold is chosen among.
_CANDIDATES = tuple(step / 20 for step in range(1, 20))


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
        metrics `annotated_` and `all_` of [`~modeling_empathy.metrics.rationale_metrics`], which hold what is marked
        against the annotation whatever the predicted level, those of `all_` with the prefix `shown_`: over all
        responses, of what is shown to a reader, which is nothing where the predicted level is 0.
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


def tuned_rationale_thresholds(
    config: EmpathyConfig,
    rows: Sequence[Mapping[str, Any]],
    probabilities: np.ndarray,
    labels: np.ndarray,
) -> list[float]:
    """Chooses, for each mechanism, the threshold with the best token-F1 over annotated responses.

    A rationale is shown only where the level is above 0, so the threshold is chosen on responses that have one.

    Args:
        config: The model's.
        rows: Features of a validation split.
        probabilities: `(pair, token, mechanism)`, of the rationale.
        labels: `(pair, token, mechanism)`, 0, 1 or -100.

    Returns:
        `(mechanism,)`, a multiple of 0.05; 0.5 where the split has no annotated response. Of equally good ones the
        closest to 0.5.
    """
    candidates = sorted(_CANDIDATES, key=lambda threshold: abs(threshold - 0.5))
    thresholds = []
    for index in range(labels.shape[-1]):
        annotated = np.flatnonzero((labels[:, :, index] == 1).any(axis=1))
        of_annotated = [rows[int(place)] for place in annotated] if config.rationale_unit == "clause" else []
        scored = {}
        for threshold in candidates if len(annotated) else ():
            scores, reached = decided(config, of_annotated, probabilities[annotated, :, index], threshold)
            metrics = rationale_metrics(scores, labels[annotated, :, index], threshold=reached)
            scored[threshold] = metrics["annotated_token_f1_macro"]
        thresholds.append(max(scored, key=scored.__getitem__, default=0.5))
    return thresholds
