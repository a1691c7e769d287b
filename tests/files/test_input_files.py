"""What somebody may name as input: files, folders, patterns, URLs, data sets; compressed, damaged, harmful ones."""

import bz2
import gzip
import lzma
import re
import tracemalloc
import zipfile
from pathlib import Path

import datasets
import fsspec
import openpyxl
import pytest
import zstandard

from modeling_empathy.errors import InputError
from modeling_empathy.files import workbook_rows, zstd_stream
from modeling_empathy.files.input_files import InputFile, find_files
from modeling_empathy.files.rows import read_rows
from modeling_empathy.files.text_lines import LONGEST_LINE


ROWS = "a\n" + "".join(f"{number}\n" for number in range(5))
PACKERS = {".gz": gzip.compress, ".bz2": bz2.compress, ".xz": lzma.compress, ".zst": zstandard.compress}


def values(file: InputFile) -> list[str]:
    return [row.values["a"] for row in read_rows(file, lambda header, name: ["a"])]


def names(*named) -> list[str]:
    return [file.name for file in find_files(list(map(str, named)))]


def make(folder: Path, *relative: str) -> None:
    for name in relative:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(ROWS)


def test_files_folders_and_patterns(tmp_path, monkeypatch):
    make(tmp_path, "b.csv", "a.csv", "sub/c.tsv", ".hidden.csv", "_run/d.csv", "README.md")
    assert names(tmp_path) == ["a.csv", "b.csv", "sub/c.tsv"]
    assert names(tmp_path / "*.csv") == ["a.csv", "b.csv"] and names(tmp_path / "**/*.tsv") == ["sub/c.tsv"]
    assert names(tmp_path / "b.csv", tmp_path / "sub") == ["b.csv", "c.tsv"], "in the order in which they are named"
    monkeypatch.chdir(tmp_path)
    assert names("*.csv") == ["a.csv", "b.csv"] and names("sub/../b.csv") == ["b.csv"]
    make(tmp_path, "[x].csv")
    assert names("[x].csv") == ["[x].csv"], "a file goes before a pattern"
    assert [file.file_format for file in find_files(["README.md"], "csv")] == ["csv"]


@pytest.mark.parametrize("protocol", ["memory", "file"])
def test_urls(tmp_path, protocol):
    base = f"memory://{tmp_path.name}" if protocol == "memory" else f"file://{tmp_path}"
    for name in ("x/a.csv", "x/b.csv.gz"):
        with fsspec.open(f"{base}/{name}", "wb") as file:
            file.write(gzip.compress(ROWS.encode()) if name.endswith(".gz") else ROWS.encode())
    assert names(f"{base}/x") == ["a.csv", "b.csv.gz"] and names(f"{base}/x/*.gz") == ["b.csv.gz"]
    for file in find_files([f"{base}/x"]):
        assert values(file) == list("01234") and file.size() > 10 and len(file.sha256()) == 64
    with pytest.raises(InputError, match=r"is not a file, a folder or a pattern; what would be: pairs\.csv, "):
        names(f"{base}/absent.csv")
    with pytest.raises(InputError, match="nosuch"):
        names("nosuch://x/a.csv")


@pytest.mark.parametrize(
    ("named", "message"),
    [
        (
            ["absent"],
            "absent is not a file, a folder or a pattern; what would be: pairs.csv, pairs.jsonl.gz, a folder",
        ),
        (["x"], "nothing to read in the folder x: notes.txt; what would be read: .csv, .tsv, .*, also with .gz"),
        (["x/*.csv"], r"nothing to read that x/\*.csv stands for; what would"),
        (["x/notes.txt"], "the ending '.txt' names no format"),
        (["a.csv", "a.csv"], "a.csv is named more than once"),
        (["-", "a.csv"], "Standard input is read alone"),
    ],
)
def test_what_is_not_understood_is_said_with_what_would_be(tmp_path, monkeypatch, named, message):
    make(tmp_path, "a.csv", "x/notes.txt")
    monkeypatch.chdir(tmp_path)
    with pytest.raises(InputError, match=message):
        names(*named)


def test_a_saved_data_set_is_read_as_what_it_holds(tmp_path):
    rows = datasets.Dataset.from_dict({"a": list("01234")})
    rows.save_to_disk(tmp_path / "one", num_shards=2)
    datasets.DatasetDict({"train": rows, "test": rows}).save_to_disk(tmp_path / "splits")
    assert [value for file in find_files([str(tmp_path / "one")]) for value in values(file)] == list("01234")
    files = find_files([str(tmp_path / "splits")])
    assert [file.name.split("/")[0] for file in files] == ["train", "test"]
    assert [value for file in files for value in values(file)] == list("0123401234")


