"""The `empathy` command as its users type it."""

import json
import os
import subprocess
import sys
from functools import partial
from pathlib import Path

import pytest
from transformers import AutoModel, set_seed

from modeling_empathy.cli.app import app
from tests.command_lines import printed_by, refused_by
from tests.csv_files import write_corpus, write_csv
from tests.tiny_models import tiny_encoder_config, tiny_model
from tests.tokenizers_for_tests import wordpiece_tokenizer


HEADER = ("id", "seeker_post", "response_post")


empathy, refused = partial(printed_by, app), partial(refused_by, app)


@pytest.fixture(scope="module")
def model(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("model") / "ours"
    tiny_model("bert", rationale_thresholds=[0.3] * 3, max_post_length=32).save_pretrained(folder)
    wordpiece_tokenizer().save_pretrained(folder)
    return folder


@pytest.fixture
def pairs(tmp_path) -> Path:
    rows = [("1", "I feel alone", "I am so sorry. What happened?"), ("2", "I failed", "Why?")]
    return write_csv(tmp_path / "pairs.csv", rows, HEADER)


def test_help_teaches_every_command():
    text = empathy("--help")
    for name in ("prepare", "convert", "score", "evaluate", "export-dataset", "export-onnx", "adapt", "pack", "push"):
        assert name in text
        assert "Usage" in empathy(name, "--help")
    assert "--ER_model_path" in empathy("score", "--help")


def test_training_is_a_command_with_the_options_of_the_script():
    assert "train" in empathy("--help")
    help_text = empathy("train", "--help")
    assert "empathy train --recipe embedded" in help_text
    for option in ("--encoder", "--learning_rate", "--lambda_EI", "--config"):
        assert option in help_text
    message = refused("train", "--encoder", "nowhere", "--source", "sample", "--output_dir", "out", "--recip", "x")
    assert "empathy train: error: unrecognized arguments: --recip x" in message


def test_publishing_is_a_command():
    assert "--repo_id" in empathy("push", "dataset", "--help")
    message = refused("push", "model", "nowhere", "--repo_id", "me/x", "--dry_run")
    assert "empathy push model: error: nowhere: there is no such folder." in message


def test_help_does_not_wait_for_torch():
    # In a process of its own: other tests have imported torch into this one.
    code = "import sys; from modeling_empathy.cli.app import app; print('torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"


def test_score_from_standard_input_loses_no_row(model, pairs, tmp_path):
    command = [sys.executable, "-c", "from modeling_empathy.cli.app import main; main()", "score"]
    options = ["--model", str(model), "--input_path", "-", "--output_path", str(tmp_path / "scores.jsonl")]
    # A folder is all it needs: offline, a look at the Hub would be an error.
    environment = {**os.environ, "HF_HUB_OFFLINE": "1"}
    done = subprocess.run(
        [*command, *options], input=pairs.read_text(), capture_output=True, text=True, env=environment
    )
    assert done.returncode == 0, done.stderr
    assert "2 pairs scored" in done.stdout and "pairs/s" in done.stderr
    rows = [json.loads(line) for line in (tmp_path / "scores.jsonl").read_text().splitlines()]
    assert [row["id"] for row in rows] == ["1", "2"]
    empathy("score", "--model", model, "--input_path", pairs, "--output_path", tmp_path / "again.jsonl")
    assert (tmp_path / "again.jsonl").read_text() == (tmp_path / "scores.jsonl").read_text()


def test_prepare_and_evaluate(tmp_path):
    write_corpus(tmp_path, pairs=60)
    raw = tmp_path / "explorations-test.csv"
    set_seed(0)
    tokenizer = wordpiece_tokenizer()
    tokenizer.save_pretrained(tmp_path / "encoder")
    AutoModel.from_config(tiny_encoder_config("bert")).save_pretrained(tmp_path / "encoder")
    tiny_model("bert", max_post_length=64, attend_to_padding=True).save_pretrained(tmp_path / "model")
    tokenizer.save_pretrained(tmp_path / "model")
    (tmp_path / "prepared").mkdir()
    prepared = [tmp_path / "prepared" / name for name in ("explorations.csv", "explorations.parquet")]
    for path in prepared:
        printed = empathy("prepare", "--input_path", raw, "--output_path", path, "--encoder", tmp_path / "encoder")
        assert "60 pairs" in printed and path.name in printed

    def evaluated(*options: object) -> tuple[str, dict[str, dict[str, float]]]:
        output = ("--output_path", tmp_path / "metrics.json")
        printed = empathy("evaluate", "--model", tmp_path / "model", *options, *output)
        return printed, json.loads((tmp_path / "metrics.json").read_text())["metrics"]

    printed, expected = evaluated("--input_path", raw, "--definition", "both")
    assert printed.count("| explorations | corrected |") == printed.count("| explorations | original |") == 1
    assert set(expected) == {"corrected", "original"}
    # The labels of a prepared file are those that evaluating the raw one derives.
    for path in prepared:
        _, again = evaluated("--input_path", path, "--definition", "both")
        for definition, metrics in expected.items():
            assert again[definition] == pytest.approx(metrics), (path, definition)
    # The original averages the metrics of batches, so that their size is part of its definition.
    _, rebatched = evaluated("--input_path", raw, "--definition", "original", "--batch_size", 7)
    assert rebatched["original"] != pytest.approx(expected["original"])
    printed, test_metrics = evaluated("--data_dir", tmp_path, "--split", "test")
    assert "emotional reactions" in printed
    assert 0 < test_metrics["corrected"]["explorations_all_instances"] < 60


def test_what_can_be_mended_is_one_message(model, pairs, tmp_path):
    out = ("--output_path", tmp_path / "out.csv")
    both = ("--model", model, "--ER_model_path", model)
    assert "name the model" in refused("score", "--input_path", pairs, *both, *out)
    assert "not emotional_reactions alone" in refused("score", "--input_path", pairs, "--ER_model_path", model, *out)
    assert "no such file or folder" in refused("score", "--input_path", pairs, "--model", tmp_path / "none", *out)
    assert "no such file or folder" in refused("score", "--input_path", pairs, "--model", "output/none.pth", *out)
    assert "if it is private: log in" in refused("score", "--input_path", pairs, "--model", "someone/private", *out)
    assert "--device" in refused("score", "--input_path", pairs, "--model", model, "--device", "abacus", *out)
    assert "--mechanism" in refused("evaluate", "--model", model, "--input_path", pairs)
    assert "name a .csv or a .parquet" in refused(
        "prepare", "--input_path", pairs, "--output_path", tmp_path / "x.txt"
    )
    assert "No such option" in refused("score", "--input-path", pairs, *out)
    itself = ("--input_path", pairs, "--output_path", tmp_path / "." / "pairs.csv")
    assert "is the input" in refused("score", "--model", model, *itself)
    assert "is the input" in refused("prepare", *itself)
    folder = tmp_path / "a file"
    folder.write_text("")
    assert "error" in refused("score", "--input_path", pairs, "--model", model, "--output_path", folder / "out.csv")
    # Nothing was written, not even a temporary file.
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a file", "pairs.csv"]
    (tmp_path / "bare").mkdir()
    tiny_model("bert").save_pretrained(tmp_path / "bare")
    assert "has no tokenizer" in refused("score", "--input_path", pairs, "--model", tmp_path / "bare", *out)
