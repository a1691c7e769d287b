"""The exported folder: plain `datasets` reads what the builder built, and every figure of the card holds."""

import csv
import hashlib
import json
import os
import re
import subprocess
import sys
from collections import Counter
from pathlib import Path

import datasets
import pyarrow.parquet as pq
import pytest
from huggingface_hub import DatasetCard

from dataset_scripts.epitome import load_epitome
from modeling_empathy import LEVELS, MECHANISMS
from modeling_empathy.errors import InputError
from modeling_empathy.hub import dataset_export
from modeling_empathy.hub.dataset_card import size_category
from modeling_empathy.hub.dataset_export import export_dataset
from tests.csv_files import write_corpus, write_csv


CONFIGURATIONS = ["all", *MECHANISMS]
SPLITS = ["train", "validation", "test"]

# Run where neither package can be imported: whatever loads, loads without our code.
LOAD = """
import json, sys
sys.modules["modeling_empathy"] = sys.modules["dataset_scripts"] = None
import datasets

def loaded(*arguments):
    found = {}
    for kind in ("whole", "streamed"):
        splits = datasets.load_dataset(*arguments, streaming=kind == "streamed")
        found[kind] = {split: list(rows) for split, rows in splits.items()}
        found[f"{kind} features"] = {split: rows.features.to_dict() for split, rows in splits.items()}
    return found

folder, *names = sys.argv[1:]
json.dump({"default": loaded(folder)} | {name: loaded(folder, name) for name in names}, sys.stdout)
"""


