"""Reading CSV files record by record: lines are known, bad records are reported one by one, nothing piles up."""

import csv
from itertools import chain, repeat

import pytest

from modeling_empathy.errors import RowError
from modeling_empathy.files import csv_records as csv_records_module
from modeling_empathy.files.csv_records import LONGEST_RECORD, _Lines, csv_records


def lines_and_cells(read):
    return [(record.line, record.cells) for record in read]


def records(text: str, **options):
    return lines_and_cells(csv_records(text.splitlines(keepends=True), "x.csv", **options))


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

    assert lines_and_cells(csv_records(lines(), "x.csv")) == [(1, ["a", "b"]), (1_000_002, ["1", "2"])]


def test_bad_records_are_reported_and_left_out():
    errors: list[RowError] = []
    text = 'a,b\n"x" y,z\n7,8\n"never closed,9\n10,11\n'
    assert records(text, on_error=errors.append) == [(1, ["a", "b"]), (3, ["7", "8"])]
    assert [error.line for error in errors] == [2, 4, 5]
    assert all("quote that is not closed" in str(error) for error in errors[:2])
    # Of a file that may have been cut, the last line may be one of a post.
    assert "line 5: left out, because it seems to belong to the record that begins on line 4" in str(errors[2])
    with pytest.raises(RowError, match=r"x\.csv: the record that begins on line 2 can't be read"):
        records(text)


def test_a_header_that_can_not_be_read_is_an_error_whatever_is_done_about_rows():
    with pytest.raises(RowError, match="line 1 can't be read"):
        records('"a,b\n1,2\n3,4\n', on_error=lambda error: None)


HEADER, GOOD = "id,seeker,response\n", [f"{row},I feel {row},Why?\n" for row in range(3000)]
PROSE = '"Well, I, for one\nam tired, so tired, really\nand, he said, ""no"""'


@pytest.mark.parametrize(
    ("lines", "left_out"),
    [
        ([*GOOD[:3], '3,"I feel,Why?\n', *GOOD[4:]], [5]),
        ([*GOOD[:3], '3,"I feel,Why?\n', *GOOD[4:9], '9,"a, b",c\n', *GOOD[10:]], [5]),
        # Posts of several lines stand in what was swallowed, and where the reader notices.
        ([*GOOD[:3], '3,"I feel,Why?\n', GOOD[4], f"5,{PROSE},c\n", f"6,{PROSE},c\n", *GOOD[7:]], [5]),
        # The quote that is open belongs to the last line of a post.
        ([*GOOD[:3], '3,"I feel\n', "tired,Why?\n", *GOOD[4:]], [5, 6]),
        # What closes it is a quote of another row, which has too few cells then.
        ([*GOOD[:3], '3,"I feel\n', *GOOD[4:8], '8,"\n', *GOOD[9:]], [5, 10]),
        # Another bad row is among those that were swallowed.
        ([*GOOD[:3], '3,"I feel,Why?\n', *GOOD[4:6], "6\n", *GOOD[7:]], [5, 8]),
        # One quote after the other is left open.
        ([*(f'{row},"I feel {row},Why?\n' for row in range(4)), *GOOD[4:]], [2, 3, 4, 5]),
        # Here and below no line of a post passes for a row. A quote that is not doubled:
        ([*GOOD[:3], '3,"Well, I, for one\n', 'and, he, said "no" to it, loud",Why?\n', *GOOD[4:]], [5, 6]),
        # The opening quote is missing:
        ([*GOOD[:3], "3,Well\n", "I, for, one\n", 'am, so, tired",Why?\n', *GOOD[4:]], [5, 6, 7]),
        # It is, and a text of several lines follows the one of several lines:
        ([*GOOD[:3], "3,Well\n", 'tired","I\n', "see, you, are\n", 'so, ""so"", tired"\n', *GOOD[4:]], [5, 6, 7, 8]),
        # The file is cut:
        ([*GOOD[:3], '3,"Well\n', "I, for one\n", "am tired\n", "so, so, tired"], [5, 6, 7, 8]),
        # Rows with too few or too many cells, and none of their neighbours:
        ([*GOOD[:3], "3,a\n", GOOD[4], "5,a\n", GOOD[6], "7,a,b,c\n", *GOOD[8:20], "20,a\n", GOOD[21]], [5, 7, 9, 22]),
    ],
)
def test_a_quote_that_is_left_open_takes_no_other_rows_with_it(lines, left_out):
    errors: list[RowError] = []
    lines = "".join([HEADER, *lines]).splitlines(keepends=True)
    read = list(csv_records(lines, "x.csv", errors.append))
    assert [error.line for error in errors] == left_out
    whole = list(csv_records([line for at, line in enumerate(lines, 1) if at not in left_out], "x.csv"))
    assert [record.cells for record in read] == [record.cells for record in whole]
    assert all(lines[record.line - 1].startswith(f"{record.cells[0]},") for record in read)


def test_a_post_of_many_lines_is_read_whole_and_as_it_stands():
    cell = "\n".join(f"{row},a,b" for row in range(500))
    assert records(f'{HEADER}1,"{cell}",c\n2,a,b\n')[1:] == [(2, ["1", cell, "c"]), (502, ["2", "a", "b"])]


@pytest.mark.parametrize("row", ['{},"I, you,Why?\n', "{}\n", '{},"\n', '{},a""b"\n', '"","{}\n', '{},"a"",b\n'])
def test_bad_rows_cost_no_more_the_more_there_are(row, monkeypatch):
    read = 0

    class Counted(_Lines):
        def _remembered(self):
            nonlocal read
            for line in super()._remembered():
                read += 1
                yield line

    monkeypatch.setattr(csv_records_module, "_Lines", Counted)
    lines = [HEADER, *(row.format(number) for number in range(20_000))]
    errors: list[RowError] = []
    assert len(list(csv_records(lines, "x.csv", errors.append))) == 1
    assert [error.line for error in errors] == list(range(2, 20_002)) and read < 3 * len(lines)


def test_long_cells_are_read_and_endless_ones_are_not(limit):
    limit(131_072)  # what Python begins with
    assert records(f"a,b\n1,{'x' * 1_000_000}\n")[1] == (2, ["1", "x" * 1_000_000])
    assert limit() == LONGEST_RECORD
    with pytest.raises(RowError, match="line 2 can't be read"):
        records('a,b\n1,"' + "x" * (LONGEST_RECORD + 1))
    assert limit() == LONGEST_RECORD, "it is never lowered under another reader's feet"


def test_reading_goes_on_behind_an_endless_quote():
    errors: list[RowError] = []

    def lines():
        yield "a,b\n"
        yield 'c,"\n'
        yield from ("x" * 2**20 + "\n" for _ in range(17))
        yield "1,2\n"

    assert lines_and_cells(csv_records(lines(), "x.csv", errors.append))[1:] == [(20, ["1", "2"])]
    assert [error.line for error in errors] == list(range(2, 20))
    assert "more than 16,777,216 characters" in str(errors[0])


def test_a_record_of_endless_cells_ends_too():
    lines = chain(["a,b\n", '1,"\n'], repeat('","' + "x" * 2**20 + "\n"))
    with pytest.raises(RowError, match="line 2 can't be read"):
        list(csv_records(lines, "x.csv"))


def test_a_larger_limit_that_somebody_set_is_left_alone(limit):
    limit(2 * LONGEST_RECORD)
    assert records("a,b\n1,2\n") == [(1, ["a", "b"]), (2, ["1", "2"])]
    assert limit() == 2 * LONGEST_RECORD
