"""Estimates of rows of few writers, beside dummies for each of them and beside statsmodels."""

import numpy as np
import pytest

from modeling_empathy.analysis.clustered import (
    Moments,
    independent,
    interval,
    least_squares,
    percentiles,
    resampled_sums,
)


@pytest.fixture
def data():
    draw = np.random.default_rng(5)
    who = np.repeat(np.arange(40), draw.integers(1, 9, 40))
    x = draw.normal(size=(len(who), 2)) + draw.normal(size=40)[who, None]
    y = x @ [0.5, -0.2] + draw.normal(size=40)[who] + draw.normal(size=len(who))
    return who, x, y


def moments(data, within):
    who, x, y = data
    return Moments.of_rows(["a", "b", "y"], who, np.column_stack([x, y]), within=within)


def test_of_all_rows_it_is_least_squares_and_its_error_is_that_of_leaving_out_each_writer(data):
    who, x, y = data
    fitted = least_squares(moments(data, within=False), ["y"], ["a", "b"])
    design = np.column_stack([np.ones(len(y)), x])

    def solved(kept):
        return np.linalg.lstsq(design[kept], y[kept], rcond=None)[0]

    expected = solved(np.ones(len(y), dtype=bool))
    without = np.stack([solved(who != one) for one in range(40)])
    for place, name in enumerate(["a", "b"], start=1):
        found = fitted.of(name, np.ones(1))
        assert found.estimate == pytest.approx(expected[place])
        moved = without[:, place] - expected[place]
        assert found.error == pytest.approx(np.sqrt(39 / 40 * (moved**2).sum()))
        assert 5 < found.freedom <= 39


def test_the_error_is_near_the_clustered_one_of_statsmodels(data):
    models = pytest.importorskip("statsmodels.api")
    who, x, y = data
    robust = models.OLS(y, models.add_constant(x)).fit(cov_type="cluster", cov_kwds={"groups": who})
    found = least_squares(moments(data, within=False), ["y"], ["a", "b"]).of("a", np.ones(1))
    assert found.estimate == pytest.approx(robust.params[1])
    assert robust.bse[1] * 0.9 < found.error < robust.bse[1] * 1.5


def test_a_difference_that_one_writer_makes_is_none():
    who = np.arange(60) // 2
    columns = np.column_stack([who == 7, np.random.default_rng(0).normal(size=60)]).astype(float)
    assert least_squares(Moments.of_rows(["is_seven", "y"], who, columns), ["y"], ["is_seven"]) is None


def test_a_small_group_in_which_few_write_most_is_not_called_different():
    draw, called = np.random.default_rng(1), 0
    for _ in range(200):
        counts = 1 + np.minimum(draw.pareto(1.2, 300) * 4, 400).astype(int)
        who = np.repeat(np.arange(300), counts)
        level = draw.binomial(2, draw.beta(2, 4, 300)[who] * 0.6)
        columns = np.column_stack([who < 20, level]).astype(float)
        low, high = (
            least_squares(Moments.of_rows(["x", "y"], who, columns), ["y"], ["x"]).of("x", np.ones(1)).interval()
        )
        called += low > 0 or high < 0
    assert called <= 24  # of 200; 10 are expected


def test_columns_that_say_what_others_say_are_left_out(data):
    who, x, y = data
    columns = np.column_stack([x, x[:, 0] * 1000 + 3, np.ones(len(y))])
    found = Moments.of_rows(["a", "b", "a_again", "constant"], who, columns)
    assert independent(found, ["a", "b", "a_again", "constant"]) == ["a", "b"]


def test_within_responders_it_is_least_squares_with_a_dummy_for_each(data):
    who, x, y = data
    fitted = least_squares(moments(data, within=True), ["y"], ["a", "b"])
    dummies = (who[:, None] == np.arange(40)).astype(float)
    expected = np.linalg.lstsq(np.column_stack([x, dummies]), y, rcond=None)[0]
    assert fitted.of("a", np.ones(1))[0] == pytest.approx(expected[0])
    assert fitted.of("b", np.ones(1))[0] == pytest.approx(expected[1])
    counts = np.bincount(who)
    assert (fitted.rows, fitted.responders) == (counts[counts > 1].sum(), (counts > 1).sum())


def test_a_sum_of_outcomes_has_the_coefficient_of_the_sum(data):
    who, x, y = data
    both = Moments.of_rows(["a", "y", "z"], who, np.column_stack([x[:, 0], y, x[:, 1]]))
    one = Moments.of_rows(["a", "w"], who, np.column_stack([x[:, 0], 2 * y - x[:, 1]]))
    found = least_squares(both, ["y", "z"], ["a"]).of("a", np.array([2.0, -1.0]))
    assert found == pytest.approx(least_squares(one, ["w"], ["a"]).of("a", np.ones(1)))


@pytest.mark.parametrize("columns", [np.zeros((6, 1)), np.ones((6, 2)) * np.arange(6)[:, None]])
def test_regressors_that_do_not_differ_or_say_the_same_have_no_coefficients(columns):
    names = [f"x{place}" for place in range(columns.shape[1])]
    found = Moments.of_rows([*names, "y"], np.arange(6) // 2, np.column_stack([columns, np.arange(6.0)]), within=True)
    assert least_squares(found, ["y"], names) is None


def test_where_nobody_wrote_twice_there_is_nothing_within():
    found = Moments.of_rows(["x", "y"], np.arange(6), np.random.default_rng(0).normal(size=(6, 2)), within=True)
    assert found.rows == 0 and least_squares(found, ["y"], ["x"]) is None


def test_an_interval_is_wider_of_few_blocks():
    low, high = interval(1.0, 0.1, 4)
    assert low + high == pytest.approx(2.0) and high - 1 == pytest.approx(0.27764, abs=1e-4)


def test_blocks_drawn_anew_vary_as_much_as_means_of_as_many():
    sums = np.random.default_rng(1).normal(size=(400, 1)) + 3
    both = np.concatenate([sums, np.ones((400, 1))], axis=1)
    drawn = resampled_sums(both, 4000, np.random.default_rng(2))
    means = drawn[:, 0] / drawn[:, 1]
    assert means.mean() == pytest.approx(sums.mean(), abs=0.01)
    assert means.std() == pytest.approx(sums.std() / 20, rel=0.1)
    low, high = percentiles(means)
    means[:100] = np.nan  # of a few nothing is known: the interval is wider for them
    wider = percentiles(means)
    assert wider[0] < low < high < wider[1]
    means[:300] = np.nan
    assert percentiles(means) == (-np.inf, np.inf)
    assert high - low == pytest.approx(2 * 1.96 * sums.std() / 20, rel=0.1)
