"""Rows and files that can't be scored: what is said of them, what it costs, and what is left behind."""

import json
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pandas as pd
import pytest

from modeling_empathy.errors import InputError, RowError
from modeling_empathy.jobs.score_files import NothingToScore
from modeling_empathy.scoring.engine import PAIRS_PER_CHUNK, ScoringEngine
from tests.csv_files import write_csv
from tests.jobs.pair_files import (
    HEADER,
    engine,
    pairs_of,
    pipeline,
    read_scores,
    run,
    write_pairs,
)
from tests.tokenizers_for_tests import wordpiece_tokenizer


BAD_ROWS = {
    "csv": (
        b"id,seeker_post,response_post\n1,a,b\n2,a\n3,,b\n4,a,\x00b\n5,a,\xff\n6,a,b\n7,a,   \n",
        {3: "2 cells for 3 columns", 4: "'seeker_post': expected text", 5: "NUL", 6: "UTF-8", 8: "'response_post'"},
        ["1", "6"],
    ),
    "jsonl": (
        b'{"id": 1, "seeker_post": "a", "response_post": "b"}\n\n{"id": 2\n[3]\n{"id": 4, "seeker_post": "a"}\n'
        b'{"id": 5, "seeker_post": "a", "response_post": 5}\n{"id": null, "seeker_post": "a", "response_post": "b"}\n'
        b'{"id": 7, "seeker_post": "a", "response_post": "b"}\n',
        {
            3: "no JSON",
            4: "expected a JSON object",
            5: "'response_post': expected text, got 'None'",
            6: "got '5'",
            7: "'id'",
        },
        ["1", "7"],
    ),
}


@pytest.mark.parametrize("file_format", BAD_ROWS)
def test_a_bad_row_stops_by_its_line_or_goes_to_a_side_file(tmp_path, file_format):
    content, expected, good = BAD_ROWS[file_format]
    source, target = tmp_path / f"x.{file_format}", tmp_path / "scores.csv"
    source.write_bytes(content)
    first = next(iter(expected))
    with pytest.raises(RowError, match=f"line {first}") as stopped:
        run(source, target)
    assert expected[first] in str(stopped.value)
    assert [path.name for path in tmp_path.iterdir()] == [source.name], "nothing is left half-written"

    summary = run(source, target, skip_errors=True)
    assert (summary.pairs, summary.skipped) == (len(good), len(expected))
    assert [row["id"] for row in read_scores(target)] == good
    assert summary.errors_path is not None
    listed = [json.loads(line) for line in summary.errors_path.read_text().splitlines()]
    assert [bad_row["line"] for bad_row in listed] == list(expected)
    for bad_row in listed:
        assert expected[bad_row["line"]] in bad_row["error"] and "row" in bad_row

    # The file without its bad rows: its first two lines have none.
    source.write_bytes(content.splitlines(keepends=True)[0] + content.splitlines(keepends=True)[1])
    assert run(source, target, skip_errors=True).errors_path is None
    assert not summary.errors_path.exists(), "the side file of an earlier run would speak of rows that are gone"


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("empty.csv", b"", "column 'seeker_post', 'response_post' is missing; the header has nothing"),
        ("wrong.csv", b"id,seeker,response\n1,a,b\n", "the header has 'id', 'seeker', 'response'"),
        ("wrong.csv", b"id,question,answer\n1,a,b\n", "as in --column seeker_post=question --column response_post="),
        ("broken.parquet", b"PAR1 and more", "can't be read as Parquet"),
        ("pairs.xls", b"", "names no format"),
        ("pairs.xlsx", b"", "no.* workbook"),
        ("absent.csv", None, "not a file"),
    ],
)
def test_files_that_hold_no_pairs_are_refused_before_a_model_is_loaded(tmp_path, name, content, message):
    if content is not None:
        (tmp_path / name).write_bytes(content)

    def unwanted():
        raise AssertionError("the model was loaded")

    with pytest.raises(InputError, match=message):
        run(tmp_path / name, tmp_path / "scores.csv", load=unwanted)
    assert not (tmp_path / "scores.csv").exists()


@pytest.mark.parametrize(
    ("name", "content", "skip_errors", "message"),
    [
        ("x.csv", "id,seeker_post,response_post\n", False, "x.csv: nothing to score; it has no rows"),
        ("x.jsonl", "", False, "it has no rows"),
        ("x.csv", "id,seeker_post,response_post\n1,,b\n2,a,\n", True, "none of its 2 rows .*row 1 .line 2., column"),
    ],
)
def test_nothing_to_score_is_an_error_and_leaves_nothing(tmp_path, name, content, skip_errors, message):
    (tmp_path / name).write_text(content)

    def unwanted():
        raise AssertionError("the model was loaded")

    with pytest.raises(NothingToScore, match=message):
        run(tmp_path / name, tmp_path / "scores.csv", load=unwanted, skip_errors=skip_errors)
    assert [path.name for path in tmp_path.iterdir()] == [name]


