"""Publishing as its users type it, and what others then load by name, over HTTP from the stand-in Hub."""

import json
import re
import subprocess
import sys
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest
from safetensors.torch import load
from typer.testing import CliRunner

from dataset_scripts.epitome import load_epitome
from modeling_empathy import EmpathyPipeline
from modeling_empathy.cli.push import app
from modeling_empathy.evaluation.run_page import write_page
from tests.command_lines import refused_by
from tests.csv_files import write_corpus
from tests.evaluation.pages import row, run_of
from tests.hub.run_records import run_record
from tests.hub.stand_in.hub import StandInHub, environment
from tests.hub.stand_in.repositories import FIRST_FILES
from tests.model.test_travelling_code import TRAVELLING
from tests.tiny_models import tiny_model
from tests.tokenizers_for_tests import wordpiece_tokenizer
from tests.without_package import run_without_package


REPOSITORY = Path(__file__).parents[2]
PAIRS = [["I feel alone.", "I am so sorry. What happened?"], ["I failed", "Why? Nobody cares " * 20]]

pytestmark = pytest.mark.slow


@pytest.fixture
def hub() -> Iterator[StandInHub]:
    # Weights and the tokenizer's vocabulary go through large file storage, code and configuration do not.
    with StandInHub(lfs_above=20_000) as hub:
        yield hub


@pytest.fixture
def model(tmp_path) -> Path:
    folder = tmp_path / "output"
    tiny_model("bert", max_post_length=40, rationale_thresholds=[0.2] * 3).save_pretrained(folder)
    wordpiece_tokenizer().save_pretrained(folder)
    (folder / "metrics.json").write_text(json.dumps(run_record()))
    (folder / "test_predictions.parquet").write_bytes(b"PAR1 what somebody wrote")
    return folder


