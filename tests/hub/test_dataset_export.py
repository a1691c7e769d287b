"""The exported folder: plain `datasets` reads what the builder built; it is there as a whole or not at all."""

import json
import os
import subprocess
import sys
from pathlib import Path

import datasets
import pyarrow.parquet as pq
import pytest

from dataset_scripts.epitome import load_epitome
from modeling_empathy.errors import InputError
from modeling_empathy.hub import dataset_export
from modeling_empathy.hub.dataset_export import export_dataset
from tests.csv_files import write_corpus, write_csv
from tests.hub.exported_corpora import CONFIGURATIONS, SPLITS, card_of, split_by_rule, table


# Run where neither package can be imported: whatever loads, loads without our code.
LOAD = """
import json, sys
sys.modules["modeling_empathy"] = sys.modules["dataset_scripts"] = None
import datasets

def loaded(*arguments):
    rows_by_kind = {}
    for kind in ("whole", "streamed"):
        splits = datasets.load_dataset(*arguments, streaming=kind == "streamed")
        rows_by_kind[kind] = {split: list(rows) for split, rows in splits.items()}
        rows_by_kind[f"{kind} features"] = {split: rows.features.to_dict() for split, rows in splits.items()}
    return rows_by_kind

folder, *names = sys.argv[1:]
json.dump({"default": loaded(folder)} | {name: loaded(folder, name) for name in names}, sys.stdout)
"""


def load_without_our_code(folder: Path, names: list[str], cache: Path) -> dict:
    # -I leaves out the folder that it runs in, from which our packages could be imported.
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
            # Names of levels and types of offsets, which rows alone don't show.
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
    files = {path.relative_to(exported).as_posix() for path in exported.rglob("*") if path.is_file()}
    parquet = {f"{name}/{split}-00000-of-00001.parquet" for name in CONFIGURATIONS for split in SPLITS}
    assert files - {"croissant.json"} == parquet | {"README.md", "alignment_report.json"}
    card = card_of(exported)
    configs = {config["config_name"]: config for config in card.data.configs}
    assert list(configs) == CONFIGURATIONS
    assert [name for name, config in configs.items() if config.get("default")] == ["all"]
    listed = [(file["split"], file["path"]) for config in configs.values() for file in config["data_files"]]
    assert sorted(path for _, path in listed) == sorted(parquet)
    assert all(Path(path).name.startswith(f"{split}-") for split, path in listed)
    assert sorted(row["file"] for row in table(card, "file | rows")) == sorted(parquet)


def test_a_salt_gives_other_splits_and_is_told(tmp_path):
    folder = tmp_path / "salted"
    export_dataset(folder, source="sample", salt="7", show_progress=False)
    for split in SPLITS:
        sp_ids = pq.read_table(folder / "all" / f"{split}-00000-of-00001.parquet")["sp_id"].to_pylist()
        assert {split_by_rule(sp_id, "7") for sp_id in sp_ids} == {split}
    assert "is `7`." in " ".join(card_of(folder).text.split())


def test_splits_without_rows_are_left_out_and_told(tmp_path):
    # One pair, and so one split: `datasets` can't read a split without rows.
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

    # The card comes last, when all other files are there.
    monkeypatch.setattr(dataset_export, "dataset_card", interrupted)
    with pytest.raises(interruption):
        export_dataset(tmp_path / "out", source="sample", show_progress=False)
    assert list(tmp_path.iterdir()) == []


def test_files_that_cannot_be_read_leave_nothing(tmp_path, csv_folder):
    write_csv(csv_folder / "explorations-test.csv", [("s1", "r1", "a", "b", 9, "")])
    with pytest.raises(InputError, match=r"explorations-test.csv, row 1 \(line 2\), column 'level'"):
        export_dataset(tmp_path / "out", data_dir=str(csv_folder), show_progress=False)
    assert [path.name for path in tmp_path.iterdir()] == ["csv"]
