"""When an estimate is called up, down or undecided."""

import pytest

from modeling_empathy.analysis.estimates import COLUMNS, Estimate


def estimate(low=0.1, high=0.3, null: float | None = 0.0, **more) -> Estimate:
    return Estimate("change", "change", "EX", "within", 0.2, low, high, 100, 10, null, **more)


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({}, "up"),
        ({"low": -0.3, "high": -0.1}, "down"),
        ({"low": -0.1}, "undecided"),
        ({"null": None}, ""),
        ({"low": 0.8, "high": 0.9, "null": 1.0}, "down"),
        ({"corrected": 0.2, "corrected_low": 0.05, "corrected_high": 0.4}, "up"),
        ({"corrected": 0.2, "corrected_low": -0.05, "corrected_high": 0.4}, "undecided"),
        ({"corrected": -0.2, "corrected_low": -0.4, "corrected_high": -0.1}, "undecided"),
        ({"p": 0.01}, "up"),
        ({"p": 0.2}, "undecided"),
    ],
)
def test_a_conclusion_needs_both_intervals_and_the_test(given, said):
    assert estimate(**given).conclusion == said


def test_a_row_has_all_columns():
    assert tuple(estimate().to_row()) == COLUMNS
