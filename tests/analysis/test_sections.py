"""Single sections on rows whose answers are known without a computer."""

import numpy as np
import pytest

from modeling_empathy.analysis.change import ADJUSTED, COURSES, PER_YEAR, WITHIN, change
from modeling_empathy.analysis.classifier_error import ErrorRates
from modeling_empathy.analysis.contagion import contagion, difference
from modeling_empathy.analysis.groups import FIXED, groups, holm
from modeling_empathy.analysis.levels import levels
from modeling_empathy.analysis.outcomes import outcomes
from modeling_empathy.analysis.scored_rows import AnalysisColumns
from modeling_empathy.analysis.settings import Settings
from modeling_empathy.files.svg_figures import as_svg
from tests.analysis.tables import row, table_of


QUICK = Settings(replicates=200, modelled_rows=0)
YEAR = 365.25


def found(section, outcome, contrast):
    [one] = [one for one in section.estimates if (one.outcome, one.contrast) == (outcome, contrast)]
    return one


def test_levels_by_length_and_questions():
    rows = [row(n, f"r{n % 31}", n % 3, response_post="word " * (n % 5 + 1) + "?" * (n % 2)) for n in range(300)]
    with table_of(rows) as table:
        section = levels(table, QUICK)
    assert found(section, "share of strong", "all responses").estimate == pytest.approx(1 / 3)
    assert found(section, "mean level", "all responses").estimate == pytest.approx(1)
    lengths = [one for one in section.estimates if one.outcome == "mean level by length"]
    assert sum(one.n for one in lengths) == 300 and len(lengths) > 2
    assert found(section, "mean level by number of questions", "no question").n == 150


