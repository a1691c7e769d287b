"""Annotated responses beside the scored ones: what leans on them, what is refused, and how many are needed."""

import numpy as np
import pytest

from modeling_empathy.analysis.classifier_error import ErrorRates
from modeling_empathy.analysis.gold import add_gold, gold_section, labels_needed, powered_mean
from modeling_empathy.analysis.settings import MEAN_LEVEL, Settings
from modeling_empathy.errors import InputError
from tests.analysis.tables import row, table_of


ROWS = [row(number, responder=f"r{number % 30}", level=number % 3) for number in range(90)]


def gold_file(tmp_path, lines):
    path = tmp_path / "gold.csv"
    path.write_text("\n".join(["id,EX_label", *lines, ""]))
    return path


def test_levels_that_were_annotated_are_laid_beside_the_rows_and_counted(tmp_path):
    # Of each predicted level some, all annotated as one level less where there is one.
    lines = [f"p{number},{max(number % 3 - 1, 0)}" for number in range(60)]
    with table_of(ROWS) as table:
        rates = add_gold(table, gold_file(tmp_path, lines))
        assert table.one("SELECT count(EX_gold) FROM scored") == 60
        assert rates == {"EX": None}  # level 2 was never annotated: nothing can be turned back
        section = gold_section(table, Settings(replicates=200), ["EX"])
    found = {(one.outcome, one.contrast): one for one in section.estimates}
    alone = found["mean level", "annotated responses alone"]
    assert alone.estimate == pytest.approx(1 / 3) and alone.n == 60 and alone.low < 1 / 3 < alone.high
    assert found["mean level", "prediction-powered"].estimate == pytest.approx(1 / 3, abs=0.01)


def test_the_errors_are_counted_in_what_was_annotated(tmp_path):
    lines = [f"p{number},{number % 3}" for number in range(89)] + ["p89,0"]
    with table_of(ROWS) as table:
        rates = add_gold(table, gold_file(tmp_path, lines))
    assert rates["EX"].counts == [[30, 0, 1], [0, 30, 0], [0, 0, 29]] and rates["EX"].source == "gold.csv"


@pytest.mark.parametrize(
    ("lines", "said"),
    [
        (
            ["q1,0", "q2,1"],
            "none of its 2 ids is that of a scored row; the first is 'q1', and scored rows have ids as 'p",
        ),
        (["p1,0", "p1,1"], "row 2.*the id 'p1' stands twice"),
        (["p1,3"], "'EX_label': expected a level, 0, 1 or 2, got '3'"),
        ([",1"], "'id': expected the id of a scored row"),
        ([], "has no rows"),
    ],
)
def test_a_file_that_can_not_be_used_is_refused(tmp_path, lines, said):
    with table_of(ROWS) as table, pytest.raises(InputError, match=said):
        add_gold(table, gold_file(tmp_path, lines))


def test_a_file_of_other_mechanisms_is_refused(tmp_path):
    path = tmp_path / "gold.csv"
    path.write_text("id,IP_label\np1,0\n")
    with table_of(ROWS) as table, pytest.raises(InputError, match="none of the columns EX_label"):
        add_gold(table, path)


def test_an_id_of_two_rows_is_refused(tmp_path):
    with (
        table_of([*ROWS, ROWS[0] | {"EX_label": 2}]) as table,
        pytest.raises(InputError, match="'p0' is that of more than one scored row"),
    ):
        add_gold(table, gold_file(tmp_path, ["p0,1"]))


def test_ids_that_match_no_row_are_counted(tmp_path):
    with table_of(ROWS) as table:
        add_gold(table, gold_file(tmp_path, ["p1,0", "q1,0"]))
        assert "gold.csv: 1 of 2 ids are of no scored row." in table.summary.notes


def test_the_mean_is_that_of_the_labels_or_wholly_corrected():
    every, joint = np.array([50, 30, 20]), np.array([[6, 1, 0], [1, 3, 1], [0, 1, 2]])
    sums = np.concatenate([every, joint.ravel()])[None].astype(float)
    annotated, predicted = joint.sum(1) @ MEAN_LEVEL / 15, joint.sum(0) @ MEAN_LEVEL / 15
    assert powered_mean(sums, MEAN_LEVEL, 0.0)[0] == pytest.approx(annotated)
    assert powered_mean(sums, MEAN_LEVEL, 1.0)[0] == pytest.approx(0.7 + annotated - predicted)


def test_so_many_labels_give_the_interval_that_was_wanted():
    rates = ErrorRates([[920, 50, 30], [200, 700, 100], [120, 130, 750]], "counted")
    true = np.array([0.6, 0.3, 0.1])
    predicted = true @ rates.matrix
    needed = labels_needed(rates, predicted, 0.1, error=0.0)
    assert needed["prediction-powered"] < needed["labels alone"]
    draw = np.random.default_rng(0)
    joint = (true[:, None] * rates.matrix).ravel()
    for name, weight in (("labels alone", 0.0), ("prediction-powered", None)):
        gold = draw.multinomial(needed[name], joint, 4000)
        every = np.tile(predicted * 1e6, (4000, 1))
        shares = joint.reshape(3, 3)
        if weight is None:
            covariance = MEAN_LEVEL @ shares @ MEAN_LEVEL - (shares.sum(1) @ MEAN_LEVEL) * (shares.sum(0) @ MEAN_LEVEL)
            weight = covariance / (predicted @ MEAN_LEVEL**2 - (predicted @ MEAN_LEVEL) ** 2)
        means = powered_mean(np.concatenate([every, gold], axis=1).astype(float), MEAN_LEVEL, weight)
        assert 1.96 * means.std() == pytest.approx(0.1, rel=0.1)


@pytest.mark.parametrize("error", [0.01, 0.03, 0.05, 0.2])
def test_predictions_of_too_few_people_are_not_leaned_on(error):
    rates = ErrorRates([[92, 5, 3], [20, 70, 10], [12, 13, 75]], "counted")
    needed = labels_needed(rates, np.array([0.6, 0.3, 0.1]), 0.05, error=error)
    assert needed["prediction-powered"] <= needed["labels alone"]
    assert (needed["prediction-powered"] > 0.95 * needed["labels alone"]) == (error == 0.2)
