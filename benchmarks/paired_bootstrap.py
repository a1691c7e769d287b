"""Intervals of metrics over resampled seeker posts, the same resamples for everything that is compared.

A resample is a weight for each pair, the number of times its seeker post was drawn, so that a metric of all resamples
is a product of matrices. The definitions are those of modeling_empathy/evaluation/metrics.py; the tests hold the two
together.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from modeling_empathy.evaluation.metrics import rationale_metrics
from modeling_empathy.model.mechanisms import LEVELS
from modeling_empathy.model.rationale_spans import IGNORE_INDEX


# `{mechanism}_{metric}` as in metrics.json, and `mean_{metric}` of all mechanisms; `(1 + resamples,)`, the first value
# being that of the sample itself.
Values = dict[str, NDArray[np.float64]]


class Estimate(NamedTuple):
    """A metric, or a difference of two, with its 95 % interval."""

    value: float
    low: float
    high: float


@dataclass(frozen=True)
class MechanismScores:
    """What a run says of one mechanism; every field has a value for each pair.

    Attributes:
        predicted: Level.
        annotated: Level; -100 where there is none.
        token_f1: The response's own token-F1; 0 where no rationale is annotated or predicted.
        iou_f1: Likewise its IOU-F1.
        is_annotated: Whether a rationale is annotated.
        is_shown: Whether one is predicted and shown, which it is where the predicted level is above 0.
    """

    predicted: NDArray[np.int64]
    annotated: NDArray[np.int64]
    token_f1: NDArray[np.float64]
    iou_f1: NDArray[np.float64]
    is_annotated: NDArray[np.bool_]
    is_shown: NDArray[np.bool_]


def scores_of(predictions: Sequence[Mapping[str, Any]]) -> MechanismScores:
    """Reads one mechanism's column of `test_predictions.parquet`.

    Args:
        predictions: For each pair `annotated_level`, `level`, `token_mask` and `token_labels`.
    """
    token_f1, iou_f1 = np.zeros((2, len(predictions)))
    is_annotated, is_marked = np.zeros((2, len(predictions)), dtype=bool)
    for index, row in enumerate(predictions):
        marks, labels = np.asarray(row["token_mask"], dtype=float), np.asarray(row["token_labels"], dtype=int)
        is_annotated[index] = (labels == 1).any()
        is_marked[index] = (marks[labels != IGNORE_INDEX] > 0).any()
        if is_annotated[index] or is_marked[index]:
            metrics = rationale_metrics([marks], [labels])
            token_f1[index], iou_f1[index] = metrics["all_token_f1_macro"], metrics["all_iou_f1_macro"]
    predicted, annotated = (np.array([row[name] for row in predictions]) for name in ("level", "annotated_level"))
    return MechanismScores(predicted, annotated, token_f1, iou_f1, is_annotated, is_marked & (predicted > 0))


def resampled_weights(
    posts: Mapping[str, Sequence[str]], resamples: int, seed: int = 0
) -> dict[str, NDArray[np.float64]]:
    """Draws seeker posts with replacement, as many as there are.

    A post is drawn equally often in every split that it stands in: test splits of several salts share posts, and drawn
    apart they would pass for independent, which makes intervals of their mean too narrow.

    Args:
        posts: For each salt the seeker post's id of each pair of its test split.
        resamples: How often all posts are drawn.
        seed: Of the draws.

    Returns:
        For each salt `(1 + resamples, pair)`; the first row is the sample itself, all 1.
    """
    names = sorted({post for split in posts.values() for post in split})
    rank = {post: index for index, post in enumerate(names)}
    drawn = np.random.default_rng(seed).multinomial(len(names), np.full(len(names), 1 / len(names)), size=resamples)
    counts = np.vstack([np.ones((1, len(names))), drawn])
    return {salt: counts[:, [rank[post] for post in split]] for salt, split in posts.items()}


def values_of(scores: Mapping[str, MechanismScores], weights: NDArray[np.float64]) -> Values:
    """The metrics of a run in every resample.

    Args:
        scores: For each mechanism.
        weights: `(1 + resamples, pair)`, of [`resampled_weights`].
    """
    by_mechanism = {
        name: _level_values(mechanism_scores, weights) | _rationale_values(mechanism_scores, weights)
        for name, mechanism_scores in scores.items()
    }
    values = {f"{name}_{metric}": value for name, metrics in by_mechanism.items() for metric, value in metrics.items()}
    return values | {f"mean_{metric}": value for metric, value in mean_of(list(by_mechanism.values())).items()}


def mean_of(values: Sequence[Values]) -> Values:
    """The mean over runs, salts or mechanisms, resample by resample."""
    return {name: np.mean([run_values[name] for run_values in values], axis=0) for name in values[0]}


def estimates(values: Values, baseline: Values | None = None) -> dict[str, Estimate]:
    """Each metric, or its difference to a baseline's in the same resamples, with its percentile interval."""
    intervals = {}
    for name, value in values.items():
        compared = value if baseline is None else value - baseline[name]
        # Without resamples the interval is the value.
        low, high = np.percentile(compared[1:] if len(compared) > 1 else compared, [2.5, 97.5])
        intervals[name] = Estimate(float(compared[0]), float(low), float(high))
    return intervals


def _level_values(scores: MechanismScores, weights: NDArray[np.float64]) -> Values:
    size = len(LEVELS)
    kept = scores.annotated != IGNORE_INDEX
    cells = np.eye(size**2)[scores.annotated[kept] * size + scores.predicted[kept]]
    confusion = (weights[:, kept] @ cells).reshape(-1, size, size)
    annotated, predicted = confusion.sum(axis=2), confusion.sum(axis=1)
    right, pairs = np.diagonal(confusion, axis1=1, axis2=2), confusion.sum(axis=(1, 2))
    f1 = _ratio(2 * right, annotated + predicted)
    distance = np.subtract.outer(np.arange(size), np.arange(size)) ** 2
    observed = (confusion * distance).sum(axis=(1, 2))
    by_chance = np.einsum("ri,rj,ij->r", annotated, predicted, distance)
    return {
        "accuracy": _ratio(right.sum(axis=1), pairs),
        # A level that occurs in neither is left out of the mean.
        "macro_f1": _ratio(f1.sum(axis=1), (annotated + predicted > 0).sum(axis=1)),
        **{f"f1_{level}": f1[:, index] for index, level in enumerate(LEVELS)},
        "quadratic_weighted_kappa": np.where(by_chance > 0, 1 - _ratio(observed * pairs, by_chance), 0.0),
    }


def _rationale_values(scores: MechanismScores, weights: NDArray[np.float64]) -> Values:
    annotated, counted = scores.is_annotated, scores.is_annotated | scores.is_shown
    values = {}
    for name, f1 in (("token_f1_macro", scores.token_f1), ("iou_f1_macro", scores.iou_f1)):
        values[f"annotated_{name}"] = _ratio(weights @ (f1 * annotated), weights @ annotated.astype(float))
        values[f"shown_{name}"] = _ratio(weights @ (f1 * scores.is_shown), weights @ counted.astype(float))
    return values


def _ratio(part: NDArray[Any], whole: NDArray[Any]) -> NDArray[np.float64]:
    """The ratio; 0 where there is nothing to count."""
    return np.divide(part, whole, out=np.zeros(np.shape(part)), where=whole > 0)
