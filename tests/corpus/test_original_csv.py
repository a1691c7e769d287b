"""The original's prepared files: written with correct labels, read whoever wrote them, refused if they do not fit."""

import csv
import logging
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from modeling_empathy.corpus.alignment_report import AlignmentReport
from modeling_empathy.corpus.annotated_csv import read_mechanism
from modeling_empathy.corpus.annotated_files import read_annotated
from modeling_empathy.corpus.original_csv import PREPARED_COLUMNS, write_prepared_csv
from modeling_empathy.corpus.preparation import prepare_file
from modeling_empathy.encoders import load_tokenizer
from modeling_empathy.errors import InputError
from modeling_empathy.original_names import mechanism_of
from tests.csv_files import write_csv
from tests.tokenizers_for_tests import byte_level_bpe_tokenizer


ROWS = [
    ("s1", "r1", " I feel low ", "  So SORRY for you.  Hugs!  ", 2, "so sorry|hugs!|"),
    ("s2", "r2", "Nobody calls", "Drink some water", 0, ""),
    ("s3", "r3", "I failed", "I see", 1, "not in the response"),
    ("s4", "r4", "I failed again", "Me too", 1, ""),
]


@pytest.fixture
def encoder(tmp_path) -> str:
    """A folder with a cased tokenizer, as roberta-base's."""
    byte_level_bpe_tokenizer().save_pretrained(tmp_path / "encoder")
    return str(tmp_path / "encoder")


@pytest.fixture
def raw(tmp_path) -> Path:
    return write_csv(tmp_path / "sample_ER.csv", ROWS)


def cells_of(path: Path) -> list[dict[str, str]]:
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def marked(cells: dict[str, str], encoder: str) -> str:
    """The characters of the tokens that are labelled 1."""
    tokenizer = load_tokenizer(encoder, as_original=True)
    offsets = tokenizer(cells["response_post"], return_offsets_mapping=True)["offset_mapping"]
    labels = [int(label) for label in cells["rationale_labels"].split(",")]
    return "".join(cells["response_post"][slice(*span)] for span, label in zip(offsets, labels, strict=False) if label)


def test_a_prepared_csv_has_the_originals_columns_and_correct_labels(raw, encoder, tmp_path):
    prepare_file(raw, tmp_path / "prepared.csv", encoder, max_length=32)
    rows = cells_of(tmp_path / "prepared.csv")
    assert list(rows[0]) == list(PREPARED_COLUMNS)
    assert [row["id"] for row in rows] == ["s1_r1", "s2_r2", "s3_r3", "s4_r4"]
    assert (rows[0]["seeker_post"], rows[0]["response_post"]) == ("I feel low", "So SORRY for you.  Hugs!")
    assert [row["level"] for row in rows] == ["2", "0", "1", "1"]
    assert [len(row["rationale_labels"].split(",")) for row in rows] == [32] * 4
    assert marked(rows[0], encoder).replace(" ", "") == "SoSORRYHugs!"
    assert rows[0]["response_post_masked"] == " for you. "
    tokenizer = load_tokenizer(encoder, as_original=True)
    for row in rows:
        tokens = len(tokenizer(row["response_post"])["input_ids"])
        assert int(row["rationale_labels_trimmed"]) == 2 * (tokens - 1) - 1
        labels = [int(label) for label in row["rationale_labels"].split(",")]
        assert not any(labels[tokens:])
        if row["id"] in ("s2_r2", "s4_r4"):  # unannotated: all of it, the closing special token included
            assert labels[:tokens] == [0] + [1] * (tokens - 1) and row["response_post_masked"] == ""
        else:
            assert labels[0] == labels[tokens - 1] == 0
    assert "1" not in rows[2]["rationale_labels"], "a quote that is not there is no reason to mark everything"
    assert rows[2]["response_post_masked"] == "I see"


