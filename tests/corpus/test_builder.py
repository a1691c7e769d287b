"""The builder: features, sources, splits, reports, a cache that knows its input, and no half-built data."""

import hashlib
import http.server
import json
import logging
import os
import shutil
import subprocess
import sys
import threading
from functools import partial
from pathlib import Path

import datasets
import pytest

from dataset_scripts import epitome
from dataset_scripts.epitome import EpitomeReddit, load_epitome
from modeling_empathy import LEVELS, MECHANISMS
from modeling_empathy.corpus.splits import split_of
from modeling_empathy.encoders import load_tokenizer
from modeling_empathy.errors import InputError
from tests.csv_files import write_corpus, write_csv
from tests.tokenizers_for_tests import byte_level_bpe_tokenizer


@pytest.fixture
def folder(tmp_path) -> Path:
    (tmp_path / "csv").mkdir()
    return write_corpus(tmp_path / "csv")


def load(tmp_path: Path, config_name: str = "all", **kwargs) -> datasets.DatasetDict:
    return load_epitome(config_name, cache_dir=str(tmp_path / "cache"), **kwargs)


def test_all_joins_the_mechanisms_and_splits_by_the_rule(tmp_path, folder):
    corpus = load(tmp_path, data_dir=str(folder))
    assert list(corpus) == ["train", "validation", "test"]
    assert sum(len(rows) for rows in corpus.values()) == 40
    rationales = 0
    for split, rows in corpus.items():
        assert list(rows.features) == ["sp_id", "rp_id", "seeker_post", "response_post", *MECHANISMS]
        for row in rows:
            assert split_of(row["sp_id"]) == split
            for mechanism in MECHANISMS:
                assert row[mechanism]["level"] == int(row["sp_id"][1:]) % 3
                for span in row[mechanism]["rationales"]:
                    assert row["response_post"][span["start"] : span["end"]] == span["text"] != ""
                    rationales += 1
    assert rationales == 26 * 3
    assert corpus["train"].features["explorations"]["level"] == datasets.ClassLabel(names=list(LEVELS))


@pytest.mark.parametrize("mechanism", MECHANISMS)
def test_a_single_mechanism_has_the_same_annotations(tmp_path, folder, mechanism):
    single, joined = load(tmp_path, mechanism, data_dir=str(folder)), load(tmp_path, data_dir=str(folder))
    assert list(single["test"].features) == ["sp_id", "rp_id", "seeker_post", "response_post", "level", "rationales"]
    for split in joined:
        assert list(single[split]["rp_id"]) == list(joined[split]["rp_id"])
        for row, joined_row in zip(single[split], joined[split], strict=True):
            assert {"level": row["level"], "rationales": row["rationales"]} == joined_row[mechanism]


def test_a_salt_gives_other_splits(tmp_path, folder):
    salted = load(tmp_path, data_dir=str(folder), salt="1")
    assert [split_of(sp_id, "1") for sp_id in salted["train"]["sp_id"]] == ["train"] * len(salted["train"])
    assert list(salted["train"]["sp_id"]) != list(load(tmp_path, data_dir=str(folder))["train"]["sp_id"])


def test_the_sample_is_a_source_of_its_own(tmp_path, monkeypatch):
    monkeypatch.setenv("EMPATHY_CORPUS_DIR", str(tmp_path / "ignored"))
    corpus = load(tmp_path, source="sample")
    assert sum(len(rows) for rows in corpus.values()) >= 120
    assert all(len(rows) for rows in corpus.values())


# As datasets 3.6 does with a script: a copy, under another name, in a folder of its own.
RUN_COPY = """
import importlib.util, json, sys
spec = importlib.util.spec_from_file_location("datasets_modules.epitome", sys.argv[1])
module = importlib.util.module_from_spec(spec)
sys.modules[spec.name] = module
spec.loader.exec_module(module)
builder = module.EpitomeReddit(config_name="explorations", source="sample", cache_dir=sys.argv[2])
builder.download_and_prepare()
rows = {split: len(rows) for split, rows in builder.as_dataset().items()}
print(json.dumps([rows, sorted({"torch", "transformers", "jinja2"} & set(sys.modules))]))
"""


def test_the_file_alone_finds_the_sample_and_needs_neither_torch_nor_transformers(tmp_path):
    copy = shutil.copy(epitome.__file__, tmp_path / "epitome.py")
    command = [sys.executable, "-c", RUN_COPY, str(copy), str(tmp_path / "cache")]
    # The installed packages, and nothing of the folder that the tests run in.
    root = str(Path(epitome.__file__).parents[1])
    done = subprocess.run(
        command, capture_output=True, text=True, cwd=tmp_path, env={**os.environ, "PYTHONPATH": root}
    )
    assert done.returncode == 0, done.stderr
    rows, heavy = json.loads(done.stdout.splitlines()[-1])
    assert rows == {split: len(rows) for split, rows in load(tmp_path, "explorations", source="sample").items()}
    assert heavy == []