@pytest.fixture(scope="module")
def exported(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("export") / "sample"
    export_dataset(folder, source="sample", show_progress=False)
    return folder


@pytest.fixture
def csv_folder(tmp_path) -> Path:
    (tmp_path / "csv").mkdir()
    return write_corpus(tmp_path / "csv")


def card_of(folder: Path) -> DatasetCard:
    return DatasetCard.load(folder / "README.md")


def table(card: DatasetCard, heading: str) -> list[dict[str, str]]:
    """The table of the card whose header begins with these words; each row by column."""
    lines = card.text.splitlines()
    [start] = [number for number, line in enumerate(lines) if line.startswith(f"| {heading}")]
    header = [cell.strip() for cell in lines[start].strip("|").split("|")]
    rows = []
    for line in lines[start + 2 :]:
        if not line.startswith("|"):
            break
        cells = [cell.strip().strip("`") for cell in re.split(r"(?<!\\)\|", line)[1:-1]]
        rows.append(dict(zip(header, cells, strict=True)))
    return rows


def split_by_rule(sp_id: str, salt: str = "") -> str:
    percentile = int(hashlib.sha1((salt + sp_id).encode()).hexdigest(), 16) % 100
    return "train" if percentile < 75 else "validation" if percentile < 80 else "test"


def load_without_our_code(folder: Path, names: list[str], cache: Path) -> dict:
    done = subprocess.run(
        [sys.executable, "-I", "-c", LOAD, str(folder), *names],
        capture_output=True,
        text=True,
        env={**os.environ, "HF_HOME": str(cache)},
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_plain_datasets_loads_what_the_builder_built(exported, tmp_path):
    loaded = load_without_our_code(exported, CONFIGURATIONS, tmp_path)
    for name in CONFIGURATIONS:
        built = load_epitome(name, source="sample")
        assert list(loaded[name]["whole"]) == list(loaded[name]["streamed"]) == SPLITS
        for split, rows in built.items():
            assert len(rows) > 0
            assert loaded[name]["whole"][split] == loaded[name]["streamed"][split] == list(rows)
            for kind in ("whole features", "streamed features"):
                assert datasets.Features.from_dict(loaded[name][kind][split]) == rows.features
    assert loaded["default"] == loaded["all"]


def test_the_published_corpus_loads_as_it_was_built(corpus_dir, tmp_path):
    folder = tmp_path / "exported"
    summary = export_dataset(folder, data_dir=str(corpus_dir), show_progress=False)
    assert summary.provenance.needs_permission and "University of Washington" in summary.provenance.terms
    loaded = load_without_our_code(folder, ["all", "explorations"], tmp_path / "cache")
    for name in ("all", "explorations"):
        built = load_epitome(name, data_dir=str(corpus_dir))
        for split, rows in built.items():
            assert loaded[name]["whole"][split] == loaded[name]["streamed"][split] == list(rows)
    card = card_of(folder)
    assert (card.data.license, card.data.size_categories) == ("other", ["1K<n<10K"])
    assert card.data.license_name and card.data.license_link.startswith("https://")
    assert "University of Washington" in card.text and "Synthetic" not in card.text
    # As the corpus's own description counts them.
    odd = {row["mechanism"]: row["repeated pairs with other levels"] for row in table(card, "mechanism | repeated")}
    assert odd == {"emotional reactions": "10", "interpretations": "10", "explorations": "5"}
    assert "60 pairs are there more" in card.text
    assert [row["not aligned"] for row in table(card, "source file | rows")] == ["1", "0", "0"]


def test_the_folder_holds_these_files_and_the_card_names_them(exported):
    found = {path.relative_to(exported).as_posix() for path in exported.rglob("*") if path.is_file()}
    parquet = {f"{name}/{split}-00000-of-00001.parquet" for name in CONFIGURATIONS for split in SPLITS}
    assert found - {"croissant.json"} == parquet | {"README.md", "alignment_report.json"}
    card = card_of(exported)
    configs = {config["config_name"]: config for config in card.data.configs}
    assert list(configs) == CONFIGURATIONS
    assert [name for name, config in configs.items() if config.get("default")] == ["all"]
    listed = [(file["split"], file["path"]) for config in configs.values() for file in config["data_files"]]
    assert sorted(path for _, path in listed) == sorted(parquet)
    assert all(Path(path).name.startswith(f"{split}-") for split, path in listed)
    assert sorted(row["file"] for row in table(card, "file | rows")) == sorted(parquet)


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
            rows = [one for one in csv.DictReader(file) if split_by_rule(one["sp_id"]) == row["split"]]
        levels = Counter(one["level"] for one in rows)
        assert int(row["rows"]) == len(rows)
        assert [int(row[f"level {level}"]) for level in range(3)] == [levels[str(level)] for level in range(3)]
        assert int(row["seeker posts"]) == len({one["sp_id"] for one in rows})
        # All quotes but the two that the sample's card names are found.
        quotes = [[quote for quote in one["rationales"].split("|") if quote] for one in rows]
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
        listed = [one for one in report["unaligned"] if one["file"] == row["source file"]]
        assert int(row["not aligned"]) == len(listed)


def test_no_post_is_quoted_in_the_card(exported):
    card = " ".join((exported / "README.md").read_text(encoding="utf-8").split())
    sentences = set()
    for rows in load_epitome(source="sample").values():
        for row in rows:
            for text in (row["seeker_post"], row["response_post"]):
                sentences |= {" ".join(part.split()) for part in re.split(r"[.!?\n]", text)}
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
    for other in csv_folder.glob("*.csv"):
        with other.open(newline="", encoding="utf-8") as file:
            _, *own = csv.reader(file)
        own = rows if other == path else own
        again, also = list(own[2]), list(own[3])
        again[4] = "1" if other == path else again[4]
        write_csv(other, [*own, again, also])
    export_dataset(tmp_path / "out", data_dir=str(csv_folder), show_progress=False)
    card = card_of(tmp_path / "out")
    assert "2 pairs are there more" in card.text
    odd = {row.pop("mechanism"): list(row.values()) for row in table(card, "mechanism | repeated")}
    assert odd == {
        "emotional reactions": ["0", "0", "0"],
        "interpretations": ["0", "0", "0"],
        "explorations": ["1", "1", "0"],
    }


def test_a_salt_gives_other_splits_and_is_told(tmp_path):
    folder = tmp_path / "salted"
    export_dataset(folder, source="sample", salt="7", show_progress=False)
    for split in SPLITS:
        sp_ids = pq.read_table(folder / "all" / f"{split}-00000-of-00001.parquet")["sp_id"].to_pylist()
        assert {split_by_rule(sp_id, "7") for sp_id in sp_ids} == {split}
    assert "is `7`." in " ".join(card_of(folder).text.split())


def test_splits_without_rows_are_left_out_and_told(tmp_path):
    (tmp_path / "csv").mkdir()
    write_corpus(tmp_path / "csv", pairs=1)
    summary = export_dataset(tmp_path / "out", data_dir=str(tmp_path / "csv"), show_progress=False)
    there = split_by_rule("s0")
    missing = [split for split in SPLITS if split != there]
    assert summary.left_out == missing
    assert summary.rows == {name: {there: 1} for name in CONFIGURATIONS}
    loaded = datasets.load_dataset(str(tmp_path / "out"), "explorations", cache_dir=str(tmp_path / "cache"))
    assert {split: len(rows) for split, rows in loaded.items()} == {there: 1}
    assert f"so without a file: {', '.join(missing)}." in card_of(tmp_path / "out").text


def test_the_same_files_give_the_same_bytes(exported, tmp_path):
    export_dataset(tmp_path / "again", source="sample", show_progress=False)
    first = {path.relative_to(exported): path.read_bytes() for path in exported.rglob("*") if path.is_file()}
    again = tmp_path / "again"
    assert {path.relative_to(again): path.read_bytes() for path in again.rglob("*") if path.is_file()} == first


def test_a_folder_with_something_in_it_is_left_alone(tmp_path):
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "README.md").write_text("mine")
    with pytest.raises(InputError, match="exists already"):
        export_dataset(tmp_path / "mine", source="sample")
    assert [path.name for path in tmp_path.rglob("*")] == ["mine", "README.md"]
    assert (tmp_path / "mine" / "README.md").read_text() == "mine"


@pytest.mark.parametrize("interruption", [KeyboardInterrupt, OSError])
def test_an_interrupted_export_leaves_nothing(tmp_path, monkeypatch, interruption):
    def interrupted(*arguments):
        raise interruption("stop")

    monkeypatch.setattr(dataset_export, "dataset_card", interrupted)
    with pytest.raises(interruption):
        export_dataset(tmp_path / "out", source="sample", show_progress=False)
    assert list(tmp_path.iterdir()) == []


def test_files_that_cannot_be_read_leave_nothing(tmp_path, csv_folder):
    write_csv(csv_folder / "explorations-test.csv", [("s1", "r1", "a", "b", 9, "")])
    with pytest.raises(InputError, match=r"explorations-test.csv, row 1 \(line 2\), column 'level'"):
        export_dataset(tmp_path / "out", data_dir=str(csv_folder), show_progress=False)
    assert [path.name for path in tmp_path.iterdir()] == ["csv"]


def test_the_croissant_file_is_valid_and_leads_to_the_same_rows(exported):
    mlc = pytest.importorskip("mlcroissant", reason="an extra: pip install 'modeling-empathy[croissant]'")
    described = mlc.Dataset(jsonld=str(exported / "croissant.json"))
    assert not described.metadata.issues.errors
    assert {file.id: file.sha256 for file in described.metadata.distribution} == {
        row["file"]: row["sha256"] for row in table(card_of(exported), "file | rows")
    }
    assert len(described.metadata.record_sets) == 12
    for name in ("all", "explorations"):
        rows = load_epitome(name, source="sample")["validation"]
        records = list(described.records(f"{name}/validation"))
        assert len(records) == len(rows) > 0
        prefix = f"{name}/validation"
        for record, row in zip(records, rows, strict=True):
            assert record[f"{prefix}/response_post"].decode() == row["response_post"]
            place = prefix if name == "explorations" else f"{prefix}/explorations"
            own = row if name == "explorations" else row["explorations"]
            level = record[f"{place}/level"] if name == "explorations" else record[place][f"{place}/level"]
            assert level == own["level"]
            spans = [(one["start"], one["end"], one["text"].encode()) for one in own["rationales"]]
            keys = [f"{place}/rationales/{part}" for part in ("start", "end", "text")]
            assert [tuple(one[key] for key in keys) for one in record[f"{place}/rationales"]] == spans
        assert any(row[f"{place}/rationales"] for row in records)


def test_without_mlcroissant_it_is_said_that_there_is_no_such_file(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "mlcroissant", None)
    summary = export_dataset(tmp_path / "out", source="sample", show_progress=False)
    assert not summary.has_croissant
    assert not (tmp_path / "out" / "croissant.json").exists()
    assert "croissant" not in card_of(tmp_path / "out").content.lower()


def test_nothing_is_asked_of_the_network(tmp_path, monkeypatch):
    import socket

    def refused(*arguments, **options):
        raise AssertionError("no connection is needed to write a card")

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
