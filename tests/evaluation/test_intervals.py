"""Intervals over resampled seeker posts: each resample has the metrics of what was drawn."""

import numpy as np
import pytest
from sklearn.metrics import average_precision_score, precision_score, recall_score

from modeling_empathy.evaluation.intervals import (
    estimates,
    level_values,
    majority_values,
    mean_of,
    resampled_weights,
    scores_of,
    token_auprc_values,
    values_of,
)
from modeling_empathy.evaluation.metrics import identification_metrics
from tests.evaluation.random_predictions import by_metrics_py, random_predictions


def test_every_resample_has_the_metrics_of_the_pairs_that_were_drawn():
    rows = random_predictions(60, seed=1)
    posts = [f"post {index // 2}" for index in range(60)]
    [weights] = resampled_weights({"": posts}, resamples=20).values()
    values = values_of({"explorations": scores_of(rows)}, weights)
    assert len(values) == 2 * 10
    for index, weight in enumerate(weights):
        # The weights say how often each pair was drawn: the slow way repeats it so often.
        drawn = [row for row, times in zip(rows, weight, strict=True) for _ in range(int(times))]
        assert (len(drawn) == 60) and (weight[::2] == weight[1::2]).all()
        expected = by_metrics_py(drawn)
        for name, value in values.items():
            assert value[index] == pytest.approx(expected[name.partition("_")[2]]), (index, name)
    assert len({round(value, 9) for value in values["explorations_macro_f1"]}) > 15


def test_levels_that_do_not_occur_and_rationales_that_are_nowhere_count_as_in_metrics_py():
    empty = {"token_mask": [0, 0], "token_labels": [0, 0]}
    for levels in ([(1, 1), (1, 1)], [(0, 0), (2, 0)], [(0, 2), (2, 0)]):
        rows = [{"level": level, "annotated_level": annotated, **empty} for level, annotated in levels]
        values = values_of({"explorations": scores_of(rows)}, np.ones((1, 2)))
        expected = by_metrics_py(rows)
        assert {name: value[0] for name, value in values.items() if "mean" not in name} == pytest.approx(
            {name: expected[name.partition("_")[2]] for name in values if "mean" not in name}
        )


def test_recipes_that_predict_the_same_differ_by_nothing():
    posts = [f"post {index // 3}" for index in range(90)]
    weights = resampled_weights({"": posts}, resamples=200)[""]
    values, same = (values_of({"explorations": scores_of(random_predictions(90, seed=1))}, weights) for _ in range(2))
    # Alone its interval is wide: the difference has none because both have the same resamples.
    _, low, high = estimates(values)["explorations_accuracy"]
    assert high - low > 0.1
    assert set(estimates(values, same).values()) == {(0.0, 0.0, 0.0)}