def test_a_hash_from_outside_does_not_hide_changed_files(tmp_path, folder):
    # datasets 3.6 passes that of the script.
    first = load(tmp_path, data_dir=str(folder), hash="0" * 64)
    write_corpus(folder, pairs=35)
    second = load(tmp_path, data_dir=str(folder), hash="0" * 64)
    assert [sum(len(rows) for rows in corpus.values()) for corpus in (first, second)] == [40, 35]


def test_the_environment_names_a_folder_and_data_dir_wins(tmp_path, folder, monkeypatch):
    monkeypatch.setenv("EMPATHY_CORPUS_DIR", str(folder))
    assert sum(len(rows) for rows in load(tmp_path).values()) == 40
    (tmp_path / "other").mkdir()
    data_dir = write_corpus(tmp_path / "other", pairs=30)
    assert sum(len(rows) for rows in load(tmp_path, data_dir=str(data_dir)).values()) == 30


def test_a_report_lies_beside_the_data_and_strict_raises(tmp_path, folder, caplog, capsys):
    rows = [("s1", "r1", "a", "I am here", 1, "I was there|"), *[(f"s{n}", "r", "a", "b", 0, "") for n in range(40)]]
    write_csv(folder / "explorations-test.csv", rows)
    builder = EpitomeReddit(config_name="explorations", data_dir=str(folder), cache_dir=str(tmp_path / "cache"))
    builder.download_and_prepare()
    report = json.loads((Path(builder.cache_dir) / epitome.REPORT_NAME).read_text())
    assert report["unaligned"] == [
        {
            "file": "explorations-test.csv",
            "row": 1,
            "line": 2,
            "sp_id": "s1",
            "rp_id": "r1",
            "rationale": "I was there",
        }
    ]
    assert report["files"]["explorations-test.csv"]["rows"] == 41
    warning = f"1 of 1 rationales are not in their response: see {Path(builder.cache_dir) / epitome.REPORT_NAME}"
    assert [(record.levelname, record.message) for record in caplog.records] == [("WARNING", warning)]
    assert "rationales" not in "".join(capsys.readouterr()), "the library does not print"
    with pytest.raises(InputError, match=r"explorations-test.csv, row 1 \(line 2\).*'I was there'"):
        load(tmp_path, "explorations", data_dir=str(folder), strict=True)


def test_changed_files_are_built_again(tmp_path, folder):
    first = load(tmp_path, data_dir=str(folder))
    write_corpus(folder, pairs=35)
    second = load(tmp_path, data_dir=str(folder))
    assert [sum(len(rows) for rows in corpus.values()) for corpus in (first, second)] == [40, 35]


def test_a_changed_tokenizer_labels_again(tmp_path, folder):
    tokenizer = tmp_path / "tokenizer"
    load_tokenizer("embedded").save_pretrained(tokenizer)
    options = {"data_dir": str(folder), "tokenizer": str(tokenizer)}
    before = load(tmp_path, "explorations", **options)["train"]["rationale_labels"]
    byte_level_bpe_tokenizer().save_pretrained(tokenizer)
    after = load(tmp_path, "explorations", **options)["train"]["rationale_labels"]
    assert [len(labels) for labels in before] != [len(labels) for labels in after]


def test_a_small_corpus_has_splits_without_rows(tmp_path):
    (tmp_path / "csv").mkdir()
    corpus = load(tmp_path, data_dir=str(write_corpus(tmp_path / "csv", pairs=1)))
    assert list(corpus) == ["train", "validation", "test"]
    assert sum(len(rows) for rows in corpus.values()) == 1
    assert corpus["train"].features == corpus["validation"].features == corpus["test"].features


def test_unchanged_files_are_not_built_again(tmp_path, folder, caplog):
    caplog.set_level(logging.INFO, "modeling_empathy")
    load(tmp_path, data_dir=str(folder))
    [record] = caplog.records
    assert (record.levelname, record.message.partition(":")[0]) == (
        "INFO",
        "0 of 78 rationales are not in their response",
    )
    load(tmp_path, data_dir=str(folder))
    assert caplog.records == [record]


@pytest.mark.parametrize("interruption", [KeyboardInterrupt, RuntimeError])
def test_an_interrupted_build_leaves_nothing(tmp_path, folder, monkeypatch, interruption):
    def interrupted(self, examples):
        yield 0, examples[0]
        raise interruption("stop")

    monkeypatch.setattr(EpitomeReddit, "_generate_examples", interrupted)
    with pytest.raises(Exception if interruption is RuntimeError else interruption):
        load(tmp_path, data_dir=str(folder))
    left = [path.name for path in (tmp_path / "cache").rglob("*") if path.is_file() and path.suffix != ".lock"]
    assert left == []
    monkeypatch.undo()
    assert sum(len(rows) for rows in load(tmp_path, data_dir=str(folder)).values()) == 40


