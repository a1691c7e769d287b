"""From which probability on words are shown: chosen on a validation split."""

from __future__ import annotations

import numpy as np

from .metrics import rationale_metrics
from .metrics_by_mechanism import scores_by_unit


# Of equally good ones the closest to a half is taken: so these are tried first.
_CANDIDATES = sorted((step / 20 for step in range(1, 20)), key=lambda threshold: abs(threshold - 0.5))


def tuned_rationale_thresholds(
    unit: str, probabilities: np.ndarray, labels: np.ndarray, clauses: np.ndarray
) -> list[float]:
    """Chooses, for each mechanism, the threshold with the best token-F1 over annotated responses.

    A rationale is shown only where the level is above 0, so the threshold is chosen on responses that have one.

    Args:
        unit: `config.rationale_unit`.
        probabilities: `(pair, token, mechanism)`, of the rationale.
        labels: `(pair, token, mechanism)`, 0, 1 or -100.
        clauses: `(pair, token)`, as of [`~modeling_empathy.evaluation.metrics_by_mechanism.Annotated`].

    Returns:
        `(mechanism,)`, a multiple of 0.05; 0.5 where the split has no annotated response. Of equally good ones the
        closest to 0.5.
    """
    thresholds = []
    for index in range(labels.shape[-1]):
        rows = (labels[:, :, index] == 1).any(axis=1)
        if not rows.any():
            thresholds.append(0.5)
            continue
        # Once, not for each candidate: the threshold plays no part in the scores.
        scores, highest = scores_by_unit(unit, probabilities[rows, :, index], clauses[rows])
        token_f1 = {
            threshold: rationale_metrics(
                scores, labels[rows, :, index], threshold=np.minimum(threshold, highest).tolist()
            )["annotated_token_f1_macro"]
            for threshold in _CANDIDATES
        }
        # `max` gives the first of equal ones.
        thresholds.append(max(token_f1, key=token_f1.__getitem__))
    return thresholds