def test_reading_it_back_gives_what_was_annotated(raw, encoder, tmp_path):
    prepare_file(raw, tmp_path / "prepared.csv", encoder, max_length=32)
    tokenizer = load_tokenizer(encoder, as_original=True)
    rows = read_annotated(tmp_path / "prepared.csv", tokenizer, 32)
    assert rows["sp_id"] == ["s1", "s2", "s3", "s4"] and rows["rp_id"] == ["r1", "r2", "r3", "r4"]
    assert rows["level"] == [2, 0, 1, 1]
    assert [[span["text"] for span in spans] for spans in rows["rationales"]] == [["So SORRY", "Hugs!"], [], [], []]
    expected = [row["rationale_labels"] for row in cells_of(tmp_path / "prepared.csv")]
    assert [",".join(map(str, labels)) for labels in rows["prepared_labels"]] == expected


def test_a_prepared_parquet_keeps_spans_and_reads_as_the_raw_file_does(raw, encoder, tmp_path):
    prepare_file(raw, tmp_path / "prepared.parquet", encoder, max_length=32)
    tokenizer = load_tokenizer(encoder)
    spans = read_annotated(tmp_path / "prepared.parquet", tokenizer, 32)
    assert spans.to_list() == read_annotated(raw, tokenizer, 32).to_list()
    assert spans.features == read_annotated(raw, tokenizer, 32).features
    assert [span["text"] for span in spans[0]["rationales"]] == ["So SORRY", "Hugs!"]


def test_files_of_the_original_preparation_are_read(corpus_dir, tmp_path, encoder):
    """A real file in its columns, as large as the original's: every row is there, and level 0 is unannotated."""
    tokenizer = load_tokenizer(encoder, as_original=True)
    pairs = read_mechanism(corpus_dir / "explorations-reddit.csv", AlignmentReport())
    write_prepared_csv(tmp_path / "prepared.csv", pairs, tokenizer, 64)
    rows = read_annotated(tmp_path / "prepared.csv", tokenizer, 64)
    assert len(rows) == len(pairs) == 3084
    assert rows["level"] == [pair.level for pair in pairs]
    for spans, pair in zip(rows["rationales"], pairs, strict=True):
        assert not spans or pair.spans
    kept = sum(bool(spans) for spans in rows["rationales"])
    assert kept > 400, "the cut at 64 tokens loses some, not most"


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"rationale_labels": "0,1,x"}, "row 1 .line 2., column 'rationale_labels': expected 0 and 1"),
        ({"rationale_labels": "0,1,0"}, "expected 32 labels, the maximum length here, found 3"),
        ({"rationale_labels": ",".join(["0"] * 31 + ["1"])}, "expected no 1 behind the"),
        ({"rationale_labels_trimmed": "77"}, "another --encoder"),
        ({"level": "3"}, "column 'level'"),
        ({"response_post": " "}, "column 'response_post': expected a value"),
    ],
)
def test_what_does_not_fit_is_refused_by_place(raw, encoder, tmp_path, changes, message):
    prepare_file(raw, tmp_path / "prepared.csv", encoder, max_length=32)
    rows = cells_of(tmp_path / "prepared.csv")
    rows[0] |= changes
    write_csv(tmp_path / "changed.csv", [list(row.values()) for row in rows], PREPARED_COLUMNS)
    with pytest.raises(InputError, match=message):
        read_annotated(tmp_path / "changed.csv", load_tokenizer(encoder, as_original=True), 32)


def test_prepared_pairs_are_counted_and_what_was_not_aligned_is_reported(raw, encoder, tmp_path, capsys):
    for name in ("prepared.csv", "prepared.parquet"):
        prepared = prepare_file(raw, tmp_path / name, encoder)
        assert prepared.pairs == 4 and prepared.report.rationales == 3
        assert [unaligned["rationale"] for unaligned in prepared.report.unaligned] == ["not in the response"]
    assert "sample_ER" not in "".join(capsys.readouterr()), "the library does not print"


