"""Estimates without the classifier's errors, beside levels that were drawn and then taken for others."""

import numpy as np
import pytest

from benchmarks.simulated_interactions import ERRORS
from modeling_empathy.analysis.classifier_error import (
    ErrorRates,
    corrected_linear,
    corrected_replicates,
    values_of_predictions,
)
from modeling_empathy.analysis.risk_differences import annotated_moments, solved
from modeling_empathy.analysis.settings import MEAN_LEVEL


MATRIX = np.array(ERRORS)
COUNTS = (MATRIX * 10_000).round().astype(int).tolist()
RATES = ErrorRates(COUNTS, "a test")


def taken_for(levels: np.ndarray, draw: np.random.Generator) -> np.ndarray:
    return (draw.random(len(levels))[:, None] > MATRIX[levels].cumsum(1)[:, :2]).sum(1)


def test_shares_of_predicted_levels_become_those_of_annotated_ones():
    true = np.array([0.6, 0.3, 0.1])
    predicted = true @ MATRIX
    assert predicted @ values_of_predictions(MATRIX, MEAN_LEVEL) == pytest.approx(true @ MEAN_LEVEL)
    drawn = corrected_replicates(np.tile(predicted, (500, 1)), MEAN_LEVEL, RATES, np.random.default_rng(0))
    assert drawn.mean() == pytest.approx(0.5, abs=0.01) and 0 < drawn.std() < 0.02


def test_a_difference_of_shares_is_widened_by_what_is_not_known_of_the_errors():
    difference = (np.array([0.5, 0.3, 0.2]) - [0.7, 0.2, 0.1]) @ MATRIX
    exact = np.zeros((40, 2))
    found = {}
    for name, counts in {"many": COUNTS, "few": [[92, 5, 3], [20, 70, 10], [12, 13, 75]]}.items():
        rates = ErrorRates(counts, name)
        estimate, low, high = corrected_linear(difference[1:], exact, 39, MEAN_LEVEL, rates, np.random.default_rng(0))
        assert low < 0.3 < high and estimate == pytest.approx(0.3, abs=0.02)
        found[name] = high - low
    assert 0 < found["many"] < found["few"] / 3


def test_counts_that_tell_no_levels_apart_correct_nothing():
    assert RATES.can_be_corrected
    assert not ErrorRates([[5, 5, 5], [5, 5, 5], [5, 5, 5]], "alike").can_be_corrected
    assert not ErrorRates([[5, 0, 0], [0, 5, 0], [0, 0, 0]], "never seen").can_be_corrected


def test_a_regression_on_levels_taken_for_others_becomes_that_on_the_annotated_ones():
    draw = np.random.default_rng(7)
    levels = {code: draw.binomial(2, 0.4, 200_000) for code in ("ER", "EX")}
    length = draw.normal(size=200_000) + 0.5 * levels["EX"]
    yes = 0.1 + 0.05 * (levels["EX"] == 1) + 0.2 * (levels["EX"] == 2) - 0.04 * (levels["ER"] == 2) + 0.03 * length
    yes = yes + draw.normal(size=200_000) * 0.1

    def columns(shown):
        indicators = [shown[code] == level for code in shown for level in (1, 2)]
        return np.column_stack([np.ones(200_000), *indicators, length, yes]).astype(float)

    names = ["one", "ER 1", "ER 2", "EX 1", "EX 2", "length", "yes"]
    predicted = columns({code: taken_for(level, draw) for code, level in levels.items()})
    naive = predicted.T @ predicted
    corrected = annotated_moments(naive[None], names, {code: MATRIX[None] for code in levels})
    annotated = columns(levels)
    regressors = list(range(6))
    expected = solved((annotated.T @ annotated)[None], regressors, 6)[0]
    np.testing.assert_allclose(expected, [0.1, 0, -0.04, 0.05, 0.2, 0.03], atol=0.01)
    np.testing.assert_allclose(solved(corrected, regressors, 6)[0], expected, atol=0.02)
    assert abs(solved(naive[None], regressors, 6)[0][4] - 0.2) > 0.03
