"""The card of an exported corpus: every figure holds, and no post is quoted. The figures are of dataset_files.py."""

import csv
import hashlib
import json
import re
from collections import Counter
from pathlib import Path

import datasets
import pyarrow.parquet as pq
import pytest

from dataset_scripts.epitome import load_epitome
from modeling_empathy import LEVELS
from modeling_empathy.hub.dataset_card import size_category
from modeling_empathy.hub.dataset_export import export_dataset
from tests.csv_files import write_csv
from tests.hub.exported_corpora import CONFIGURATIONS, SPLITS, card_of, split_by_rule, table


def test_the_metadata_say_what_the_files_hold(exported):
    data = card_of(exported).data
    assert (data.license, data.language, data.size_categories) == ("apache-2.0", ["en"], ["n<1K"])
    assert "synthetic" in data.tags and data.pretty_name
    assert {info["config_name"] for info in data.dataset_info} == set(CONFIGURATIONS)
    for info in data.dataset_info:
        files = list((exported / info["config_name"]).iterdir())
        assert info["download_size"] == sum(path.stat().st_size for path in files)
        rows = {path.name.split("-")[0]: pq.read_metadata(path).num_rows for path in files}
        assert {split["name"]: split["num_examples"] for split in info["splits"]} == rows
        assert info["dataset_size"] == sum(split["num_bytes"] for split in info["splits"]) > 0
        levels = info["features"][4]["struct"][0] if info["config_name"] == "all" else info["features"][4]
        names = {str(number): name for number, name in enumerate(LEVELS)}
        assert levels == {"name": "level", "dtype": {"class_label": {"names": names}}}


def test_checksums_and_sizes_are_those_of_the_files(exported):
    card = card_of(exported)
    files = table(card, "file | rows")
    assert len(files) == 12
    for row in files:
        content = (exported / row["file"]).read_bytes()
        assert (row["sha256"], row["bytes"]) == (hashlib.sha256(content).hexdigest(), str(len(content)))
        assert int(row["rows"]) == pq.read_metadata(exported / row["file"]).num_rows
    sample = Path(__file__).parents[2] / "dataset_scripts" / "sample"
    expected = {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in sample.glob("*.csv")}
    assert {row["source file"]: row["sha256"] for row in table(card, "source file | sha256")} == expected


def test_the_counts_are_those_of_the_source_files(exported):
    sample = Path(__file__).parents[2] / "dataset_scripts" / "sample"
    counted = table(card_of(exported), "configuration | split")
    assert len(counted) == 18
    seen = set()
    for row in counted:
        path = sample / f"{row['mechanism'].replace(' ', '-')}-sample.csv"
        with path.open(newline="", encoding="utf-8") as file:
            pairs = [pair for pair in csv.DictReader(file) if split_by_rule(pair["sp_id"]) == row["split"]]
        levels = Counter(pair["level"] for pair in pairs)
        assert int(row["rows"]) == len(pairs)
        assert [int(row[f"level {level}"]) for level in range(3)] == [levels[str(level)] for level in range(3)]
        assert int(row["seeker posts"]) == len({pair["sp_id"] for pair in pairs})
        # All quotes of the sample are aligned but two, of different mechanisms.
        quotes = [[quote for quote in pair["rationales"].split("|") if quote] for pair in pairs]
        assert 0 <= sum(map(len, quotes)) - int(row["rationales"]) <= 1
        seen.add((row["configuration"], row["split"]))
    assert seen == {(name, split) for name in CONFIGURATIONS for split in SPLITS}


def test_the_card_and_the_report_agree_on_the_alignment(exported):
    report = json.loads((exported / "alignment_report.json").read_text())
    assert len(report["unaligned"]) == 2
    rows = table(card_of(exported), "source file | rows")
    assert [row["source file"] for row in rows] == list(report["files"])
    for row in rows:
        counts = report["files"][row["source file"]]
        assert int(row["aligned exactly"]) == counts["aligned_exactly"] > 0
        assert int(row["aligned by folding"]) == counts["aligned_by_folding"] > 0
        listed = [quote for quote in report["unaligned"] if quote["file"] == row["source file"]]
        assert int(row["not aligned"]) == len(listed)


