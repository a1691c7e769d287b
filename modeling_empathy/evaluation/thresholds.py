"""From which probability on words are shown: chosen on a validation split."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from ..model.configuration_empathy import EmpathyConfig
from .metrics import rationale_metrics
from .metrics_by_mechanism import decided


# What a threshold is chosen among.
_CANDIDATES = tuple(step / 20 for step in range(1, 20))


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