def test_a_recipe_that_is_better_on_every_pair_is_better_for_sure():
    weights = resampled_weights({"": [str(index // 2) for index in range(100)]}, resamples=300)[""]
    worse, better = random_predictions(100, seed=1, right=0.4), random_predictions(100, seed=2, right=1.0)
    compared = estimates(*(values_of({"explorations": scores_of(rows)}, weights) for rows in (better, worse)))
    for name in ("accuracy", "macro_f1", "quadratic_weighted_kappa", "annotated_token_f1_macro", "shown_iou_f1_macro"):
        assert 0 < compared[f"explorations_{name}"].low < compared[f"explorations_{name}"].value, name
        assert compared[f"explorations_{name}"].high < 1


def test_pairs_of_one_seeker_post_are_drawn_together():
    rows = random_predictions(40, seed=1)

    def width(posts: list[str]) -> float:
        weights = resampled_weights({"": posts}, resamples=300)[""]
        _, low, high = estimates(values_of({"explorations": scores_of(rows)}, weights))["explorations_accuracy"]
        return high - low

    assert width(["the only one"] * 40) == 0
    assert width([str(index) for index in range(40)]) > 0


def test_a_post_of_several_splits_is_drawn_equally_often_in_each():
    # Three posts in all: in each resample they are drawn three times, and b as often in either split.
    weights = resampled_weights({"": ["a", "b", "b"], "1": ["b", "c"]}, resamples=50)
    assert weights[""].shape == (51, 3) and weights["1"].shape == (51, 2)
    assert (weights[""][:, 1] == weights["1"][:, 0]).all() and len(set(weights["1"][:, 0])) > 1
    assert (weights[""][:, 0] + weights[""][:, 1] + weights["1"][:, 1] == 3).all()


def test_without_resamples_the_interval_is_the_value():
    weights = resampled_weights({"": ["a", "b"]}, resamples=0)[""]
    values = values_of({"explorations": scores_of(random_predictions(2, seed=1))}, weights)
    assert all(low == value == high for value, low, high in estimates(values).values())


def test_the_mean_is_taken_resample_by_resample():
    mean = mean_of([{"x": np.array([0.0, 1.0])}, {"x": np.array([1.0, 0.0])}])
    assert mean["x"].tolist() == [0.5, 0.5]


def drawn_and_weights(pairs: int = 60, resamples: int = 12) -> tuple[list[list[dict]], np.ndarray, list[dict]]:
    """For each resample the rows that were drawn, each as often as it was."""
    rows = random_predictions(pairs, seed=1)
    weights = resampled_weights({"": [f"post {index // 2}" for index in range(pairs)]}, resamples)[""]
    drawn = [[row for row, times in zip(rows, weight, strict=True) for _ in range(int(times))] for weight in weights]
    return drawn, weights, rows


def test_precision_and_recall_of_each_level_are_those_of_scikit_learn():
    drawn, weights, rows = drawn_and_weights()
    values = level_values(scores_of(rows), weights)
    for index, chosen in enumerate(drawn):
        known = [row for row in chosen if row["annotated_level"] >= 0]
        levels = [row["annotated_level"] for row in known], [row["level"] for row in known]
        options = {"labels": [0, 1, 2], "average": None, "zero_division": 0.0}
        for name, measure in (("precision", precision_score), ("recall", recall_score)):
            found = [values[f"{name}_{level}"][index] for level in ("no", "weak", "strong")]
            assert found == pytest.approx(measure(*levels, **options).tolist()), (index, name)


def test_the_area_under_the_curve_is_that_of_scikit_learn_also_where_scores_are_equal():
    drawn, weights, rows = drawn_and_weights()
    values = token_auprc_values(rows, weights)
    for index, chosen in enumerate(drawn):
        annotated = [row for row in chosen if 1 in row["token_labels"]]
        tokens = [
            (label, score)
            for row in annotated
            for label, score in zip(row["token_labels"], row["unit_scores"], strict=True)
            if label >= 0
        ]
        assert len({score for _, score in tokens}) < len(tokens) / 2
        assert values[index] == pytest.approx(average_precision_score(*zip(*tokens, strict=True)))


def test_without_an_annotated_rationale_the_area_is_0():
    row = {"token_labels": [0, 0], "unit_scores": [0.5, 0.4]}
    assert token_auprc_values([row], np.ones((3, 1))).tolist() == [0, 0, 0]


def test_the_majority_is_measured_in_the_same_resamples():
    drawn, weights, rows = drawn_and_weights()
    values = majority_values(scores_of(rows), weights)
    for index, chosen in enumerate(drawn):
        expected = identification_metrics([0] * len(chosen), [row["annotated_level"] for row in chosen])
        assert {name: value[index] for name, value in values.items()} == pytest.approx(expected)


def test_95_of_100_intervals_hold_the_truth_where_posts_have_several_responses():
    # Responses to one post are right together, so that pairs drawn one by one would be far too sure.
    draw, covered = np.random.default_rng(0), 0
    for seed in range(200):
        is_right = np.repeat(draw.random(60) < 0.7, 4)
        rows = [
            {"level": int(right), "annotated_level": 1, "token_mask": [0], "token_labels": [0]} for right in is_right
        ]
        weights = resampled_weights({"": [str(index // 4) for index in range(240)]}, 300, seed)[""]
        _, low, high = estimates(values_of({"explorations": scores_of(rows)}, weights))["explorations_accuracy"]
        covered += low <= 0.7 <= high
    assert 180 <= covered <= 198
