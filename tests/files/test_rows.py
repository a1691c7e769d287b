"""Rows of every format: values, places, what errors name, and headers that are refused before a row is read."""

import json
import subprocess
import sys
from functools import partial
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from modeling_empathy.errors import InputError, RowError
from modeling_empathy.files import columnar_rows
from modeling_empathy.files.input_files import FORMATS, STDIN, InputFile, format_of
from modeling_empathy.files.row import Row
from modeling_empathy.files.rows import check_columns, count_rows, csv_header, read_rows


VALUES = [{"a": "1", "b": "two\nlines"}, {"a": "3", "b": "Ça va 😀"}]
NEED_A_AND_B = partial(check_columns, ("a", "b"))


def write_rows(folder: Path, ending: str, values=VALUES) -> Path:
    path = folder / f"x{ending}"
    table = pa.Table.from_pylist(values)
    if ending in (".csv", ".tsv", ".xlsx"):
        frame = table.to_pandas()
        if ending == ".xlsx":
            frame.to_excel(path, index=False)
        else:
            frame.to_csv(path, index=False, sep="," if ending == ".csv" else "\t")
    elif ending == ".parquet":
        pq.write_table(table, path)
    elif ending == ".arrow":
        with pa.ipc.new_stream(path, table.schema) as writer:
            writer.write_table(table)
    else:
        path.write_text("\n\n".join(json.dumps(row) for row in values))
    return path


def read_text(folder: Path, name: str, content: str | bytes, **options) -> list[Row]:
    path = folder / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return list(read_rows(path, NEED_A_AND_B, **options))


PLACES = {
    ".csv": [("x.csv, row 1 (line 2)", 1, 2), ("x.csv, row 2 (line 4)", 2, 4)],
    ".jsonl": [("x.jsonl, line 1", 1, 1), ("x.jsonl, line 3", 3, 3)],
    ".ndjson": [("x.ndjson, line 1", 1, 1), ("x.ndjson, line 3", 3, 3)],
    ".parquet": [("x.parquet, row 1", 1, 1), ("x.parquet, row 2", 2, 2)],
    ".arrow": [("x.arrow, row 1", 1, 1), ("x.arrow, row 2", 2, 2)],
    ".tsv": [("x.tsv, row 1 (line 2)", 1, 2), ("x.tsv, row 2 (line 4)", 2, 4)],
    ".xlsx": [("x.xlsx, sheet 'Sheet1', row 2", 1, 2), ("x.xlsx, sheet 'Sheet1', row 3", 2, 3)],
}


@pytest.mark.parametrize("ending", FORMATS)
def test_every_format_gives_the_same_values_and_says_where_they_stand(tmp_path, ending):
    path = write_rows(tmp_path, ending)
    rows = list(read_rows(path, NEED_A_AND_B))
    assert [row.values for row in rows] == VALUES
    assert [(row.place, row.number, row.line) for row in rows] == PLACES[ending]
    [row, _] = read_rows(path.rename(tmp_path / "x"), NEED_A_AND_B, FORMATS[ending], name="a download")
    assert row.place == PLACES[ending][0][0].replace(f"x{ending}", "a download")


def test_a_cell_is_named_by_place_column_and_value():
    row = Row("x.csv, row 3 (line 7)", 3, 7, {"a": "  ", "b": "x" * 100, "c": 5, "d": "\0", "e": "b\udcff"})
    assert row.text("b") == "x" * 100 and row.text("a", may_be_blank=True) == "  "
    error = row.error("b", "expected less")
    assert isinstance(error, RowError) and (error.line, error.values) == (7, row.values)
    assert str(error) == f"x.csv, row 3 (line 7), column 'b': expected less, got '{'x' * 80}…'."
    for column, message in (
        ("a", "expected text, got '  '"),
        ("c", "expected text, got '5'"),
        ("d", "expected text without NUL bytes"),
        ("e", "expected UTF-8 text, got 'b.udcff'"),
        ("absent", "expected text, got 'None'"),
    ):
        with pytest.raises(RowError, match=f"row 3 .line 7., column '{column}': {message}"):
            row.text(column)
    with pytest.raises(RowError, match="expected an id, got '  '"):
        row.text("a", "expected an id")


@pytest.mark.parametrize("ending", FORMATS)
def test_rows_are_read_from_any_of_them_on(tmp_path, ending):
    values = [{"a": str(number), "b": "text"} for number in range(2500)]
    path = write_rows(tmp_path, ending, values)
    if ending == ".parquet":
        pq.write_table(pa.Table.from_pylist(values), path, row_group_size=1000)
    whole = list(read_rows(path, NEED_A_AND_B))
    for start in (0, 1, 999, 1000, 1024, 2499, 2500, 3000):
        assert list(read_rows(path, NEED_A_AND_B, start=start)) == whole[start:]
    counted = count_rows(InputFile.at(path), NEED_A_AND_B)
    assert counted == (2500 if ending in (".parquet", ".arrow") else None)


