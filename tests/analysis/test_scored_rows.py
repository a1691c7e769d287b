"""What an analysis reads: ids, dates, levels and outcomes as people write them, and what is refused or left out."""

import datetime

import pytest

from modeling_empathy.analysis.scored_rows import AnalysisColumns
from modeling_empathy.errors import InputError, RowError
from tests.analysis.tables import BEGIN, DAY, read, row


@pytest.mark.parametrize(
    ("written", "seconds"),
    [
        ("2020-01-31T12:00:00Z", 1580472000),
        ("2020-01-31T14:00:00+02:00", 1580472000),
        ("2020-01-31 12:00:00", 1580472000),
        ("2020-01-31", 1580428800),
        ("20200131", 1580428800),
        ("2020", 1577836800),
        (1580472000, 1580472000),
        ("1580472000", 1580472000),
        (1580472000000, 1580472000),
        (1580472000000000, 1580472000),
    ],
)
def test_a_date_is_read_as_people_write_it(written, seconds):
    assert read([row(1) | {"created_at": written}])[1][0]["created"] == seconds


@pytest.mark.parametrize(
    "written", ["yesterday", "31.01.2020", "2020-13-01", "", None, True, 20200131, 2020, "inf", -5]
)
def test_what_is_no_date_is_named_with_file_row_column_and_value(written):
    with pytest.raises(RowError, match=r"rows.jsonl.*line 1.*'created_at'.*expected a date.*got"):
        read([row(1) | {"created_at": written}])


def test_dates_without_a_zone_are_utc_and_the_report_says_so():
    summary, rows = read(
        [row(1) | {"created_at": "2020-01-31T12:00:00"}, row(2) | {"created_at": "2020-01-31T12:00:00Z"}]
    )
    assert rows[0]["created"] == rows[1]["created"]
    assert any(note.startswith("1 dates have no time zone") for note in summary.notes)


def test_dates_in_the_future_are_left_out_and_counted():
    summary, rows = read([row(1), row(2, day=3)], now=BEGIN + DAY)
    assert len(rows) == 1 and dict(summary.left_out) == {"rows whose date is in the future": 1}


def test_ids_that_are_numbers_here_and_text_there_are_the_same():
    _, rows = read([row(1, responder=responder) for responder in (7, "7", 7.0, " 7", "7.0")])
    assert [made["responder"] for made in rows] == ["7"] * 5


@pytest.mark.parametrize("responder", [None, "", float("nan")])
def test_a_row_without_a_responder_is_refused(responder):
    with pytest.raises(RowError, match="'responder_id': expected who wrote the response"):
        read([row(1, responder=responder)])


@pytest.mark.parametrize("level", [0, 1, 2, "2", 1.0, "1.0", " 0 "])
def test_a_level_is_read_from_text_and_numbers(level):
    assert read([row(1, level=level)])[1][0]["EX"] == int(float(level))


@pytest.mark.parametrize("level", [3, -1, 0.5, "strong", "", None, True])
def test_what_is_no_level_is_refused(level):
    with pytest.raises(RowError, match="'EX_label': expected a level, 0, 1 or 2"):
        read([row(1, level=level)])


@pytest.mark.parametrize(
    ("written", "value"),
    [(True, 1.0), ("no", 0.0), ("True", 1.0), (3, 3.0), ("2.5", 2.5), (None, None), ("", None), (float("nan"), None)],
)
def test_an_outcome_is_yes_or_no_or_a_number_or_not_known(written, value):
    assert read([row(1, liked=written)], AnalysisColumns(outcomes=["liked"]))[1][0]["outcome_0"] == value


def test_an_outcome_that_is_text_is_refused():
    with pytest.raises(RowError, match=r"'liked': expected a number, got 'often'"):
        read([row(1, liked="often")], AnalysisColumns(outcomes=["liked"]))


def test_words_and_questions_are_counted():
    _, rows = read([row(1, response_post="Why??? I see. How so?"), row(2, response_post="")])
    assert [(made["words"], made["questions"]) for made in rows] == [(5, 2), (0, 0)]


def test_a_bad_row_can_be_left_out_and_is_counted():
    errors = []
    summary, rows = read([row(1), row(2, level=9), row(3)], on_error=errors.append)
    assert len(rows) == 2 and len(errors) == 1 and summary.left_out["rows that could not be read"] == 1


@pytest.mark.parametrize("missing", ["responder_id", "created_at"])
def test_a_missing_column_is_named_with_what_to_do(missing):
    made = {name: value for name, value in row(1).items() if name != missing}
    with pytest.raises(InputError, match=f"the column '{missing}' is missing.*--column"):
        read([made])


def test_rows_without_a_label_are_no_scores():
    with pytest.raises(InputError, match=r"none of the columns ER_label, IP_label, EX_label.*empathy score"):
        read([{"id": 1, "responder_id": 2, "created_at": 3}])


def test_columns_may_be_called_otherwise():
    made = row(1)
    made["author"] = made.pop("responder_id")
    assert read([made], AnalysisColumns({"responder_id": "author"}))[1][0]["responder"] == "r"
    with pytest.raises(InputError, match="the column 'writer' is missing"):
        read([made], AnalysisColumns({"responder_id": "writer"}))


def test_an_outcome_or_group_that_is_not_there_is_named():
    with pytest.raises(InputError, match="'upvotes'"):
        read([row(1)], AnalysisColumns(outcomes=["upvotes"]))
    with pytest.raises(InputError, match="'gender'"):
        read([row(1)], AnalysisColumns(groups=["gender"]))


def test_rows_of_different_models_are_not_mixed():
    with pytest.raises(InputError, match=r"line 2.*scored by b, other rows by a.*can't be compared"):
        read([row(1, model="a"), row(2, model="b")])


def test_times_of_parquet_are_read(tmp_path):
    import pyarrow as pa
    import pyarrow.parquet as pq

    from modeling_empathy.analysis.scored_rows import write_scored_rows
    from modeling_empathy.files.input_files import find_files

    time = datetime.datetime(2020, 1, 31, 12, tzinfo=datetime.UTC)
    columns = {name: [value] for name, value in (row(1) | {"created_at": time}).items()}
    pq.write_table(pa.table(columns), tmp_path / "scored.parquet")
    write_scored_rows(find_files([str(tmp_path / "scored.parquet")]), AnalysisColumns(), tmp_path / "rows.parquet")
    assert pq.read_table(tmp_path / "rows.parquet").to_pylist()[0]["created"] == 1580472000


def test_a_column_that_the_first_line_lacks_is_read_where_it_is():
    _, rows = read([row(1), row(2, seeker_id="s")])
    assert [made["seeker"] for made in rows] == [None, "s"]
    with pytest.raises(RowError, match=r"line 1.*'IP_label': expected a level"):
        read([row(1), row(2, IP_label=1)])


def test_an_empty_file_is_refused(tmp_path):
    from modeling_empathy.analysis.scored_rows import write_scored_rows
    from modeling_empathy.files.input_files import find_files

    (tmp_path / "scored.csv").write_text("")
    with pytest.raises(InputError, match=r"scored\.csv"):
        write_scored_rows(find_files([str(tmp_path / "scored.csv")]), AnalysisColumns(), tmp_path / "rows.parquet")