def test_levels_by_place_in_the_conversation():
    rows = [row(n, f"r{n % 31}", 2 * (n // 60 == 0), day=n, conversation_id=f"c{n % 60}") for n in range(300)]
    with table_of(rows) as table:
        section = levels(table, QUICK)
    by = "mean level by place in the conversation"
    assert [found(section, by, name).estimate for name in ("first", "second", "third", "later")] == [2, 0, 0, 0]
    assert [found(section, by, name).n for name in ("first", "later")] == [60, 120]


def test_expected_levels_have_a_mean_too():
    rows = [row(n, f"r{n % 31}", n % 3, EX_expected=0.5 + (n % 2)) for n in range(300)]
    with table_of(rows) as table:
        one = found(levels(table, QUICK), "mean expected level", "all responses")
    assert one.estimate == pytest.approx(1.0) and one.low < 1 < one.high


def test_a_slope_within_responders_is_of_years():
    # Everybody writes a response of level 0 and, a year behind it, one of level 1 or 2.
    rows = [row(n, f"r{n // 2}", (n % 2) * (1 + n // 2 % 2), day=YEAR * (n % 2) + n / 100) for n in range(200)]
    with table_of(rows) as table:
        section = change(table, QUICK)
    assert found(section, PER_YEAR, WITHIN).estimate == pytest.approx(1.5, rel=0.01)
    moved = found(section, f"change since the first response by {COURSES[0].name}", "2")
    assert moved.estimate == pytest.approx(1.5) and moved.conclusion == "up"


def test_who_begins_high_is_not_seen_to_fall_for_that():
    draw = np.random.default_rng(0)
    rows = [row(n, f"r{n // 8}", int(draw.integers(3)), day=n % 8 * 60 + n / 100) for n in range(2400)]
    with table_of(rows) as table:
        section = change(table, QUICK)
    began = [one for one in section.estimates if "began at" in one.contrast]
    assert len(began) == 3 and all(one.conclusion == "undecided" for one in began)


def test_what_is_held_fixed_and_says_the_same_is_left_out():
    draw = np.random.default_rng(0)
    rows = [
        row(n, f"r{n % 40}", int(draw.integers(3)), day=n, response_post="a b? " * (n % 7 + 1), sex=f"{n % 40 // 20}")
        for n in range(800)
    ]
    with table_of(rows, AnalysisColumns(groups=["sex"])) as table:
        one = found(change(table, QUICK), PER_YEAR, ADJUSTED)
        other = groups(table, Settings(replicates=200, groups=("sex",))).estimates
    assert one.n == 800 and one.conclusion == "undecided"
    assert [estimate.contrast for estimate in other] == ["sex: 1, less 0", f"sex: 1, less 0{FIXED}"]


def test_who_began_alike_is_together_and_named_by_how_they_began():
    rows = [row(n, f"r{n // 8}", 2 * (n // 8 % 4 == 0), day=n % 8 * 60 + n / 100) for n in range(800)]
    with table_of(rows) as table:
        section = change(table, QUICK)
    began = {one.contrast: one.responders for one in section.estimates if "began at" in one.contrast}
    assert began == {f"{WITHIN}, began at 0.00": 75, f"{WITHIN}, began at 2.00": 25}


@pytest.mark.parametrize("busy", [1, 5])
def test_what_few_people_differ_in_is_not_said(busy):
    rows = [row(n, f"r{n}", n % 3, day=n) for n in range(60)]
    rows += [row(100 + n, f"r{n % busy}", 2, day=100 + n) for n in range(20 * busy)]
    with table_of(rows) as table:
        section = change(table, Settings(replicates=200, modelled_rows=0, fewest=20))
    assert not [one for one in section.estimates if "who writes more" in one.contrast]


def test_rates_and_ratios_of_an_outcome():
    # Of level 0 one in five, of level 1 two, of level 2 three get a reply.
    rows = [
        row(n, f"r{n % 31}", n % 3, seeker_replied=(n // 3) % 5 < n % 3 + 1, seeker_id=f"s{n % 50}")
        for n in range(900)
    ]
    columns = AnalysisColumns(outcomes=["seeker_replied"])
    with table_of(rows, columns) as table:
        section = outcomes(table, Settings(replicates=200, outcomes=("seeker_replied",), modelled_rows=0))
    assert found(section, "rate of seeker_replied", "level 1").estimate == pytest.approx(0.4)
    assert found(section, "risk ratio of seeker_replied", "strong against none").estimate == pytest.approx(3.0)
    assert found(
        section, "risk difference of seeker_replied, adjusted", "level 2 against 0"
    ).estimate == pytest.approx(0.4, abs=0.02)


def test_a_level_of_few_people_is_not_taken_for_none():
    # Of levels 0 and 1 one in five, of level 2, from few people, nearly all.
    rows = [row(n, f"r{n % 60}", n % 2, liked=n // 2 % 5 == 0, seeker_id=f"s{n}") for n in range(1200)]
    rows += [row(2000 + n, f"r{n % 15}", 2, liked=n % 10 > 0, seeker_id=f"s{n}") for n in range(300)]
    columns = AnalysisColumns(outcomes=["liked"])
    with table_of(rows, columns) as table:
        section = outcomes(table, Settings(replicates=200, outcomes=("liked",), modelled_rows=0))
    one = found(section, "risk difference of liked, adjusted", "level 1 against 0")
    assert one.estimate == pytest.approx(0, abs=0.02) and one.conclusion == "undecided"
    assert not [other for other in section.estimates if "level 2 against" in other.contrast]


def test_two_mechanisms_that_say_the_same_and_a_rare_outcome_are_said(tmp_path):
    draw = np.random.default_rng(0)
    rows = [row(n, f"r{n % 31}", int(draw.integers(3)), liked=False, seeker_id=f"s{n % 9}") for n in range(600)]
    for one in rows:
        one["IP_label"] = one["EX_label"]
    levels_of = {level: [one for one in rows if one["EX_label"] == level] for level in range(3)}
    for one in [*levels_of[2][:60], levels_of[0][0]]:
        one["liked"] = True
    columns = AnalysisColumns(outcomes=["liked"])
    with table_of(rows, columns) as table:
        section = outcomes(table, Settings(replicates=200, outcomes=("liked",)))
    assert all(np.isfinite([one.estimate, one.low, one.high]).all() for one in section.estimates)
    said = " ".join(section.left_out)
    assert "EX, risk ratio of liked, strong against none: there is too little" in said
    assert "level 1: it says what others say" in said


def test_where_the_errors_explain_more_than_there_is_nothing_is_decided():
    draw = np.random.default_rng(0)
    rows = [row(n, f"r{n % 41}", 2 * (n % 50 == 0), liked=bool(draw.random() < 0.2)) for n in range(4000)]
    for one in rows:
        one["liked"] = one["liked"] or one["EX_label"] == 2
    rates = {"EX": ErrorRates([[90, 2, 8], [20, 70, 10], [12, 13, 75]], "counted")}
    columns = AnalysisColumns(outcomes=["liked"])
    with table_of(rows, columns) as table:
        section = outcomes(table, Settings(rates=rates, replicates=200, outcomes=("liked",), modelled_rows=0))
    one = found(section, "risk ratio of liked", "strong against none")
    assert one.low > 1 and one.corrected is None and one.conclusion == "undecided"


def test_odds_ratios_are_those_of_a_table_where_nothing_else_differs():
    pytest.importorskip("statsmodels")
    rows = [row(n, f"r{n % 31}", n % 3, seeker_replied=(n // 3) % 5 < n % 3 + 1) for n in range(900)]
    columns = AnalysisColumns(outcomes=["seeker_replied"])
    with table_of(rows, columns) as table:
        section = outcomes(table, Settings(replicates=200, outcomes=("seeker_replied",)))
    odds = found(section, "odds ratio of seeker_replied, adjusted", "weak or strong against none")
    assert odds.estimate == pytest.approx((0.5 / 0.5) / (0.2 / 0.8), rel=0.05) and odds.conclusion == "up"


def test_models_get_all_rows_of_some_people_and_say_of_how_many():
    pytest.importorskip("statsmodels")
    draw = np.random.default_rng(0)
    rows = [row(n, f"r{n % 100}", int(draw.integers(3)), day=n, liked=bool(draw.integers(2))) for n in range(1000)]
    with table_of(rows, AnalysisColumns(outcomes=["liked"])) as table:
        section = outcomes(table, Settings(replicates=200, outcomes=("liked",), modelled_rows=500))
    [odds] = [one for one in section.estimates if one.outcome.startswith("odds ratio")]
    assert odds.contrast == f"weak or strong against none (a sample: {odds.responders} of 100 responders)"
    assert odds.n == 10 * odds.responders and 30 <= odds.responders <= 70


def test_groups_with_a_quote_in_their_name():
    rows = [row(n, f"r{n % 60}", n % 2 + (n % 60 < 30), team="x" if n % 60 < 30 else "y's") for n in range(600)]
    with table_of(rows, AnalysisColumns(groups=["team"])) as table:
        section = groups(table, Settings(replicates=200, groups=("team",)))
    one = found(section, "difference of mean levels", "team: y's, less x")
    assert one.estimate == pytest.approx(-1) and one.conclusion == "down" and one.p < 0.01


@pytest.mark.parametrize(
    ("tests", "corrected"),
    [([0.01, 0.04, 0.03], [0.03, 0.06, 0.06]), ([0.5, 0.9], [1.0, 1.0]), ([], []), ([0.2], [0.2])],
)
def test_many_comparisons_are_corrected_for(tests, corrected):
    assert holm(tests) == pytest.approx(corrected)


def test_what_is_passed_on_is_compared_within_strata_alone():
    shares = np.array([[0, 0, 1.0], [0, 1, 0], [1, 0, 0], [1, 0, 0], [0, 0, 1]])
    shown, stratum = np.array([True, False, True, False, True]), np.array([0, 0, 1, 1, 2])
    # In stratum 0 one level higher, in stratum 1 none; of stratum 2 nobody can be compared.
    got = difference(shares, shown, stratum, np.ones((1, 5)))[0] @ [0, 1, 2]
    assert got == pytest.approx(0.5)


def test_only_what_is_behind_the_answers_counts_as_passed_on():
    rows, number = [], 0
    for person in range(80):
        got = person % 2 * 2  # who is answered, and how
        rows.append(row(number := number + 1, "helper", got, day=10, seeker_id=f"r{person}"))
        # What was written before the answer is of the same level for all, and the answer is what makes the difference.
        rows.append(row(number := number + 1, f"r{person}", 1, day=5, seeker_id="else"))
        rows.append(row(number := number + 1, f"r{person}", got // 2, day=40, seeker_id="else"))
        rows.append(row(number := number + 1, f"r{person}", 2 - got, day=12, seeker_id="else"))  # in the same week
    with table_of(rows) as table:
        section = contagion(table, QUICK)
    one = found(section, "difference of later mean levels", "received it, less did not")
    assert one.estimate == pytest.approx(1.0) and one.responders == 80


def test_a_figure_has_the_same_bytes_each_time_and_its_letters_stay_letters():
    rows = [row(n, f"r{n % 30}", n % 3) for n in range(300)]
    with table_of(rows) as table:
        [figure] = levels(table, QUICK).figures
    svg = as_svg(figure)
    assert svg == as_svg(figure) and "explorations</text>" in svg and "share of weak" in figure.text
