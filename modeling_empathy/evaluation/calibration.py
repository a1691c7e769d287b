"""How far a level's probability can be taken at its word, and the temperature that brings it closer.

Guo et al., "On Calibration of Modern Neural Networks", ICML 2017: logits are divided by one temperature, fitted on
held-out data, before they become probabilities. It changes no decision, only how certain it appears.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from scipy.optimize import minimize_scalar
from scipy.special import log_softmax

from ..model import modeling_empathy
from ..model.rationale_spans import IGNORE_INDEX
from .tables import table_by_mechanism


# As many, of equal width, as in Guo et al.
BINS = 15
_TABLE = {"temperature": "temperature", "ECE as trained": "ece_before", "ECE": "ece"}
# Beyond these a split says no more than that the model is always right, or always wrong.
_TEMPERATURES = (0.1, 10.0)


@dataclass(frozen=True)
class ReliabilityBin:
    """The pairs whose predicted level has a probability in one interval.

    Attributes:
        pairs: How many.
        confidence: The mean probability of their predicted level.
        accuracy: The share whose predicted level is the annotated one.
    """

    pairs: int
    confidence: float
    accuracy: float


def level_probabilities(logits: np.ndarray, temperatures: Sequence[float]) -> np.ndarray:
    """[`~modeling_empathy.model.modeling_empathy.level_probabilities`] of arrays, `(pair, mechanism, level)`."""
    return np.asarray(modeling_empathy.level_probabilities(torch.from_numpy(np.asarray(logits)), temperatures))


def fitted_temperatures(logits: np.ndarray, labels: np.ndarray) -> list[float]:
    """Finds, for each mechanism, the temperature under which held-out levels are most probable.

    Args:
        logits: `(pair, mechanism, level)`, of pairs that training did not see.
        labels: `(pair, mechanism)`, levels, or -100 where none is known.

    Returns:
        `(mechanism,)`, each from 0.1 to 10; 1 where no level is known.
    """
    temperatures = []
    for index in range(labels.shape[1]):
        known = labels[:, index] != IGNORE_INDEX
        if not known.any():
            temperatures.append(1.0)
            continue
        mechanism_logits, levels = np.asarray(logits[known, index], dtype=np.float64), labels[known, index]
        # By its logarithm, in which halving and doubling are steps of the same size.
        least = minimize_scalar(
            _surprise, bounds=np.log(_TEMPERATURES).tolist(), method="bounded", args=(mechanism_logits, levels)
        )
        # Rounded, as the search is hardly more exact and the number is to be read in a `config.json`.
        temperatures.append(round(float(np.exp(least.x)), 4))
    return temperatures


def _surprise(log_temperature: float, logits: np.ndarray, levels: np.ndarray) -> float:
    scaled = log_softmax(logits / np.exp(log_temperature), axis=-1)
    return float(-scaled[np.arange(len(levels)), levels].mean())


def reliability(probabilities: np.ndarray, labels: np.ndarray, bins: int = BINS) -> list[ReliabilityBin]:
    """Parts pairs by the probability of their predicted level, in intervals of equal width.

    Args:
        probabilities: `(pair, level)`.
        labels: `(pair,)`, levels, or -100 for pairs to leave out.
        bins: Intervals from 0 to 1; the empty ones are left out of what is returned.
    """
    known = np.asarray(labels) != IGNORE_INDEX
    confidence = np.asarray(probabilities)[known].max(axis=-1)
    is_right = np.asarray(probabilities)[known].argmax(axis=-1) == np.asarray(labels)[known]
    # A probability of 1 would lie in a bin of its own behind the last.
    places = np.minimum((confidence * bins).astype(int), bins - 1)
    return [
        ReliabilityBin(int(in_bin.sum()), float(confidence[in_bin].mean()), float(is_right[in_bin].mean()))
        for in_bin in (places == place for place in range(bins))
        if in_bin.any()
    ]


def expected_calibration_error(probabilities: np.ndarray, labels: np.ndarray, bins: int = BINS) -> float:
    """The mean distance between confidence and accuracy over the bins of [`reliability`], weighed by their pairs.

    Args:
        probabilities: `(pair, level)`.
        labels: `(pair,)`.
        bins: As in [`reliability`].

    Returns:
        From 0, well calibrated, to 1; 0 of no pairs.
    """
    parts = reliability(probabilities, labels, bins)
    distances = sum(part.pairs * abs(part.confidence - part.accuracy) for part in parts)
    return distances / max(sum(part.pairs for part in parts), 1)


def calibration_by_mechanism(
    logits: np.ndarray, labels: np.ndarray, mechanisms: Sequence[str], temperatures: Sequence[float]
) -> dict[str, dict[str, float]]:
    """The calibration error of each mechanism without and with its temperature.

    Args:
        logits: `(pair, mechanism, level)`.
        labels: `(pair, mechanism)`.
        mechanisms: Their names.
        temperatures: Theirs.

    Returns:
        For each mechanism its `temperature`, and [`expected_calibration_error`] as `ece_before` and `ece`.
    """
    before, after = (level_probabilities(logits, used) for used in ([1.0] * len(mechanisms), temperatures))
    return {
        mechanism: {
            "temperature": temperatures[index],
            "ece_before": expected_calibration_error(before[:, index], labels[:, index]),
            "ece": expected_calibration_error(after[:, index], labels[:, index]),
        }
        for index, mechanism in enumerate(mechanisms)
    }


def calibration_table(results: Mapping[str, Mapping[str, float]]) -> str:
    """The results of [`calibration_by_mechanism`] as a Markdown table with a row for each mechanism."""
    return table_by_mechanism(results, _TABLE)
