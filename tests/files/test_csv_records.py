"""Reading CSV files record by record: lines are known, bad records are told one by one, nothing piles up."""

import csv

import pytest

from modeling_empathy.errors import InputError, RowError
from modeling_empathy.files.csv_records import LONGEST_CELL, csv_header, csv_rows, read_csv


def rows(text: str, required=("a", "b"), **options):
    return list(csv_rows(text.splitlines(keepends=True), "x.csv", required, **options))


def test_rows_know_where_they_begin():
    found = rows('b,a\r\n\r\n1,"two\r\nlines"\r\n\r\n3,4\r\n')
    assert [(row.row, row.line) for row in found] == [(1, 3), (2, 6)]
    assert found[0].cells == {"b": "1", "a": "two\r\nlines"}


def test_a_million_blank_lines_are_no_rows():
    def lines():
        yield "a,b\n"
        yield from ("\n" for _ in range(1_000_000))
        yield "1,2\n"

    [row] = csv_rows(lines(), "x.csv", ("a", "b"))
    assert (row.row, row.line, row.cells) == (1, 1_000_002, {"a": "1", "b": "2"})


def test_bad_records_are_told_and_left_out():
    errors: list[RowError] = []
    text = 'a,b\n1,2\n3\n4,5,6\n"x" y,z\n7,8\n"never closed,9\n10,11\n'
    found = rows(text, on_error=errors.append)
    assert [list(row.cells.values()) for row in found] == [["1", "2"], ["7", "8"]]
    assert [error.line for error in errors] == [3, 4, 5, 7]
    assert errors[0].values == {"a": "3"} and "1 cells for 2 columns" in str(errors[0])
    assert "quote that is not closed" in str(errors[3])
    with pytest.raises(RowError, match=r"x.csv, row 2 \(line 3\)"):
        rows(text)


def test_long_cells_are_read_and_endless_ones_are_not():
    before = csv.field_size_limit()
    [row] = rows(f"a,b\n1,{'x' * 1_000_000}\n")
    assert len(row.cells["b"]) == 1_000_000
    with pytest.raises(RowError, match="line 2 can't be read"):
        rows('a,b\n1,"' + "x" * (LONGEST_CELL + 1))
    assert csv.field_size_limit() == before


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "column 'a', 'b' is missing; the header has nothing"),
        ("\n\n", "the header has nothing"),
        ("a,c\n1,2\n", "column 'b' is missing; the header has 'a', 'c'"),
        ("a,b,a\n1,2,3\n", "'a' more than once"),
    ],
)
def test_wrong_headers_are_refused(text, message):
    with pytest.raises(InputError, match=message):
        rows(text)


def test_a_byte_order_mark_and_broken_utf8(tmp_path):
    path = tmp_path / "x.csv"
    path.write_bytes(b"\xef\xbb\xbfa,b\n1,\xff\n")
    assert csv_header(path) == ["a", "b"]
    [row] = read_csv(path, ("a", "b"))
    assert row.cells["b"] == "\udcff"
    path.write_bytes(b"")
    assert csv_header(path) == []
