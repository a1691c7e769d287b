"""The published files: their counts, and that no annotation is lost on the way to the data set."""

import csv
import hashlib
import json
from pathlib import Path

import pytest

from dataset_scripts.epitome import REPORT_NAME, EpitomeReddit, load_epitome
from modeling_empathy import MECHANISMS
from modeling_empathy.corpus.provenance import UPSTREAM_SHA256
from modeling_empathy.corpus.splits import split_of


# Rows, rows by level, rows with rationales, rationales. In two more rows of the interpretations file the rationales
# hold nothing but a bar: they count as rows without.
PUBLISHED = {
    "emotional-reactions-reddit.csv": (3084, [2037, 895, 152], 1045, 1243),
    "interpretations-reddit.csv": (3084, [1626, 114, 1344], 1448, 1614),
    "explorations-reddit.csv": (3084, [2604, 104, 376], 479, 525),
}


@pytest.fixture(scope="module")
def built(corpus_dir, tmp_path_factory):
    builder = EpitomeReddit(data_dir=str(corpus_dir), cache_dir=str(tmp_path_factory.mktemp("cache")))
    builder.download_and_prepare()
    return builder


def test_the_files_are_the_published_ones(corpus_dir):
    for name, expected in UPSTREAM_SHA256.items():
        assert hashlib.sha256((corpus_dir / name).read_bytes()).hexdigest() == expected


def test_the_report_has_the_published_counts_and_all_spans_but_one_align(built):
    report = json.loads((Path(built.cache_dir) / REPORT_NAME).read_text())
    for name, expected in PUBLISHED.items():
        counts = report["files"][name]
        assert (counts["rows"], counts["levels"], counts["annotated_rows"], counts["rationales"]) == expected
    # Its quote begins with the last character of an entity, which no span of whole characters can.
    assert [(rationale["file"], rationale["row"]) for rationale in report["unaligned"]] == [
        ("emotional-reactions-reddit.csv", 2679)
    ]
    assert len(report["without_rationale"]) == 13


def test_every_aligned_span_is_in_the_joined_data(built):
    corpus = built.as_dataset()
    assert sum(len(rows) for rows in corpus.values()) == 3084
    spans = 0
    for split, rows in corpus.items():
        for row in rows:
            assert split_of(row["sp_id"]) == split
            for mechanism in MECHANISMS:
                for span in row[mechanism]["rationales"]:
                    assert row["response_post"][span["start"] : span["end"]] == span["text"]
                    assert span["text"] == span["text"].strip() != ""
                    spans += 1
    assert spans == 3381


def test_carried_spans_hold_the_words_of_their_own_file(built, corpus_dir, tmp_path):
    single = load_epitome("emotional_reactions", data_dir=str(corpus_dir), cache_dir=str(tmp_path))
    joined = built.as_dataset()
    compared = grown = 0
    for split in joined:
        for row, joined_row in zip(single[split], joined[split], strict=True):
            assert row["rp_id"] == joined_row["rp_id"]
            for span, carried in zip(row["rationales"], joined_row["emotional_reactions"]["rationales"], strict=True):
                words = [word for word in carried["text"].split() if "reddit" not in word.lower()]
                removed = [word for word in span["text"].split() if word not in carried["text"].split()]
                assert not removed or len(removed) <= 1
                grown += span["text"].split() != carried["text"].split()
                compared += span["text"].split() == carried["text"].split() or len(words) > 0
    assert compared >= 1240
    assert grown <= 5, "only words that were removed from the emotional-reactions file may come back"


def test_texts_are_the_fuller_copies(built, corpus_dir):
    with (corpus_dir / "interpretations-reddit.csv").open(newline="", encoding="utf-8") as file:
        fuller = {(row["sp_id"], row["rp_id"]): row["response_post"] for row in csv.DictReader(file)}
    for rows in built.as_dataset().values():
        for row in rows:
            assert row["response_post"] == fuller[row["sp_id"], row["rp_id"]]
