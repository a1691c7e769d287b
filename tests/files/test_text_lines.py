"""Reading text line by line: where lines end, how long they may be, and what is said of a file that is no text."""

import gzip

import pytest

from modeling_empathy.errors import InputError
from modeling_empathy.files.input_files import InputFile
from modeling_empathy.files.text_lines import LONGEST_LINE, other_content, read_lines, unreadable


def lines_of(folder, content: bytes) -> list[str]:
    path = folder / "x.csv"
    path.write_bytes(content)
    return list(read_lines(InputFile.at(path)))


def test_lines_end_where_they_do_in_a_file_and_keep_their_ends(tmp_path):
    content = "\ufeffone\r\n\ntwo\u2028and\x0cmore\rthree".encode()
    assert lines_of(tmp_path, content) == ["one\r\n", "\n", "two\u2028and\x0cmore\r", "three"]
    assert lines_of(tmp_path, b"a\xff\n") == ["a\udcff\n"] and unreadable("a\udcff\n") == "expected UTF-8 text"
    assert lines_of(tmp_path, b"") == []


def test_of_a_line_without_end_a_part_is_read_and_the_next_line_is_the_next(tmp_path):
    long, short = b"x" * (3 * LONGEST_LINE + 5), b"y" * (LONGEST_LINE - 1)
    read = lines_of(tmp_path, b"a\n" + long + b"\n" + short + b"\nb\n")
    assert [len(line) for line in read] == [2, LONGEST_LINE + 1, LONGEST_LINE, 2]
    assert read[1].strip("x") == "" and read[3] == "b\n"


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (gzip.compress(b"a,b"), "x.csv is compressed with gzip: unpack it, or end its name in .gz"),
        (b"PK\x03\x04 and more", "x.csv is a zip archive or a workbook"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1", "x.csv is a workbook of Excel"),
        ("a,b".encode("utf-16"), "UTF-16"),
        ("a,b".encode("utf-16-le"), "UTF-16"),
        ("a,b".encode("utf-32-be"), "UTF-32"),
    ],
)
def test_what_is_no_text_is_said(tmp_path, content, message):
    with pytest.raises(InputError, match=message):
        lines_of(tmp_path, content)


@pytest.mark.parametrize(
    "beginning", [b"", b"a", b"BZh,PAR1", b"PAR1,a", b"PK,a", "Ça va".encode(), b"\xef\xbb\xbfid"]
)
def test_what_may_be_text_is_taken_for_it(beginning):
    assert other_content(beginning) is None