@pytest.mark.parametrize("ending", PACKERS)
def test_what_is_compressed_is_unpacked_in_parts_too_and_a_part_of_it_is_refused(tmp_path, ending):
    pack = PACKERS[ending]
    path = tmp_path / f"x.csv{ending}"
    path.write_bytes(pack(ROWS.encode()) + pack(b"5\n") + pack(b"6\n"))
    assert values(InputFile.at(path)) == list("0123456")
    many = "a\n" + "".join(f"{number * 7919 % 10007}\n" for number in range(50_000))
    path.write_bytes(pack(many.encode()))
    assert len(values(InputFile.at(path))) == 50_000
    path.write_bytes(path.read_bytes()[:-20])
    with pytest.raises(InputError, match=rf"x\.csv{ending} can't be unpacked to its end: it is cut short or damaged"):
        values(InputFile.at(path))
    path.write_bytes(b"plain text")
    with pytest.raises(InputError, match=r"x\.csv.* is cut short or damaged"):
        values(InputFile.at(path))


def test_a_dump_with_a_window_of_two_gigabytes_is_read(tmp_path):
    parameters = zstandard.ZstdCompressionParameters.from_level(1, window_log=31, enable_ldm=True)
    packer = zstandard.ZstdCompressor(compression_params=parameters).compressobj()
    (tmp_path / "x.csv.zst").write_bytes(packer.compress(ROWS.encode()) + packer.flush())
    assert values(InputFile.at(tmp_path / "x.csv.zst")) == list("01234")


@pytest.mark.parametrize("ending", PACKERS)
def test_what_unpacks_to_far_more_than_it_is_costs_no_memory(tmp_path, ending):
    path = tmp_path / f"x.csv{ending}"
    path.write_bytes(PACKERS[ending](b"a\n" + b"\0" * (8 * LONGEST_LINE)))
    assert path.stat().st_size < 200_000
    tracemalloc.start()
    with pytest.raises(InputError, match=re.escape(f"x.csv{ending}: the record that begins on line 2")):
        values(InputFile.at(path))
    assert tracemalloc.get_traced_memory()[1] < 8 * LONGEST_LINE
    tracemalloc.stop()


def test_a_package_that_is_missing_is_named(tmp_path, monkeypatch):
    monkeypatch.setattr(zstd_stream, "zstandard", None)
    (tmp_path / "x.csv.zst").write_bytes(zstandard.compress(ROWS.encode()))
    with pytest.raises(InputError, match="pip install zstandard"):
        values(InputFile.at(tmp_path / "x.csv.zst"))


def test_columnar_files_are_not_compressed_from_without(tmp_path):
    (tmp_path / "x.parquet.gz").write_bytes(b"")
    with pytest.raises(InputError, match="unpack it first; Parquet is compressed within"):
        values(InputFile.at(tmp_path / "x.parquet.gz"))


def workbook(path: Path, *rows, merged: str | None = None) -> InputFile:
    book = openpyxl.Workbook()
    for row in rows:
        book.active.append(row)
    if merged:
        book.active.merge_cells(merged)
    book.save(path)
    return InputFile.at(path)


def test_a_workbook_whose_columns_have_no_names_is_refused_with_what_would_do(tmp_path):
    merged = workbook(tmp_path / "x.xlsx", ["id", "posts", "of both"], [1, "a", "b"], merged="B1:C1")
    assert [row.values for row in read_rows(merged, lambda header, name: header)] == [{"id": 1, "posts": "a"}]
    merged = workbook(tmp_path / "x.xlsx", ["My study", None, "2026"], ["a", "b", "c"], merged="A1:B1")
    message = r"x\.xlsx, sheet 'Sheet': the first row must give each column its name, .*'My study |  | 2026'"
    with pytest.raises(InputError, match=message):
        values(merged)


def test_a_workbook_that_is_none_or_too_large_is_refused(tmp_path, monkeypatch):
    path = tmp_path / "x.xlsx"
    path.write_bytes(b"no workbook")
    with pytest.raises(InputError, match="can't be read as an Excel workbook"):
        values(InputFile.at(path))
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("x", "")
    with pytest.raises(InputError, match="can't be read as an Excel workbook"):
        values(InputFile.at(path))
    monkeypatch.setattr(workbook_rows, "_LARGEST", 2**20)
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("xl/big", bytes(2**21))
    assert path.stat().st_size < 5000
    with pytest.raises(InputError, match="2,097,152 bytes once it is unpacked"):
        values(InputFile.at(path))