def test_a_rationale_that_is_not_in_its_response_is_warned_of(raw, encoder, tmp_path, caplog):
    caplog.set_level(logging.INFO, "modeling_empathy")
    read_annotated(raw, load_tokenizer(encoder), 32)
    read_annotated(write_csv(tmp_path / "fine.csv", ROWS[:2]), load_tokenizer(encoder), 32)
    assert [(record.levelname, record.message) for record in caplog.records] == [
        ("WARNING", "1 of 3 rationales are not in their response: sample_ER.csv, row 3 (line 4)"),
        ("INFO", "0 of 2 rationales are not in their response: fine.csv"),
    ]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"seeker_post": " "}, "column 'seeker_post': expected text, got ' '"),
        ({"rp_id": None}, "column 'rp_id': expected text, got 'None'"),
        ({"level": 3}, "column 'level': expected 0, 1 or 2, got '3'"),
        ({"rationales": [{"start": 0, "end": 2, "text": "so"}]}, "column 'rationales': .* is not in the response"),
    ],
)
def test_a_parquet_file_that_does_not_fit_is_refused_by_place(raw, encoder, tmp_path, changes, message):
    path = tmp_path / "prepared.parquet"
    prepare_file(raw, path, encoder)
    rows = pq.read_table(path).to_pylist()
    rows[1] |= changes
    pq.write_table(pa.Table.from_pylist(rows), path)
    with pytest.raises(InputError, match=f"prepared.parquet, row 2, {message}"):
        read_annotated(path, load_tokenizer(encoder), 32)
    pq.write_table(pq.read_table(path).drop_columns(["level"]), path)
    with pytest.raises(InputError, match=r"prepared\.parquet: the column 'level' is missing; the header has 'sp_id'"):
        read_annotated(path, load_tokenizer(encoder), 32)
    pq.write_table(pa.Table.from_pylist(rows).slice(0, 0), path)
    with pytest.raises(InputError, match=r"prepared\.parquet has no rows"):
        read_annotated(path, load_tokenizer(encoder), 32)


def test_files_that_are_not_annotated_are_refused(tmp_path, encoder):
    tokenizer = load_tokenizer(encoder)
    write_csv(tmp_path / "pairs.csv", [("1", "a", "b")], ("id", "seeker_post", "response_post"))
    with pytest.raises(InputError, match=r"no annotated file.*'rationales?'|no annotated file"):
        read_annotated(tmp_path / "pairs.csv", tokenizer, 32)
    (tmp_path / "broken.parquet").write_bytes(b"PAR1")
    for name, message in (("broken.parquet", "can't be read as Parquet"), ("absent.csv", "not a file")):
        with pytest.raises(InputError, match=message):
            read_annotated(tmp_path / name, tokenizer, 32)
    (tmp_path / "empty.csv").write_text("")
    with pytest.raises(InputError, match="the header has nothing"):
        read_annotated(tmp_path / "empty.csv", tokenizer, 32)
    with pytest.raises(InputError, match="can't be loaded"):
        prepare_file(write_csv(tmp_path / "raw.csv", ROWS), tmp_path / "out.csv", str(tmp_path / "nowhere"))
    assert not (tmp_path / "out.csv").exists()


@pytest.mark.parametrize(
    ("name", "mechanism"),
    [
        ("dataset/emotional-reactions-reddit.csv", "emotional_reactions"),
        ("interpretations_test.parquet", "interpretations"),
        ("dataset/sample_input_model_ER.csv", "emotional_reactions"),
        ("output/reddit_IP.pth", "interpretations"),
        ("EX.csv", "explorations"),
        ("reader.csv", None),
        ("ER_and_EX.csv", None),
        (None, None),
    ],
)
def test_names_say_which_mechanism_they_are_about(name, mechanism):
    assert mechanism_of(name) == mechanism
