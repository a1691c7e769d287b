"""What is scored of rows whose columns are called otherwise, hold several responses, or are kept."""

import json
from pathlib import Path

import pytest

from modeling_empathy.errors import InputError, RowError
from modeling_empathy.jobs.input_pairs import InputColumns
from tests.jobs.runs import rows_of, run
from tests.jobs.test_score_files import pairs_of


def lines(path: Path, *rows: dict) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def parsed(*columns: str, keep: tuple[str, ...] = ()) -> InputColumns:
    return InputColumns.parsed(columns, keep)


def test_columns_may_be_called_otherwise(tmp_path):
    path = lines(tmp_path / "x.jsonl", {"n": 7, "question": "a", "answer": "b"})
    [pair] = pairs_of(path, columns=parsed("id=n", "seeker_post=question", "response_post=answer"))
    assert pair == ("7", "a", "b", {})


@pytest.mark.parametrize(
    ("row", "columns"),
    [
        ({"answers": ["b", "", None, "c"]}, ["response_post=answers"]),
        ({"answers": [{"text": "b", "by": "x"}, {"by": "y"}, {"text": "c"}]}, ["response_post=answers.text"]),
        (
            {"first": "b", "second": None, "third": "c"},
            [f"response_post={name}" for name in ("first", "second", "third")],
        ),
        ({"thread": {"replies": [{"body": "b"}, {"body": "c"}]}}, ["response_post=thread.replies.body"]),
    ],
)
def test_a_row_with_several_responses_is_several_pairs(tmp_path, row, columns):
    path = lines(tmp_path / "x.jsonl", {"id": "q1", "seeker_post": "a", **row})
    pairs = pairs_of(path, columns=parsed(*columns))
    assert [pair[:3] for pair in pairs] == [("q1-1", "a", "b"), ("q1-2", "a", "c")]


def test_a_pair_without_an_id_is_called_by_its_place(tmp_path):
    path = lines(
        tmp_path / "x.jsonl", {"seeker_post": "a", "response_post": "b"}, {"seeker_post": "c", "response_post": "d"}
    )
    assert [pair.id for pair in pairs_of(path)] == ["x.jsonl, line 1", "x.jsonl, line 2"]


@pytest.mark.parametrize(
    ("row", "columns", "said"),
    [
        ({"answers": []}, ["response_post=answers"], "column 'answers': expected at least one response"),
        ({"answers": [5]}, ["response_post=answers"], "expected text, or a list of texts .*, got '5'"),
        ({"answers": [{"text": "b"}]}, ["response_post=answers"], "as in --column response_post=answers.text"),
        ({"answer": 5}, ["response_post=answer"], "column 'answer': expected text, got '5'"),
        ({"response_post": "b"}, ["id=nothing"], "column 'nothing': expected text or a whole number"),
    ],
)
def test_what_is_no_response_is_named(tmp_path, row, columns, said):
    path = lines(tmp_path / "x.jsonl", {"seeker_post": "a", **row})
    with pytest.raises(RowError, match=said):
        pairs_of(path, columns=parsed(*columns))


@pytest.mark.parametrize(
    ("columns", "said"),
    [
        (["seeker_post"], "expected id, seeker_post or response_post and the input's column for it, as in --column"),
        (["post=text"], "--column post=text: expected id, seeker_post or response_post"),
        (["id=a", "id=b"], "--column id is given more than once"),
    ],
)
def test_a_wrong_map_of_columns_is_said_with_a_right_one(columns, said):
    with pytest.raises(InputError, match=said):
        parsed(*columns)


def test_a_map_to_a_column_that_is_not_there_is_refused(tmp_path):
    (tmp_path / "x.csv").write_text("id,question,answer\n1,a,b\n")
    with pytest.raises(InputError, match="the column 'reply' is missing; the header has 'id', 'question', 'answer'"):
        pairs_of(tmp_path / "x.csv", columns=parsed("seeker_post=question", "response_post=reply"))


ROWS = [
    {
        "id": "1",
        "seeker_post": "I feel alone",
        "response_post": "Why?",
        "votes": 3,
        "group": "a",
        "at": 1.5,
        "ok": True,
    },
    {"id": "2", "seeker_post": "I feel sad", "response_post": "Why?", "votes": 4, "group": None, "at": 2, "ok": False},
]


@pytest.mark.parametrize("source", ["jsonl", "parquet"])
def test_kept_columns_have_their_types(tmp_path, source):
    path = lines(tmp_path / "x.jsonl", *ROWS)
    if source == "parquet":
        import pandas as pd

        pd.DataFrame(ROWS).to_parquet(tmp_path / "x.parquet")
        path = tmp_path / "x.parquet"
    run(path, tmp_path / "scores", columns=parsed(keep=("all",)))
    rows = rows_of(tmp_path / "scores")
    kept = ("votes", "group", "at", "ok")
    assert [tuple(row[name] for name in kept) for row in rows] == [(3, "a", 1.5, True), (4, None, 2.0, False)]
    assert list(rows[0])[-5:] == [*kept, "model"]
    run(path, tmp_path / "some", columns=parsed(keep=("group",)))
    assert "votes" not in rows_of(tmp_path / "some")[0]


def test_what_is_kept_of_mixed_files_has_one_type_and_what_a_file_lacks_is_nothing(tmp_path):
    first = lines(tmp_path / "a.jsonl", ROWS[0] | {"votes": 1, "more": [1, {"b": 2}]})
    second = lines(tmp_path / "b.jsonl", ROWS[1] | {"votes": "many"})
    run([first, second], tmp_path / "scores", columns=parsed(keep=("votes", "more")))
    assert [(row["votes"], row["more"]) for row in rows_of(tmp_path / "scores")] == [
        ("1", '[1, {"b": 2}]'),
        ("many", None),
    ]


def test_a_kept_column_can_not_take_the_name_of_another(tmp_path):
    path = lines(tmp_path / "x.jsonl", ROWS[0] | {"ER_label": 1})
    with pytest.raises(InputError, match="'ER_label' can't be kept: the output has its own"):
        run(path, tmp_path / "scores", columns=parsed(keep=("ER_label",)))
    assert not (tmp_path / "scores").exists()


def test_files_of_different_columns_are_refused_before_anything_is_scored(tmp_path):
    (tmp_path / "a.csv").write_text("id,seeker_post,response_post\n1,a,b\n")
    (tmp_path / "b.csv").write_text("id,question,answer\n1,a,b\n")
    with pytest.raises(InputError, match=r"b\.csv: the column 'seeker_post', 'response_post' is missing"):
        run([tmp_path / "a.csv", tmp_path / "b.csv"], tmp_path / "scores", load=pytest.fail)
