"""From what a model computed for annotated pairs to what it decides, and the metrics of that."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from ..model.configuration_empathy import EmpathyConfig
from ..model.rationale_decisions import unit_scores
from .metrics import identification_metrics, rationale_metrics


# Metrics of what is shown: those that need no scores.
_SHOWN = ("token_precision_micro", "token_recall_micro", "token_f1_micro", "token_f1_macro", "iou_f1_macro")


class Predicted(NamedTuple):
    """What a model computed for pairs.

    Attributes:
        level_logits: `(pair, mechanism, level)`.
        rationale_probabilities: `(pair, token, mechanism)`, of each token of the response to be in the rationale.
    """

    level_logits: np.ndarray
    rationale_probabilities: np.ndarray


class Annotated(NamedTuple):
    """What is known of the same pairs.

    Attributes:
        levels: `(pair, mechanism)`, or -100 where none is known.
        rationale_labels: `(pair, token, mechanism)`, 0, 1, or -100 where nothing is known.
        clauses: `(pair, token)`, the clause of the response that a token is in; negative for special and padding
            tokens.
    """

    levels: np.ndarray
    rationale_labels: np.ndarray
    clauses: np.ndarray


def metrics_by_mechanism(
    config: EmpathyConfig, predicted: Predicted, annotated: Annotated, mechanisms: Sequence[str] | None = None
) -> dict[str, float]:
    """Computes every metric of every mechanism.

    Args:
        config: The model's.
        predicted: What it computed.
        annotated: What is held against it.
        mechanisms: Those that both are about, in their order; all of the model's when left out.

    Returns:
        `{mechanism}_{metric}` for each, and `macro_f1`, the mean of the mechanisms' macro-F1. Beside the rationale
        metrics `annotated_` and `all_` of [`~modeling_empathy.evaluation.metrics.rationale_metrics`], which hold what
        is marked against the annotation whatever the predicted level, those of `all_` with the prefix `shown_`: over
        all responses, of what is shown to a reader, which is nothing where the predicted level is 0.
    """
    mechanisms = list(mechanisms or config.mechanisms)
    metrics: dict[str, float] = {}
    for index, mechanism in enumerate(mechanisms):
        levels = predicted.level_logits[:, index].argmax(-1)
        labels = annotated.rationale_labels[:, :, index]
        probabilities = predicted.rationale_probabilities[:, :, index]
        scores, thresholds = scores_and_thresholds(config, mechanism, probabilities, annotated.clauses)
        mechanism_metrics = identification_metrics(levels, annotated.levels[:, index])
        mechanism_metrics |= rationale_metrics(scores, labels, threshold=thresholds.tolist())
        mechanism_metrics |= _as_shown(scores, thresholds, levels, labels)
        metrics |= {f"{mechanism}_{name}": value for name, value in mechanism_metrics.items()}
    # By this number the best checkpoint of a run is chosen.
    macro_f1 = [metrics[f"{mechanism}_macro_f1"] for mechanism in mechanisms]
    metrics["macro_f1"] = sum(macro_f1) / len(macro_f1)
    return metrics


def scores_and_thresholds(
    config: EmpathyConfig, mechanism: str, probabilities: np.ndarray, clauses: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """What a model holds against what, to decide on the rationales of one mechanism: `(pair, token)` and `(pair,)`.

    Args:
        config: The model's.
        mechanism: One of the model's.
        probabilities: `(pair, token)`, of the mechanism.
        clauses: `(pair, token)`, of [`Annotated`].
    """
    scores, highest = scores_by_unit(config.rationale_unit, probabilities, clauses)
    return scores, np.minimum(config.rationale_thresholds[config.mechanisms.index(mechanism)], highest)


def scores_by_unit(unit: str, probabilities: np.ndarray, clauses: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Applies [`~modeling_empathy.model.rationale_decisions.unit_scores`] to each response.

    Args:
        unit: `config.rationale_unit`.
        probabilities: `(pair, token)`, of one mechanism.
        clauses: `(pair, token)`, of [`Annotated`].

    Returns:
        The scores `(pair, token)`, and what the best unit of each response has, `(pair,)`: a threshold applies as
        `min(threshold, highest)`.
    """
    rows = [
        unit_scores(unit, response_probabilities, response_clauses)
        for response_probabilities, response_clauses in zip(probabilities.tolist(), clauses.tolist(), strict=True)
    ]
    return np.array([scores for scores, _ in rows]), np.array([highest for _, highest in rows])


def _as_shown(scores: np.ndarray, thresholds: np.ndarray, levels: np.ndarray, labels: np.ndarray) -> dict[str, float]:
    """Rationale metrics over all responses, of what is shown to a reader: nothing at level 0."""
    marks = (scores >= thresholds[:, None]) & (levels > 0)[:, None]
    metrics = rationale_metrics(marks.astype(float), labels)
    return {f"shown_{name}": metrics[f"all_{name}"] for name in _SHOWN}
