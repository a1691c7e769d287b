"""Reading annotated CSV files: what is accepted, and what each error names."""

import csv
from pathlib import Path

import pytest

from modeling_empathy.corpus.alignment_report import AlignmentReport
from modeling_empathy.corpus.annotated_csv import read_mechanism
from modeling_empathy.errors import InputError
from tests.csv_files import HEADER, write_csv


ROW = ("s1", "r1", "I feel low, today", "I am sorry. What happened?", 1, "I am sorry|")


def read(path: Path):
    return read_mechanism(path, AlignmentReport())


def test_a_row_becomes_a_pair_with_aligned_spans(tmp_path):
    report = AlignmentReport()
    rows = [ROW, ("s2", "r2", "a", "so  Sad &amp; lost", 2, "so sad & lost|not in it|"), ("s3", "r3", "a", "b", 0, "")]
    pairs = read_mechanism(write_csv(tmp_path / "er.csv", rows), report)
    assert [(pair.row, pair.line, pair.level) for pair in pairs] == [(1, 2, 1), (2, 3, 2), (3, 4, 0)]
    assert pairs[0].seeker_post == "I feel low, today"
    assert [pairs[0].response_post[start:end] for start, end in pairs[0].spans] == ["I am sorry"]
    assert [pairs[1].response_post[start:end] for start, end in pairs[1].spans] == ["so  Sad &amp; lost"]
    counts = report.files["er.csv"]
    assert (counts.rows, counts.levels, counts.annotated_rows) == (3, [1, 1, 1], 2)
    assert (counts.rationales, counts.aligned_exactly, counts.aligned_by_folding) == (3, 1, 1)
    assert report.unaligned == [
        {"file": "er.csv", "row": 2, "line": 3, "sp_id": "s2", "rp_id": "r2", "rationale": "not in it"}
    ]


def test_rows_whose_level_and_rationales_contradict_are_reported(tmp_path):
    report = AlignmentReport()
    rows = [("s1", "r1", "a", "b", 2, ""), ("s2", "r2", "a", "b", 0, "b|"), ROW]
    read_mechanism(write_csv(tmp_path / "er.csv", rows), report)
    assert [listed["row"] for listed in report.without_rationale] == [1]
    assert [listed["row"] for listed in report.rationale_at_level_0] == [2]


def test_what_spreadsheets_do_to_files_is_fine(tmp_path):
    plain = read(write_csv(tmp_path / "plain.csv", [ROW, ROW]))
    content = (tmp_path / "plain.csv").read_bytes()
    (tmp_path / "bom.csv").write_bytes(b"\xef\xbb\xbf" + content)
    (tmp_path / "lf.csv").write_bytes(content.replace(b"\r\n", b"\n"))
    (tmp_path / "blank.csv").write_bytes(content.replace(b"\r\n", b"\r\n\r\n"))
    order = ("rationales", "extra", "level", "response_post", "seeker_post", "rp_id", "sp_id")
    values = dict(zip(HEADER, ROW, strict=True)) | {"extra": "x"}
    write_csv(tmp_path / "order.csv", [[values[name] for name in order]] * 2, order)
    for name in ("bom", "lf", "order", "blank"):
        pairs = read(tmp_path / f"{name}.csv")
        assert [(p.row, p.sp_id, p.response_post, p.spans) for p in pairs] == [
            (p.row, p.sp_id, p.response_post, p.spans) for p in plain
        ]


def test_line_breaks_in_posts_keep_the_line_numbers_right(tmp_path):
    rows = [("s1", "r1", "a\nb\nc", "d", 0, ""), ("s2", "r2", "a", "b", 7, "")]
    with pytest.raises(InputError, match=r"row 2 \(line 5\), column 'level'"):
        read(write_csv(tmp_path / "er.csv", rows))


def test_long_posts_are_read_whatever_the_limit_of_csv_was(tmp_path):
    before = csv.field_size_limit(131_072)  # what Python begins with
    try:
        pairs = read(write_csv(tmp_path / "er.csv", [("s1", "r1", "a " * 200_000, "b", 0, "")]))
    finally:
        csv.field_size_limit(before)
    assert len(pairs[0].seeker_post) == 400_000


@pytest.mark.parametrize(
    ("column", "value", "message"),
    [
        ("level", "3", r"er.csv, row 2 \(line 3\), column 'level': expected one of 0, 1, 2, got '3'"),
        ("level", "strong", r"column 'level': expected one of 0, 1, 2, got 'strong'"),
        ("level", "1.5", r"column 'level': expected one of 0, 1, 2, got '1.5'"),
        ("level", "", r"column 'level': expected a value, got ''"),
        ("response_post", " \t", r"row 2 \(line 3\), column 'response_post': expected a value, got ' \\t'"),
        ("seeker_post", "", r"row 2 \(line 3\), column 'seeker_post': expected a value, got ''"),
        ("sp_id", "", r"column 'sp_id': expected a value"),
        ("level", "9" * 200, r"got '9{80}…'"),
    ],
)
def test_a_wrong_cell_is_named_with_file_row_column_and_value(tmp_path, column, value, message):
    wrong = dict(zip(HEADER, ROW, strict=True)) | {column: value}
    with pytest.raises(InputError, match=message):
        read(write_csv(tmp_path / "er.csv", [ROW, list(wrong.values())]))


def test_undecodable_bytes_are_named_with_their_cell(tmp_path):
    path = write_csv(tmp_path / "er.csv", [ROW, ROW])
    path.write_bytes(path.read_bytes()[::-1].replace(b"yrros", b"\xff\xfeyrros", 2)[::-1])
    with pytest.raises(InputError, match=r"er.csv, row 2 \(line 3\), column 'response_post': expected UTF-8 text"):
        read(path)


def test_a_file_that_is_no_corpus_is_named(tmp_path):
    write_csv(tmp_path / "no_level.csv", [ROW[:4]], HEADER[:4])
    with pytest.raises(InputError, match=r"no_level.csv: the column 'level', 'rationales' is missing; .*'sp_id'"):
        read(tmp_path / "no_level.csv")
    (tmp_path / "empty.csv").write_bytes(b"")
    with pytest.raises(InputError, match=r"empty.csv: the column .* the header has nothing"):
        read(tmp_path / "empty.csv")
    with pytest.raises(InputError, match=r"header.csv has no rows"):
        read(write_csv(tmp_path / "header.csv", []))
    with pytest.raises(InputError, match=r"twice.csv: the header has the column 'level' more than once"):
        read(write_csv(tmp_path / "twice.csv", [(*ROW, 2)], (*HEADER, "level")))
    (tmp_path / "cells.csv").write_text(",".join(HEADER) + "\ns1,r1,a, and b,c,0,\n")
    with pytest.raises(InputError, match=r"cells.csv, row 1 \(line 2\): 7 cells for 6 columns"):
        read(tmp_path / "cells.csv")


def test_an_unclosed_quote_is_named_by_the_line_it_stands_on(tmp_path):
    lines = [",".join(HEADER), "s1,r1,a,b,0,", 's2,r2,"a,b,0,', "s3,r3,a,b,0,"]
    (tmp_path / "er.csv").write_text("\n".join(lines))
    with pytest.raises(InputError, match=r"er.csv: the record that begins on line 3 can't be read .* not closed"):
        read(tmp_path / "er.csv")
