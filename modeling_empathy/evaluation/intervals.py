"""Intervals of metrics over resampled seeker posts, the same resamples for everything that is compared.

A resample is a weight for each pair, the number of times its seeker post was drawn, so that a metric of all resamples
is a product of matrices. The definitions are those of `metrics.py`; the tests hold the two together.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..model.mechanisms import LEVELS
from ..model.rationale_spans import IGNORE_INDEX
from .metrics import span_counts, spans_of, token_counts


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
        labels = np.asarray(row["token_labels"], dtype=int)
        kept = labels != IGNORE_INDEX
        marks, labels = np.asarray(row["token_mask"])[kept] == 1, labels[kept] == 1
        is_annotated[index], is_marked[index] = labels.any(), marks.any()
        token_f1[index] = token_counts(marks, labels).f1
        iou_f1[index] = span_counts(spans_of(marks), spans_of(labels)).f1
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
    by_mechanism = {name: _values_of_mechanism(mechanism_scores, weights) for name, mechanism_scores in scores.items()}
    values = {f"{name}_{metric}": value for name, metrics in by_mechanism.items() for metric, value in metrics.items()}
    return values | {f"mean_{metric}": value for metric, value in mean_of(list(by_mechanism.values())).items()}


def _values_of_mechanism(scores: MechanismScores, weights: NDArray[np.float64]) -> Values:
    confusion = _confusion(scores.annotated, scores.predicted, weights)
    return _identification_values(confusion) | _rationale_values(scores, weights)


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


def level_values(scores: MechanismScores, weights: NDArray[np.float64]) -> Values:
    """Precision and recall of each level in every resample, as `precision_weak` and `recall_weak`."""
    confusion = _confusion(scores.annotated, scores.predicted, weights)
    right = np.diagonal(confusion, axis1=1, axis2=2)
    precision, recall = _ratio(right, confusion.sum(axis=1)), _ratio(right, confusion.sum(axis=2))
    return {
        f"{name}_{level}": values[:, index]
        for name, values in (("precision", precision), ("recall", recall))
        for index, level in enumerate(LEVELS)
    }


def majority_values(scores: MechanismScores, weights: NDArray[np.float64]) -> Values:
    """The metrics of always saying the level that is annotated most often, in every resample."""
    known = scores.annotated[scores.annotated != IGNORE_INDEX]
    always = np.full(len(scores.annotated), np.bincount(known, minlength=len(LEVELS)).argmax())
    return _identification_values(_confusion(scores.annotated, always, weights))


def token_auprc_values(predictions: Sequence[Mapping[str, Any]], weights: NDArray[np.float64]) -> NDArray[np.float64]:
    """`annotated_token_auprc` in every resample, `(1 + resamples,)`.

    Args:
        predictions: As of [`scores_of`], each also with `unit_scores`.
        weights: Of [`resampled_weights`].
    """
    pairs, scores, labels = [], [], []
    for index, row in enumerate(predictions):
        references = np.asarray(row["token_labels"])
        kept = references != IGNORE_INDEX
        if (references == 1).any():
            pairs.append(np.full(kept.sum(), index))
            scores.append(np.asarray(row["unit_scores"], dtype=float)[kept])
            labels.append(references[kept] == 1)
    if not pairs:
        return np.zeros(len(weights))
    order = np.argsort(-np.concatenate(scores), kind="stable")
    pair, score, label = (np.concatenate(part)[order] for part in (pairs, scores, labels))
    # Tokens of one score are found together.
    ends = np.flatnonzero(np.append(np.diff(score) != 0, True))
    # Some resamples at a time: all of them, token by token, would be gigabytes of a large split.
    return np.concatenate(
        [_average_precision(weights[start : start + 50][:, pair], label, ends) for start in range(0, len(weights), 50)]
    )


def _average_precision(weights: NDArray[Any], labels: NDArray[Any], ends: NDArray[Any]) -> NDArray[np.float64]:
    """Of tokens in the order of their scores; `ends` has the last of each score."""
    found, right = weights.cumsum(axis=1)[:, ends], (weights * labels).cumsum(axis=1)[:, ends]
    gained = np.diff(right, axis=1, prepend=0)
    return _ratio((gained * _ratio(right, found)).sum(axis=1), right[:, -1])


def _confusion(annotated: NDArray[Any], predicted: NDArray[Any], weights: NDArray[Any]) -> NDArray[np.float64]:
    """`(1 + resamples, annotated level, predicted level)`."""
    size, kept = len(LEVELS), annotated != IGNORE_INDEX
    cells = np.eye(size**2)[annotated[kept] * size + predicted[kept]]
    return (weights[:, kept] @ cells).reshape(-1, size, size)


def _identification_values(confusion: NDArray[np.float64]) -> Values:
    levels = np.arange(len(LEVELS))
    annotated, predicted = confusion.sum(axis=2), confusion.sum(axis=1)
    right, pairs = np.diagonal(confusion, axis1=1, axis2=2), confusion.sum(axis=(1, 2))
    f1 = _ratio(2 * right, annotated + predicted)
    distance = np.subtract.outer(levels, levels) ** 2
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