def test_what_can_not_be_read_belongs_to_the_row_behind_it(tmp_path):
    (tmp_path / "x.jsonl").write_text('[1]\n{"a": 1, "b": 1}\n[2]\n{"a": 2, "b": 2}\n[3]\n')
    for start, expected in ((0, ["[1]", "[2]", "[3]"]), (1, ["[2]", "[3]"]), (2, ["[3]"])):
        errors = []
        rows = list(read_rows(tmp_path / "x.jsonl", NEED_A_AND_B, start=start, on_error=errors.append))
        assert len(rows) == 2 - start
        assert [str(error).rsplit("got '", 1)[1][:3] for error in errors] == expected


@pytest.mark.parametrize("ending", [".csv", ".parquet"])
def test_a_header_is_checked_once_and_before_any_row(tmp_path, ending):
    seen = []

    def check(header, name):
        seen.append((list(header), name))
        return ["b"]

    path = write_rows(tmp_path, ending)
    rows = list(read_rows(path, check))
    assert seen == [(["a", "b"], path.name)] and [row.values["b"] for row in rows] == [row["b"] for row in VALUES]
    with pytest.raises(InputError, match=f"x{ending}: the column 'c' is missing; the header has 'a', 'b'"):
        next(read_rows(path, partial(check_columns, ("a", "c"))))


def test_of_parquet_only_the_columns_that_are_needed_are_read_a_batch_at_a_time(tmp_path, monkeypatch):
    path = write_rows(tmp_path, ".parquet", [{"a": str(number), "b": ["x"]} for number in range(2500)])
    read = []

    class Watched(pq.ParquetFile):
        def iter_batches(self, *args, **kwargs):
            for batch in super().iter_batches(*args, **kwargs):
                read.append(batch.num_rows)
                yield batch

    monkeypatch.setattr(columnar_rows.pq, "ParquetFile", Watched)
    rows = read_rows(path, lambda header, name: ["a"])
    assert next(rows).values == {"a": "0"} and read == [1024]
    assert [row.values for row in rows][-1] == {"a": "2499"} and sum(read) == 2500


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "column 'a', 'b' is missing; the header has nothing"),
        ("\n\n", "the header has nothing"),
        ("a,c\n1,2\n", "column 'b' is missing; the header has 'a', 'c'"),
        ("a,b,a\n1,2,3\n", "'a' more than once"),
        ('"a,b\n', "the record that begins on line 1 can't be read"),
    ],
)
def test_wrong_headers_are_refused(tmp_path, content, message):
    with pytest.raises(InputError, match=message):
        read_text(tmp_path, "x.csv", content)


def test_the_header_of_a_csv_file_alone(tmp_path):
    assert csv_header(write_rows(tmp_path, ".csv")) == ["a", "b"]
    (tmp_path / "empty.csv").write_bytes(b"")
    assert csv_header(tmp_path / "empty.csv") == []


BAD = {
    "x.csv": (
        'a,b\n1,2\n3\n4,5,6\n"x" y,z\n7,8\n"never closed,9\n10,11\n',
        [["1", "2"], ["7", "8"]],
        {
            3: r"x.csv, row 2 \(line 3\): 1 cells for 2 columns; a text with a comma or a quote must stand in quotes",
            4: r"x.csv, row 3 \(line 4\): 3 cells for 2 columns",
            5: "x.csv: the record that begins on line 5 can't be read",
            7: "x.csv: the record that begins on line 7 can't be read .* quote that is not closed",
            8: "x.csv, line 8: left out, because it seems to belong to the record that begins on line 7 .*: '10,11.n'",
        },
    ),
    "x.jsonl": (
        '{"a": 1}\n \n{"a"\n[2]\n{"b": null}\n' + "[" * 100_000,
        [[1], [None]],
        {
            3: "x.jsonl, line 3: no JSON .*: '{\"a\".n'",
            4: r"x.jsonl, line 4: expected a JSON object, got '\[2\].n'",
            6: "x.jsonl, line 6: no JSON .*'.{80}…'",
        },
    ),
}


@pytest.mark.parametrize("name", BAD)
def test_bad_records_are_reported_one_by_one_or_the_first_one_stops(tmp_path, name):
    content, good, expected = BAD[name]
    errors: list[RowError] = []
    rows = read_text(tmp_path, name, content, on_error=errors.append)
    assert [list(row.values.values()) for row in rows] == good
    assert [error.line for error in errors] == list(expected)
    with pytest.raises(RowError) as stopped:
        read_text(tmp_path, name, content)
    assert str(stopped.value) == str(errors[0])
    for error, message in zip(errors, expected.values(), strict=True):
        with pytest.raises(RowError, match=message):
            raise error
    if name == "x.csv":
        assert errors[0].values == {"a": "3"}