def test_a_wrong_cell_reaches_the_user_as_it_is(tmp_path, folder):
    write_csv(folder / "explorations-test.csv", [("s1", "r1", "a", "b", 9, "")])
    with pytest.raises(InputError, match=r"explorations-test.csv, row 1 \(line 2\), column 'level'"):
        load(tmp_path, "explorations", data_dir=str(folder))
    assert not list((tmp_path / "cache").rglob("*.arrow"))


def test_folders_without_exactly_one_file_each_are_refused(tmp_path, folder):
    (folder / "explorations-test.csv").rename(folder / "questions.csv")
    with pytest.raises(InputError, match=r"one file explorations-\*.csv, found 0; there is .*questions.csv"):
        load(tmp_path, data_dir=str(folder))
    write_csv(folder / "emotional_reactions-too.csv", [])
    with pytest.raises(InputError, match=r"found 2; there is emotional-reactions-test.csv, emotional_reactions-too"):
        load(tmp_path, "emotional_reactions", data_dir=str(folder))
    with pytest.raises(InputError, match=r"data_dir names .*absent.* not a folder"):
        load(tmp_path, data_dir=str(tmp_path / "absent"))
    with pytest.raises(ValueError, match=r"source='samples'"):
        load(tmp_path, source="samples")


class _QuietHandler(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *args: object) -> None:
        pass


def test_the_download_is_checked_against_its_sha256(tmp_path, folder, monkeypatch):
    served = tmp_path / "served"
    served.mkdir()
    for path in folder.iterdir():
        path.rename(served / path.name.replace("-test", "-reddit"))
    monkeypatch.delenv("EMPATHY_CORPUS_DIR", raising=False)
    monkeypatch.setattr(datasets.config, "HF_HUB_OFFLINE", False)
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), partial(_QuietHandler, directory=str(served)))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        url = f"http://127.0.0.1:{server.server_port}"
        with pytest.raises(InputError, match=r"emotional-reactions-reddit.csv: the downloaded file has sha256"):
            load(tmp_path, base_url=url)
        expected = {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in served.iterdir()}
        monkeypatch.setattr("modeling_empathy.corpus.builder.UPSTREAM_SHA256", expected)
        whole = (served / "explorations-reddit.csv").read_bytes()
        (served / "explorations-reddit.csv").write_bytes(whole[:-100])
        with pytest.raises(InputError, match=f"expected {expected['explorations-reddit.csv']}.* Try again"):
            load(tmp_path, "explorations", base_url=f"{url}/.")
        (served / "explorations-reddit.csv").write_bytes(whole)
        assert sum(len(rows) for rows in load(tmp_path, "explorations", base_url=f"{url}/.").values()) == 40
        assert sum(len(rows) for rows in load(tmp_path, base_url=url).values()) == 40
        with pytest.raises(InputError, match=r"can't be downloaded .* EMPATHY_CORPUS_DIR, or use source='sample'"):
            load(tmp_path, base_url=f"{url}/absent")
    finally:
        server.shutdown()


def test_token_labels_for_one_tokenizer(tmp_path, folder):
    corpus = load(tmp_path, data_dir=str(folder), tokenizer="embedded", max_length=16)
    tokenizer = load_tokenizer("embedded")
    for row in corpus["train"]:
        tokens = tokenizer(row["response_post"], truncation=True, max_length=16)["input_ids"]
        labels = row["explorations"]["rationale_labels"]
        assert len(labels) == len(tokens) and labels[0] == labels[-1] == -100
        labelled = tokenizer.decode([token for token, label in zip(tokens, labels, strict=True) if label == 1])
        assert labelled.replace(" ", "") == ("whathappened?" if row["explorations"]["level"] else "")


def test_token_labels_say_what_unannotated_means_and_report_the_cut(tmp_path, folder):
    options = {"data_dir": str(folder), "tokenizer": "embedded", "max_length": 8, "unannotated": "all"}
    builder = EpitomeReddit(config_name="explorations", cache_dir=str(tmp_path / "cache"), **options)
    builder.download_and_prepare()
    level_0 = [row for row in builder.as_dataset(split="train") if row["level"] == 0]
    assert level_0 and all(set(row["rationale_labels"]) == {-100, 1} for row in level_0)
    report = json.loads((Path(builder.cache_dir) / epitome.REPORT_NAME).read_text())
    assert report["truncated"]["cut"] == {"explorations": 26}


def test_parquet_instead_of_arrow(tmp_path, folder, caplog):
    caplog.set_level(logging.INFO, "modeling_empathy")
    builder = EpitomeReddit(data_dir=str(folder), cache_dir=str(tmp_path / "cache"))
    builder.download_and_prepare(str(tmp_path / "parquet"), file_format="parquet")
    loaded = datasets.load_dataset("parquet", data_files=str(tmp_path / "parquet" / "*train*.parquet"), split="train")
    assert loaded["rp_id"] == load(tmp_path, data_dir=str(folder))["train"]["rp_id"]
    report = tmp_path / "parquet" / epitome.REPORT_NAME
    assert report.is_file()
    assert f"see {report}\n" in caplog.text
