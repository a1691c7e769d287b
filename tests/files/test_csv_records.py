"""Reading CSV files record by record: lines are known, bad records are reported one by one, nothing piles up."""

import csv

import pytest

from modeling_empathy.errors import RowError
from modeling_empathy.files.csv_records import LONGEST_CELL, csv_records


def records(text: str, **options):
    return list(csv_records(text.splitlines(keepends=True), "x.csv", **options))


@pytest.fixture
def limit():
    """Lets a test change the process-wide limit of the csv module."""
    before = csv.field_size_limit()
    yield csv.field_size_limit
    csv.field_size_limit(before)


def test_records_know_where_they_begin():
    assert records('b,a\r\n\r\n1,"two\r\nlines"\r\n\r\n3,4\r\n') == [
        (1, ["b", "a"]),
        (3, ["1", "two\r\nlines"]),
        (6, ["3", "4"]),
    ]
    assert records("") == records("\n\n") == []


def test_a_million_blank_lines_are_no_records():
    def lines():
        yield "a,b\n"
        yield from ("\n" for _ in range(1_000_000))
        yield "1,2\n"

    assert list(csv_records(lines(), "x.csv")) == [(1, ["a", "b"]), (1_000_002, ["1", "2"])]


def test_bad_records_are_reported_and_left_out():
    errors: list[RowError] = []
    text = 'a,b\n"x" y,z\n7,8\n"never closed,9\n10,11\n'
    assert records(text, on_error=errors.append) == [(1, ["a", "b"]), (3, ["7", "8"])]
    assert [error.line for error in errors] == [2, 4]
    assert all("quote that is not closed" in str(error) for error in errors)
    with pytest.raises(RowError, match=r"x\.csv: the record that begins on line 2 can't be read"):
        records(text)


def test_long_cells_are_read_and_endless_ones_are_not(limit):
    limit(131_072)  # what Python begins with
    assert records(f"a,b\n1,{'x' * 1_000_000}\n")[1] == (2, ["1", "x" * 1_000_000])
    assert limit() == LONGEST_CELL
    with pytest.raises(RowError, match="line 2 can't be read"):
        records('a,b\n1,"' + "x" * (LONGEST_CELL + 1))
    assert limit() == LONGEST_CELL, "it is never lowered under another reader's feet"


def test_reading_goes_on_behind_an_endless_quote():
    errors: list[RowError] = []

    def lines():
        yield 'a,"\n'
        yield from ("x" * 2**20 + "\n" for _ in range(17))
        yield "1,2\n"

    assert list(csv_records(lines(), "x.csv", errors.append))[-1] == (19, ["1", "2"])
    assert [error.line for error in errors] == [1]


def test_a_larger_limit_that_somebody_set_is_left_alone(limit):
    limit(2 * LONGEST_CELL)
    assert records("a,b\n1,2\n") == [(1, ["a", "b"]), (2, ["1", "2"])]
    assert limit() == 2 * LONGEST_CELL