def push(hub: StandInHub, home: Path, *argv: object) -> str:
    """Runs the script as the stand-in's user; what it printed."""
    done = subprocess.run(
        [sys.executable, "push_to_hub.py", *map(str, argv)],
        cwd=REPOSITORY,
        env=environment(hub, home, hub.token),
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    # Neither in what it prints nor in what a library under it logs.
    assert hub.token not in done.stdout + done.stderr
    return done.stdout


refused = partial(refused_by, app)


def test_a_model_is_pushed_and_loaded_by_its_name(hub, model, tmp_path):
    printed = push(hub, tmp_path / "home", "model", model, "--repo_id", "user/empathy", "--commit_message", "First")
    files = hub.files("user/empathy")
    first, second, third, *listed, end, address = printed.splitlines()
    assert first == "Loading it in a process without this package ..."
    assert second == "  it loads, and gives the same scores"
    assert third == "To the model user/empathy:"
    # What the Hub puts into a new repository by itself is not listed.
    sent = {name: content for name, content in files.items() if name not in FIRST_FILES or name == "README.md"}
    total = sum(map(len, sent.values()))
    assert listed == [
        *(f"  {len(content):>14,}  {name}" for name, content in sorted(sent.items())),
        f"  {total:>14,}  bytes in {len(sent)} files",
        "Left out:",
        "  test_predictions.parquet: may hold what people wrote",
    ]
    assert (end, address.partition(": ")[0]) == ("Uploading ...", "Published")
    assert address.endswith(hub.commits("user/empathy")[0].oid)
    expected = {"README.md", "config.json", "metrics.json", "model.safetensors", "tokenizer.json"}
    assert set(files) == {*FIRST_FILES, *expected, "tokenizer_config.json", *TRAVELLING}
    assert b'pipeline("empathy", model="user/empathy"' in files["README.md"]
    assert hub.commits("user/empathy")[0].title == "First"
    # Another version on a branch of its own.
    second_version = tmp_path / "other"
    tiny_model("bert", seed=1, max_post_length=40, rationale_thresholds=[0.2] * 3).save_pretrained(second_version)
    wordpiece_tokenizer().save_pretrained(second_version)
    push(hub, tmp_path / "home", "model", second_version, "--repo_id", "user/empathy", "--revision", "v2")

    script = f"""
import json
from transformers import AutoConfig, AutoModel, AutoTokenizer, pipeline

name, pairs, results = "user/empathy", {PAIRS!r}, {{}}
for revision in (None, "v2", {hub.commits("user/empathy")[0].oid!r}):
    scorer = pipeline(model=name, revision=revision, trust_remote_code=True, device="cpu")
    results[str(revision)] = scorer(pairs, batch_size=2)
config = AutoConfig.from_pretrained(name, trust_remote_code=True)
assert config.mechanisms == AutoModel.from_pretrained(name, trust_remote_code=True).config.mechanisms
# What was downloaded once is found again without the Hub, under each name that it was asked for by.
for revision in (None, "v2"):
    how = {{"revision": revision, "trust_remote_code": True, "local_files_only": True}}
    loaded, tokenizer = AutoModel.from_pretrained(name, **how), AutoTokenizer.from_pretrained(name, **how)
    local = type(scorer)(model=loaded, tokenizer=tokenizer, device="cpu")
    results[f"local {{revision}}"] = local(pairs, batch_size=2)
print(json.dumps(results))
"""
    results = json.loads(run_without_package(script, tmp_path, **environment(hub, tmp_path / "reader")))
    # Through JSON, as the others came: it makes lists of tuples.
    main, branch = (
        json.loads(json.dumps(EmpathyPipeline.from_pretrained(folder, device="cpu")(PAIRS, batch_size=2)))
        for folder in (model, second_version)
    )
    assert main != branch
    assert results.pop("None") == results.pop("local None") == main
    assert results.pop("v2") == results.pop("local v2") == branch
    assert list(results.values()) == [main]

    # Scores by the model's name bring along what its record says of its errors.
    (tmp_path / "pairs.csv").write_text("seeker_post,response_post\n" + "".join(f"{a},{b}\n" for a, b in PAIRS))
    score = ["score", "--model", "user/empathy", "--input_path", "pairs.csv", "--output_path", "scores"]
    subprocess.run(
        [sys.executable, "-m", "modeling_empathy.cli.app", *score],
        cwd=tmp_path,
        env=environment(hub, tmp_path / "reader") | {"PYTHONPATH": str(REPOSITORY)},
        check=True,
    )
    manifest = json.loads((tmp_path / "scores" / "manifest.json").read_text())
    assert manifest["about_model"] == {"confusion": run_record()["confusion"]}


def test_a_data_set_is_pushed_and_loaded_by_its_name(hub, tmp_path):
    printed = push(hub, tmp_path / "home", "dataset", "--source", "sample", "--repo_id", "user/sample", "--private")
    assert "\n  it loads, with all its rows\nTo the private dataset user/sample:\n" in printed
    assert hub.repository("user/sample", "dataset").private
    script = """
import json
from datasets import load_dataset

rows = load_dataset("user/sample", "explorations")
loaded = {split: [row["rp_id"] for row in of_split] for split, of_split in rows.items()}
loaded["levels"] = rows["train"].features["level"].names
loaded["all"] = load_dataset("user/sample", split="test")[0]
streamed = load_dataset("user/sample", "explorations", split="test", streaming=True)
loaded["streamed"] = [row["rp_id"] for row in streamed]
print(json.dumps(loaded))
"""
    reader = environment(hub, tmp_path / "reader", hub.read_token)
    loaded = json.loads(run_without_package(script, tmp_path, **reader))
    expected = load_epitome("explorations", source="sample")
    for split, rows in expected.items():
        assert loaded[split] == rows["rp_id"][:] and len(rows)
    assert loaded["streamed"] == loaded["test"]
    assert loaded["levels"] == ["no", "weak", "strong"]
    assert loaded["all"] == load_epitome("all", source="sample")["test"][0]


def test_a_dry_run_lists_the_files_and_needs_no_hub(model):
    result = CliRunner().invoke(app, ["model", str(model), "--repo_id", "me/empathy", "--dry_run"])
    assert result.exit_code == 0, result.output
    listed = dict(re.findall(r"^ +([\d,]+)  (\S+)$", result.output, re.MULTILINE))
    sizes = {name: int(size.replace(",", "")) for size, name in listed.items()}
    # Written anew, the file has another header; the tensors bound its size from below.
    weights = sum(tensor.nbytes for tensor in load((model / "model.safetensors").read_bytes()).values())
    assert weights < sizes["model.safetensors"] < 1.5 * weights
    assert result.stdout.endswith("\nDry run: nothing was sent.\n") and "To the model me/empathy:" in result.output


def test_texts_of_people_are_published_only_by_who_may(tmp_path):
    write_corpus(tmp_path, pairs=40)
    options = ("dataset", "--data_dir", tmp_path, "--repo_id", "me/corpus", "--dry_run", "--create_pr")
    assert "--i_have_the_right_to_share. Nothing was sent." in refused(*options)
    result = CliRunner().invoke(app, [*map(str, options), "--i_have_the_right_to_share"])
    assert result.exit_code == 0, result.output
    assert "all/train-00000-of-00001.parquet" in result.output and "Dry run" in result.output
    assert "To the dataset me/corpus, as a pull request:" in result.output


def test_a_report_is_taken_along_by_who_may_publish_its_texts(model):
    write_page(model / "report.html", run_of([row(1, 0, 2)] * 4))
    options = ["model", str(model), "--repo_id", "me/empathy", "--dry_run"]
    for more, listed in (
        ([], "report.html: holds what people wrote"),
        (["--i_have_the_right_to_share"], "  report.html\n"),
    ):
        result = CliRunner().invoke(app, [*options, *more])
        assert result.exit_code == 0 and listed in result.output, result.output


def test_what_can_be_mended_is_one_message(model, tmp_path):
    assert "no such folder" in refused("model", tmp_path / "none", "--repo_id", "me/x", "--dry_run")
    assert "owner/name" in refused("model", model, "--repo_id", "x", "--dry_run")
    assert "--max_file_gb" in refused("model", model, "--repo_id", "me/x", "--dry_run", "--max_file_gb", "0.00001")
    assert "There is no token" in refused("model", model, "--repo_id", "me/x")
    (model / "pytorch_model.bin").write_bytes(b"\x80\x04")
    assert "is a pickle" in refused("model", model, "--repo_id", "me/x", "--dry_run")