def test_what_an_earlier_run_could_not_use_goes_with_the_next_that_succeeds(tmp_path):
    source, target = write_pairs(tmp_path, "csv"), tmp_path / "scores.csv"
    earlier = tmp_path / "scores.csv.errors.jsonl"
    earlier.write_text("of an earlier run")
    run(source, target)
    assert not earlier.exists()
    source.write_text("id,seeker_post,response_post\n1,,b\n")
    earlier.write_text("of an earlier run")
    with pytest.raises(RowError):
        run(source, target)
    assert earlier.read_text() == "of an earlier run", "a failed run leaves what was there"


def test_the_rows_that_are_left_out_never_take_the_place_of_the_input(tmp_path):
    source = write_pairs(tmp_path, "jsonl").rename(tmp_path / "scores.csv.errors.jsonl")
    before = source.read_bytes()
    for skip_errors in (True, False):
        with pytest.raises(InputError, match="is the input"):
            run(source, tmp_path / "scores.csv", skip_errors=skip_errors)
    assert source.read_bytes() == before and [path.name for path in tmp_path.iterdir()] == [source.name]


def as_parquet(path: Path) -> Path:
    pd.read_csv(path, keep_default_na=False).to_parquet(path.with_suffix(".parquet"))
    path.unlink()
    return path.with_suffix(".parquet")


def rows_with_a_bad_one(folder: Path, number: int, rows: int = PAIRS_PER_CHUNK + 200) -> Path:
    rows = [(row, "I feel alone" if row != number else "", "Why?") for row in range(rows)]
    return write_csv(folder / "x.csv", rows, HEADER)


@pytest.mark.parametrize("number", [1001, PAIRS_PER_CHUNK + 101])
def test_a_bad_row_of_a_text_costs_no_model_wherever_it_is(tmp_path, number):
    with pytest.raises(RowError, match=f"row {number} "):
        run(rows_with_a_bad_one(tmp_path, number - 1), tmp_path / "scores.csv", load=pytest.fail)
    assert [path.name for path in tmp_path.iterdir()] == ["x.csv"]


@pytest.mark.parametrize("engines", [1, 2])
def test_a_bad_row_of_the_next_chunk_costs_a_batch_of_this_one(tmp_path, monkeypatch, engines):
    """Of Parquet, whose rows are not read before they are scored."""
    one = ScoringEngine.of_model(
        pipeline(mechanisms=["explorations"]).model, wordpiece_tokenizer(), tokens_per_batch=64
    )
    two = [one, engine(mechanisms=["interpretations"])][:engines]
    batches, reading = [], threading.Event()
    submit = ThreadPoolExecutor.submit

    def submitted(executor, work):
        future = submit(executor, work)
        future.add_done_callback(lambda done: done.exception() and reading.set())
        return future

    monkeypatch.setattr(ThreadPoolExecutor, "submit", submitted)

    def computed(*args):
        # In a run of one's own the reader has minutes to come to the row.
        assert reading.wait(60)
        batches.append(args)
        return probabilities(*args)

    probabilities = one.backend.probabilities
    monkeypatch.setattr(one.backend, "probabilities", computed)
    # The reader looks a chunk ahead, to know the last one.
    source = as_parquet(rows_with_a_bad_one(tmp_path, PAIRS_PER_CHUNK + 100, PAIRS_PER_CHUNK * 2 + 200))
    with pytest.raises(RowError, match=f"row {PAIRS_PER_CHUNK + 101},"):
        run(source, tmp_path / "scores.csv", two)
    assert len(batches) <= 1
    assert [path.name for path in tmp_path.iterdir()] == ["x.parquet"]


@pytest.mark.parametrize(
    ("row", "expected"),
    [
        ('{"id": 7, "id": 8}', "column 'id': expected one value"),
        ('{"sp_id": "a", "sp_id": "b", "rp_id": "c"}', "column 'sp_id': expected one value"),
        ('{"id": "7", "seeker_post": "c"}', "column 'seeker_post': expected one value"),
        ('{"id": true}', "column 'id': expected text or a whole number, got 'True'"),
        ('{"id": NaN}', "column 'id': expected text or a whole number, got 'nan'"),
        ('{"id": 1.5}', "column 'id': expected text or a whole number, got '1.5'"),
        ('{"id": ["7"]}', "column 'id': expected text or a whole number"),
        ('{"id": {"a": 1}}', "column 'id': expected text or a whole number"),
        ('{"id": "  "}', "column 'id': expected text or a whole number, got '  '"),
        ('{"id": "\\ud800"}', "column 'id': expected UTF-8 text"),
        ('{"id": "a\\u0000"}', "column 'id': expected text without NUL"),
        ('{"id": "", "sp_id": "", "rp_id": "c"}', "column 'sp_id': expected text or a whole number, got ''"),
        ('{"sp_id": "a", "rp_id": null}', "column 'rp_id': expected text or a whole number, got 'None'"),
    ],
)
def test_an_id_is_one_text_or_whole_number(tmp_path, row, expected):
    path = tmp_path / "x.jsonl"
    path.write_text('{"seeker_post": "a", "response_post": "b", ' + row[1:] + "\n")
    with pytest.raises(RowError, match=f"x.jsonl, line 1, {expected}"):
        pairs_of(path)
    path.write_text('{"seeker_post": "a", "response_post": "b", "id": 7, "x": 1, "x": 2, "y": {"id": 1, "id": 2}}\n')
    assert [pair.id for pair in pairs_of(path)] == ["7"], "what nobody needs may be there twice"