def test_a_byte_order_mark_and_broken_utf8(tmp_path):
    [row] = read_text(tmp_path, "x.csv", b"\xef\xbb\xbfa,b\n1,\xff\n")
    assert row.values == {"a": "1", "b": "\udcff"} and csv_header(tmp_path / "x.csv") == ["a", "b"]
    [row] = read_text(tmp_path, "x.jsonl", b'\xef\xbb\xbf{"a": "\xff"}')
    assert row.values == {"a": "\udcff"}


def test_text_in_parquet_that_is_no_utf8_is_named_by_its_cell_wherever_it_stands(tmp_path):
    def text(*cells: bytes) -> pa.Array:
        return pa.array(cells, pa.binary()).view(pa.string())

    spans = pa.StructArray.from_arrays([text(b"x", b"\xff")], names=["text"])
    table = pa.table({"a": text(b"fine", b"b\xff"), "b": pa.ListArray.from_arrays([0, 1, 2], spans)})
    pq.write_table(table, tmp_path / "x.parquet")
    first, second = read_rows(tmp_path / "x.parquet", NEED_A_AND_B)
    assert first.values == {"a": "fine", "b": [{"text": "x"}]}
    assert second.values == {"a": "b\udcff", "b": [{"text": "\udcff"}]}
    with pytest.raises(RowError, match=r"x.parquet, row 2, column 'a': expected UTF-8 text, got 'b\\udcff'"):
        second.text("a")


def test_memory_does_not_grow_with_the_row_groups_of_parquet(tmp_path):
    table = pa.table({"a": [f"{row} {'x' * 1000}" for row in range(60_000)]})
    # Neither compressed nor folded, so that the file is as large as its text.
    pq.write_table(table, tmp_path / "x.parquet", row_group_size=60_000, compression="none", use_dictionary=False)
    # In a process of its own, because Arrow knows the most that its process ever held, and nothing since then.
    code = (
        "import sys, pyarrow; from pathlib import Path; from modeling_empathy.files.rows import read_rows;"
        "print(sum(1 for row in read_rows(Path(sys.argv[1]), lambda header, name: header)),"
        " pyarrow.default_memory_pool().max_memory())"
    )
    command = [sys.executable, "-c", code, tmp_path / "x.parquet"]
    read, most = map(int, subprocess.run(command, capture_output=True, text=True, check=True).stdout.split())
    assert (tmp_path / "x.parquet").stat().st_size > 60e6 and read == 60_000 and 1e6 < most < 20e6


def test_files_that_can_not_be_read_are_named(tmp_path):
    with pytest.raises(InputError, match=r"absent\.csv is not a file"):
        read_rows(tmp_path / "absent.csv", NEED_A_AND_B)
    with pytest.raises(InputError, match=r"broken\.parquet can't be read as Parquet"):
        read_text(tmp_path, "broken.parquet", b"PAR1 and more")
    with pytest.raises(InputError, match=r"the ending '\.xls' names no format; use one of \.csv, .*\.parquet"):
        read_text(tmp_path, "x.xls", "")


def test_formats_go_by_the_ending_unless_one_is_named():
    assert (
        format_of(Path("x.NDJSON")) == format_of(Path("x.jsonl.GZ")) == "jsonl"
        and format_of(Path("x"), "csv") == "csv"
    )
    assert format_of(Path("x.txt"), formats={".txt": "lines"}) == "lines"
    with pytest.raises(
        InputError, match=r"'\.txt' names no format; use one of \.csv, \.tsv, \.jsonl, \.ndjson, \.parquet, "
    ):
        format_of(Path("x.txt"))


def test_standard_input_is_read_as_a_file_is_and_stays_open(tmp_path, monkeypatch):
    (tmp_path / "csv").write_text("\ufeffa,b\n1,Ça\n")
    (tmp_path / "jsonl").write_text('{"a": 1}\n')
    expected = {
        "csv": ("standard input, row 1 (line 2)", {"a": "1", "b": "Ça"}),
        "jsonl": ("standard input, line 1", {"a": 1}),
    }
    for file_format, row in expected.items():
        with (tmp_path / file_format).open() as stdin:
            monkeypatch.setattr(sys, "stdin", stdin)
            assert [(row.place, row.values) for row in read_rows(STDIN, NEED_A_AND_B, file_format)] == [row]
            assert stdin.read() == "", "it was closed"
    with pytest.raises(InputError, match="Parquet can't be read from standard input"):
        next(read_rows(STDIN, NEED_A_AND_B, "parquet"))
