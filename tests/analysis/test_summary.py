"""The sentences of a report say no more than the intervals they are made of."""

import pytest

from modeling_empathy.analysis.change import ADJUSTED, NAIVE, PER_YEAR, WITHIN
from modeling_empathy.analysis.estimates import Estimate
from modeling_empathy.analysis.section import Section
from modeling_empathy.analysis.summary import summary


def estimate(section, outcome, contrast, low, high, null=0.0, **more):
    return Estimate(section, outcome, "EX", contrast, (low + high) / 2, low, high, 100, 30, null, **more)


def change(within, naive=(0.1, 0.2), adjusted=None, **more):
    rows = [("change", PER_YEAR, NAIVE, *naive), ("change", PER_YEAR, ADJUSTED, *(adjusted or within))]
    section = Section("change", "Change", "?", [estimate(*row) for row in rows])
    section.estimates.append(estimate("change", PER_YEAR, WITHIN, *within, **more))
    [sentence] = summary(section)
    return sentence


def test_learning_is_said_where_it_is_shown():
    said = change((0.1, 0.2))
    assert said == (
        "Explorations: supporters communicate more of them the longer they take part, +0.150 levels a year (+0.100 to "
        "+0.200)."
    )


def test_where_the_naive_row_says_otherwise_it_is_explained():
    said = change((-0.05, 0.02))
    assert "is undecided" in said and "communicate more" not in said
    assert "would have shown a rise" in said and "mix who stays with who changes" in said


def test_where_length_and_questions_explain_it_that_is_said():
    said = change((0.1, 0.2), adjusted=(-0.02, 0.1))
    assert "With length and questions held fixed there is no change that can be told from chance" in said


def test_what_the_errors_may_explain_is_undecided():
    said = change((0.1, 0.2), corrected=0.1, corrected_low=-0.1, corrected_high=0.3)
    assert "is undecided" in said and "corrected +0.100, -0.100 to +0.300" in said


@pytest.mark.parametrize(
    ("low", "high", "said"),
    [(1.1, 1.5, "is more frequent"), (0.5, 0.9, "is less frequent"), (0.9, 1.2, "is undecided: the ratio is 1.05")],
)
def test_a_ratio_is_said_without_a_sign(low, high, said):
    section = Section("outcomes", "", "")
    section.estimates = [estimate("outcomes", "risk ratio of liked", "strong against none", low, high, null=1.0)]
    [sentence] = summary(section)
    assert said in sentence and "+" not in sentence


def test_where_what_is_held_fixed_explains_an_outcome_that_is_said():
    section = Section("outcomes", "", "")
    section.estimates = [
        estimate("outcomes", "risk ratio of liked", "strong against none", 1.2, 1.5, null=1.0),
        estimate("outcomes", "risk difference of liked, adjusted", "level 2 against 0", -0.1, 0.1),
    ]
    [sentence] = summary(section)
    assert "more frequent" in sentence and "held fixed there is no difference that can be told from chance" in sentence


def test_differences_of_groups_that_are_not_shown_are_counted_and_not_told():
    section = Section("groups", "", "")
    of = ("groups", "difference of mean levels")
    section.estimates = [
        estimate(*of, "gender: b, less a", 0.1, 0.3, p=0.01),
        estimate(*of, "gender: c, less a", 0.1, 0.3, p=0.2),
        estimate(*of, "gender: b, less a, length and questions fixed", -0.1, 0.2, p=0.4),
    ]
    shown, counted = summary(section)
    assert "gender: b, less a: a difference of +0.200 levels" in shown and "held fixed there is no difference" in shown
    assert counted == "1 of 2 differences between groups can't be told from chance."


def test_what_is_passed_on():
    section = Section("contagion", "", "")
    section.estimates = [estimate("contagion", "difference", "received", -0.3, -0.1)]
    assert summary(section)[0].startswith("People who received explorations later show less of them")
