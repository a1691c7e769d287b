"""The table of an analysis beside what ten lines of Python make of the same rows."""

from collections import Counter

import numpy as np
import pytest

from modeling_empathy.analysis.clustered import INTERCEPT, Moments
from modeling_empathy.analysis.scored_rows import AnalysisColumns
from modeling_empathy.errors import InputError
from tests.analysis.tables import row, table_of


MONTH = 365.25 / 12


@pytest.fixture
def rows():
    draw = np.random.default_rng(3)
    return [
        row(
            number,
            responder=f"r{draw.integers(6)}",
            level=int(draw.integers(3)),
            day=float(draw.integers(0, 400)),
            seeker_id=f"s{draw.integers(4)}",
            liked=bool(draw.integers(2)),
        )
        for number in range(60)
    ]


def test_number_tenure_and_month_of_each_response(rows):
    with table_of(rows) as table:
        found = table.columns("SELECT number, nth, total, tenure, month, responder_id FROM scored ORDER BY number")
    begin = min(one["created_at"] for one in rows)
    for place, one in enumerate(rows):
        own = sorted(
            (other["created_at"], number)
            for number, other in enumerate(rows)
            if other["responder_id"] == one["responder_id"]
        )
        days = (one["created_at"] - own[0][0]) / 86400
        assert found["nth"][place] == own.index((one["created_at"], place)) + 1
        assert found["total"][place] == len(own)
        assert found["tenure"][place] == pytest.approx(days / MONTH)
        assert found["month"][place] == (one["created_at"] - begin) / 86400 // MONTH


def test_what_a_seeker_got_before(rows):
    rows[5]["liked"] = rows[9]["liked"] = None
    with table_of(rows, AnalysisColumns(outcomes=["liked"])) as table:
        table.set_history("outcome_0 = 1", "outcome_0 IS NOT NULL")
        found = table.columns("SELECT number, seeker_posts, seeker_known, seeker_yes FROM scored ORDER BY number")
    for place, one in enumerate(rows):
        before = [
            other
            for number, other in enumerate(rows)
            if other["seeker_id"] == one["seeker_id"] and (other["created_at"], number) < (one["created_at"], place)
        ]
        assert found["seeker_posts"][place] == len(before)
        known = [other["liked"] for other in before if other["liked"] is not None]
        assert (found["seeker_known"][place], found["seeker_yes"][place]) == (len(known), sum(known))


def test_rows_that_stand_twice_are_one_and_counted_and_others_of_the_same_id_are_kept_and_said(rows):
    with table_of([*rows, rows[0], rows[1], rows[2] | {"EX_label": (rows[2]["EX_label"] + 1) % 3}]) as table:
        assert table.rows == 61 and table.summary.left_out["rows that stand twice"] == 2
        assert any("1 rows have the id of another row" in note for note in table.summary.notes)


def test_counts_of_levels_by_bin(rows):
    with table_of(rows) as table:
        found = table.level_counts("EX", "least(nth, 3) - 1", 3)
        nth = table.columns("SELECT number, nth FROM scored ORDER BY number")["nth"]
        people = table.level_responders("EX")
    expected = Counter((min(int(place), 3) - 1, one["EX_label"]) for place, one in zip(nth, rows, strict=True))
    for (place, level), count in expected.items():
        assert found.counts[:, place, level].sum() == count
    assert found.counts.sum() == 60 and list(found.responders) == [6, 6, 6]
    assert list(people) == [
        len({one["responder_id"] for one in rows if one["EX_label"] == level}) for level in range(3)
    ]


@pytest.mark.parametrize("within", [False, True])
def test_moments_are_those_of_the_rows_in_memory(rows, within):
    rows.append(row(99, responder="alone", level=2))  # of one response there is no difference within
    with table_of(rows) as table:
        found = table.moments({"level": "EX", "time": "tenure"}, within=within)
        data = table.columns("SELECT responder, EX, tenure FROM scored ORDER BY number")
    columns = np.column_stack([data["EX"], data["tenure"]]).astype(float)
    expected = Moments.of_rows(["level", "time"], data["responder"], columns, within=within)
    order = [expected.names.index(name) for name in found.names]
    assert (INTERCEPT in found.names) != within
    assert (
        (found.rows, found.responders) == (expected.rows, expected.responders) == (60 + (not within), 6 + (not within))
    )
    total = expected.products.sum(0)[np.ix_(order, order)]
    np.testing.assert_allclose(found.products.sum(0), total, atol=1e-8)


def test_many_responders_are_laid_together_into_blocks():
    with table_of([row(number, responder=f"r{number // 2}", day=number % 2) for number in range(5000)]) as table:
        found = table.moments({"level": "EX"})
        assert table.responders == 2500 == found.responders and len(found.products) == 2000
        assert table.level_counts("EX", "0", 1).counts.sum() == 5000


def test_where_no_row_is_left_it_is_said_why():
    future = row(1) | {"created_at": "2999-01-01T00:00:00Z"}
    with pytest.raises(InputError, match="no row to analyse: 1 rows whose date is in the future"), table_of([future]):
        pass
