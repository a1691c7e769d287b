"""What is known of one mechanism: its metrics with intervals, its levels, and what is to be had without a model."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import datasets
import numpy as np

from ..model.mechanisms import LEVELS
from .intervals import (
    Estimate,
    estimates,
    level_values,
    majority_values,
    resampled_weights,
    scores_of,
    token_auprc_values,
    values_of,
)
from .predictions import confusion_counts


RESAMPLES = 1000


@dataclass(frozen=True)
class MeasuredMechanism:
    """A mechanism of a model on annotated pairs.

    Attributes:
        name: Its name.
        estimates: Metric to its value and interval: those of [`~modeling_empathy.evaluation.intervals.values_of`],
            and `precision_` and `recall_` of each level, and `annotated_token_auprc`.
        confusion: `(annotated level, predicted level)`.
        majority: What is annotated most often.
        majority_estimates: Metrics of always saying that.
        gain: By how much the macro-F1 is above that of always saying it, in the same resamples.
        whole_response_token_f1: The token-F1 over annotated responses of marking all of each.
    """

    name: str
    estimates: dict[str, Estimate]
    confusion: list[list[int]]
    majority: str
    majority_estimates: dict[str, Estimate]
    gain: Estimate
    whole_response_token_f1: float

    @property
    def title(self) -> str:
        """Its name in words."""
        return self.name.replace("_", " ")

    @property
    def support(self) -> dict[str, int]:
        """Level to how many pairs are annotated with it."""
        return dict(zip(LEVELS, map(sum, self.confusion), strict=True))

    @property
    def pairs(self) -> int:
        """How many pairs have an annotated level."""
        return sum(self.support.values())


def measured_mechanisms(
    rows: datasets.Dataset, mechanisms: Sequence[str], resamples: int = RESAMPLES
) -> list[MeasuredMechanism]:
    """Computes the metrics of predictions, with 95 % intervals by resampling seeker posts.

    Args:
        rows: Of [`~modeling_empathy.evaluation.predictions.held_out_predictions`].
        mechanisms: Those of the rows.
        resamples: How often seeker posts are drawn.
    """
    weights = resampled_weights({"": list(rows["sp_id"])}, resamples)[""]
    columns = {mechanism: list(rows[mechanism]) for mechanism in mechanisms}
    confusion = confusion_counts(columns, mechanisms)
    return [_measured(name, column, confusion[name], weights) for name, column in columns.items()]


def _measured(
    name: str, column: Sequence[Mapping[str, Any]], confusion: list[list[int]], weights: np.ndarray
) -> MeasuredMechanism:
    scores = scores_of(column)
    values = {
        metric.removeprefix(f"{name}_"): value
        for metric, value in values_of({name: scores}, weights).items()
        if metric.startswith(name)
    }
    values |= level_values(scores, weights)
    values["annotated_token_auprc"] = token_auprc_values(column, weights)
    always = majority_values(scores, weights)
    macro_f1 = "macro_f1"
    return MeasuredMechanism(
        name=name,
        estimates=estimates(values),
        confusion=confusion,
        majority=LEVELS[int(np.argmax([sum(row) for row in confusion]))],
        majority_estimates=estimates(always),
        gain=estimates({macro_f1: values[macro_f1]}, {macro_f1: always[macro_f1]})[macro_f1],
        whole_response_token_f1=_whole_response_token_f1(column),
    )


def _whole_response_token_f1(column: Sequence[Mapping[str, Any]]) -> float:
    # Of a response of which a share is annotated, precision is that share and recall 1.
    labels = [np.asarray(row["token_labels"]) for row in column]
    shares = [float((one == 1).sum() / (one >= 0).sum()) for one in labels if (one == 1).any()]
    return float(np.mean([2 * share / (1 + share) for share in shares])) if shares else 0.0