def test_no_post_is_quoted_in_the_card(exported):
    card = " ".join((exported / "README.md").read_text(encoding="utf-8").split())
    # By sentences, since a card that quotes would not quote a post from end to end.
    sentences = set()
    for rows in load_epitome(source="sample").values():
        for row in rows:
            for text in (row["seeker_post"], row["response_post"]):
                sentences |= {" ".join(part.split()) for part in re.split(r"[.!?\n]", text)}
    # A few words that stand together may be anybody's.
    long = [sentence for sentence in sentences if len(sentence.split()) > 3]
    assert len(long) > 300
    assert [sentence for sentence in long if sentence in card] == []


def test_the_card_warns_and_tells_the_terms(exported):
    text = " ".join(card_of(exported).text.split())
    for part in ("Content note", "crisis line", "no diagnosis", "rank people", "0.74 to 0.84", "Apache License 2.0"):
        assert part in text
    assert "Synthetic data." in text and "@inproceedings{sharma2020empathy" in text
    assert "{{" not in text and "{%" not in text


def test_other_files_are_of_unknown_licence(tmp_path, csv_folder):
    # What would end a cell of a Markdown table, or its code.
    (csv_folder / "explorations-test.csv").rename(csv_folder / "explorations-a|b `c`.csv")
    summary = export_dataset(tmp_path / "out", data_dir=str(csv_folder), show_progress=False)
    assert summary.provenance.needs_permission and "ask whoever the data come from" in summary.provenance.terms
    card = card_of(tmp_path / "out")
    assert card.data.license == "unknown" and card.data.language is None
    assert "The licence is unknown" in card.text and "Don't try to find" in card.text
    assert str(csv_folder) not in card.content, "where the files lay is nobody's business"
    names = [row["source file"] for row in table(card, "source file | sha256")]
    assert names == ["emotional-reactions-test.csv", "interpretations-test.csv", "explorations-a\\|b 'c'.csv"]


def test_repeated_pairs_and_rows_without_rationales_are_counted(tmp_path, csv_folder):
    path = csv_folder / "explorations-test.csv"
    with path.open(newline="", encoding="utf-8") as file:
        _, *rows = csv.reader(file)
    assert [row[4] for row in rows[:3]] == ["0", "1", "2"]
    rows[1][5] = ""  # level 1 without a rationale
    # In all files, because files of different length can't be joined.
    for source in csv_folder.glob("*.csv"):
        with source.open(newline="", encoding="utf-8") as file:
            _, *source_rows = csv.reader(file)
        source_rows = rows if source == path else source_rows
        repeated, also_repeated = list(source_rows[2]), list(source_rows[3])
        # Of explorations the level differs as well, which is 2 in the row itself.
        repeated[4] = "1" if source == path else repeated[4]
        write_csv(source, [*source_rows, repeated, also_repeated])
    export_dataset(tmp_path / "out", data_dir=str(csv_folder), show_progress=False)
    card = card_of(tmp_path / "out")
    assert "2 pairs are there more" in card.text
    odd = {row.pop("mechanism"): list(row.values()) for row in table(card, "mechanism | repeated")}
    assert odd == {
        "emotional reactions": ["0", "0", "0"],
        "interpretations": ["0", "0", "0"],
        "explorations": ["1", "1", "0"],
    }


def test_nothing_is_asked_of_the_network(tmp_path, monkeypatch):
    import socket

    def refused(*arguments, **options):
        raise AssertionError("no connection is needed to write a card")

    # Offline mode would hide a request: it is switched off, and the socket refuses in its place.
    monkeypatch.setattr(socket.socket, "connect", refused)
    monkeypatch.setattr(datasets.config, "HF_HUB_OFFLINE", False)
    export_dataset(tmp_path / "out", source="sample", show_progress=False)
    assert (tmp_path / "out" / "README.md").is_file()


@pytest.mark.parametrize(
    ("rows", "category"),
    [
        (1, "n<1K"),
        (999, "n<1K"),
        (1000, "1K<n<10K"),
        (9999, "1K<n<10K"),
        (10_000, "10K<n<100K"),
        (123_456, "100K<n<1M"),
        (10**6, "1M<n<10M"),
    ],
)
def test_size_categories(rows, category):
    assert size_category(rows) == category
