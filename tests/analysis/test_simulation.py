"""What is true is found: ten simulations of each world (`python -m benchmarks.simulation` does two hundred)."""

import numpy as np
import pytest

from benchmarks.simulated_interactions import NO_ERRORS, World, simulated
from benchmarks.simulation import WORLDS, Check, checked, courses, power, slope
from modeling_empathy.analysis.change import ADJUSTED, NAIVE, WITHIN
from modeling_empathy.analysis.mixed_models import MIXED


pytest.importorskip("statsmodels")

pytestmark = pytest.mark.slow


def of(name: str, *estimates: str) -> dict[str, dict]:
    """The rows of a world's checks, of ten simulations; of all checks when none is named."""
    world, checks = WORLDS[name]
    chosen = [check for check in checks if not estimates or check.name in estimates]
    rows = checked(world, chosen, 10)
    # In one or two, the errors may explain more than there is.
    assert len(rows) == len(chosen) and all(row["simulations"] >= 8 for row in rows)
    return {row["estimate"]: row for row in rows}


def test_the_naive_comparison_is_fooled_by_who_leaves_and_the_one_within_responders_is_not():
    rows = of("nobody changes, who shows little leaves", NAIVE, WITHIN, ADJUSTED)
    assert rows[NAIVE]["coverage"] <= 0.2 and rows[NAIVE]["decided"] >= 0.8 and rows[NAIVE]["mean"] > 0.05
    for name in (WITHIN, ADJUSTED):
        assert rows[name]["coverage"] >= 0.8 and abs(rows[name]["mean"]) < 0.02


def test_learning_is_found_where_there_is_some():
    rows = of("all rise by .1 a year, who shows little leaves", WITHIN)
    assert rows[WITHIN]["decided"] >= 0.9 and rows[WITHIN]["mean"] == pytest.approx(0.1, abs=0.015)


def test_the_mixed_model_is_not_fooled_either():
    world = World(responders=150, dropout=1.0)
    [row] = checked(world, slope(0.0, MIXED), 5)
    assert row["coverage"] >= 0.8 and abs(row["mean"]) < 0.03


def test_the_classifiers_errors_are_taken_out_of_a_slope():
    rows = of("the same, and the classifier errs")
    assert rows[WITHIN]["mean"] < 0.085
    assert rows[f"{WITHIN}, corrected"]["mean"] == pytest.approx(0.1, abs=0.02)
    assert rows[f"{WITHIN}, corrected"]["coverage"] >= 0.8


def test_the_classifiers_errors_are_taken_out_of_levels_and_what_they_bring():
    rows = of("a level brings .1 more replies, and the classifier errs")
    for name, row in rows.items():
        if name.endswith("corrected") or "annotated" in name or "powered" in name:
            # The median: what is left without the errors has a long tail, where few are strong.
            assert row["coverage"] >= 0.7, name
            assert row["median"] == pytest.approx(row["truth"], rel=0.3 if "risk" in name else 0.15), name
    assert rows["risk ratio, strong against none"]["mean"] < 1.8
    assert rows["risk difference, strong against none, adjusted"]["mean"] < 0.16


def test_where_levels_bring_nothing_nothing_is_found():
    for row in of("levels bring nothing, and the classifier errs").values():
        assert row["coverage"] >= 0.8 and row["decided"] <= 0.2


def test_a_difference_of_groups_that_is_one_of_length_goes_away_with_length_fixed():
    rows = of("groups differ by .1, one writes twice as long, and length brings levels")
    assert rows["difference"]["mean"] > 0.18
    assert rows["difference, length fixed"]["mean"] == pytest.approx(0.1, abs=0.03)
    assert rows["difference, length fixed"]["coverage"] >= 0.8


def test_the_classifiers_errors_are_taken_out_of_groups():
    rows = of("groups differ by .2, and the classifier errs")
    assert rows["difference"]["mean"] < 0.17
    assert rows["difference, corrected"]["mean"] == pytest.approx(0.2, abs=0.03)


@pytest.mark.parametrize("name", ["nothing is passed on", "who was shown it shows .3 more"])
def test_what_is_passed_on(name):
    [row] = of(name).values()
    assert row["coverage"] >= 0.7 and row["mean"] == pytest.approx(row["truth"], abs=0.05)
    assert row["decided"] >= 0.9 if row["truth"] else row["decided"] <= 0.3


def test_the_naive_course_rises_and_that_of_the_same_responders_does_not():
    naive, within = courses(World(dropout=1.0), 5)
    assert naive[5] > naive[0] + 0.1
    assert abs(within[5] - within[0]) < 0.06


def test_more_responders_find_more():
    few, many = (power(World(responders=responders, drift=0.05, dropout=1.0), 20) for responders in (50, 800))
    assert few < many and many >= 0.8


def test_a_world_is_the_one_that_is_described():
    rows = simulated(World(responders=4000, drift=0.1), 0)
    first = np.full(4000, np.inf)
    np.minimum.at(first, rows["responder_id"], rows["created_at"])
    years = (rows["created_at"] - first[rows["responder_id"]]) / (365.25 * 86400)
    own = np.bincount(rows["responder_id"], rows["EX_true"]) / np.bincount(rows["responder_id"])
    centre = np.bincount(rows["responder_id"], years) / np.bincount(rows["responder_id"])
    x, y = years - centre[rows["responder_id"]], rows["EX_true"] - own[rows["responder_id"]]
    assert (x @ y) / (x @ x) == pytest.approx(0.1, abs=0.01)
    assert (rows["EX_label"] == rows["EX_true"]).all() and World().errors == NO_ERRORS


def test_a_check_looks_at_one_row_alone():
    from benchmarks.simulation import matches
    from modeling_empathy.analysis.estimates import Estimate

    check = Check("x", of, "change per year of tenure", WITHIN, 0.0)
    one = Estimate("change", "change per year of tenure", "EX", WITHIN, 0, 0, 0, 1, 1)
    assert matches(one, check)
    for other in (ADJUSTED, NAIVE, f"{WITHIN}, lowest third at the beginning"):
        assert not matches(Estimate("change", one.outcome, "EX", other, 0, 0, 0, 1, 1), check)
