"""What is published of a folder: what belongs to a checkpoint, made anew, and nothing that stands beside it."""

import json
import pickle
import zipfile
from pathlib import Path

import pytest
import torch
import yaml

from modeling_empathy import MECHANISMS, EmpathyModel
from modeling_empathy.errors import InputError
from modeling_empathy.evaluation.run_page import page_of, write_page
from modeling_empathy.hub.pickles import is_pickle
from modeling_empathy.hub.staging import Publication, stage_model
from tests.evaluation.pages import row, run_of
from tests.hub.pictures import png
from tests.hub.run_records import run_record
from tests.model.test_travelling_code import TRAVELLING
from tests.tiny_models import tiny_model
from tests.tokenizers_for_tests import wordpiece_tokenizer


CHECKPOINT = {"README.md", "config.json", "model.safetensors", "tokenizer.json", "tokenizer_config.json", *TRAVELLING}


@pytest.fixture
def folder(tmp_path) -> Path:
    """A checkpoint as training leaves it, with what else is in such a folder."""
    folder = tmp_path / "output"
    tiny_model("bert", max_post_length=40).save_pretrained(folder)
    wordpiece_tokenizer().save_pretrained(folder)
    (folder / "metrics.json").write_text(json.dumps(run_record()))
    for name in (*(f"confusion_{mechanism}.png" for mechanism in MECHANISMS), "reliability.png", "loss_curve.png"):
        (folder / name).write_bytes(png())
    (folder / "test_predictions.parquet").write_bytes(b"PAR1 what somebody wrote")
    (folder / "notes.csv").write_text("seeker_post\nwhat somebody wrote\n")
    # Code that is not the model's: who trusts the repository's code has not looked at this.
    (folder / "evil.py").write_text("raise SystemExit\n")
    (folder / "checkpoint-7").mkdir()
    (folder / "checkpoint-7" / "optimizer.pt").write_bytes(pickle.dumps({}))
    return folder


@pytest.fixture
def staging(tmp_path) -> Path:
    (tmp_path / "staging").mkdir()
    return tmp_path / "staging"


def test_what_belongs_to_a_checkpoint_comes_along_and_nothing_else(folder, staging):
    publication = stage_model(str(folder), staging, repo_id="me/empathy")
    plots = {f"confusion_{mechanism}.png" for mechanism in MECHANISMS} | {"reliability.png", "loss_curve.png"}
    assert set(publication.files) == CHECKPOINT | plots | {"metrics.json"}
    assert set(publication.left_out) == {"checkpoint-7/", "evil.py", "notes.csv", "test_predictions.parquet"}
    assert "wrote" in publication.left_out["notes.csv"]
    assert "wrote" in publication.left_out["test_predictions.parquet"]
    publication.check()
    staged, original = (EmpathyModel.from_pretrained(path).state_dict() for path in (staging, folder))
    assert staged.keys() == original.keys()
    assert all(torch.equal(weight, original[name]) for name, weight in staged.items())
    assert "me/empathy" in (staging / "README.md").read_text()


def test_nothing_of_the_machine_is_published(folder, staging):
    publication = stage_model(str(folder), staging, repo_id="me/empathy")
    secret = ("/home/somebody", "secret-host", str(folder))
    # They are there before, or the test would show nothing.
    written = (folder / "metrics.json").read_text()
    assert secret[0] in written and secret[1] in written
    for name in publication.files:
        content = (staging / name).read_bytes()
        assert not any(word.encode() in content for word in secret), name
    published = json.loads((staging / "metrics.json").read_text())
    assert published["metrics"]["test"] == run_record()["metrics"]["test"]
    assert published["arguments"]["training"]["seed"] == 12


def test_the_report_is_published_by_who_has_the_right_to_share_its_texts_alone(folder, staging, tmp_path):
    write_page(folder / "report.html", run_of([row(1, 0, 2, seeker_post="what somebody wrote")] * 4))
    publication = stage_model(str(folder), staging)
    assert not [name for name in publication.files if name.endswith(".html")]
    assert "--i_have_the_right_to_share" in publication.left_out["report.html"]
    for name in publication.files:
        assert b"what somebody wrote" not in (staging / name).read_bytes(), name
    (tmp_path / "shared").mkdir()
    shared = stage_model(str(folder), tmp_path / "shared", has_right_to_share=True)
    assert shared.files["report.html"] > 1000 and "report.html" not in shared.left_out
    assert b"what somebody wrote" in (tmp_path / "shared" / "report.html").read_bytes()
    assert set(shared.files) - set(publication.files) == {"report.html"}


@pytest.mark.parametrize(
    "evil",
    [
        "<script>send()</script>",
        '<p onclick="send()">x</p>',
        '<img src="https://example.org/x.png">',
        '<a href="javascript:send()">x</a>',
        "<style>@import 'https://example.org/x.css';</style>",
        '<p style="background: url(https://example.org/x.png)">x</p>',
        '<meta http-equiv="refresh" content="0; url=https://example.org">',
    ],
)
def test_a_report_that_somebody_put_something_into_is_not_published(folder, staging, evil):
    page = page_of(run_of([row(1, 0, 2)] * 4))
    (folder / "report.html").write_text(page.replace("</main>", f"{evil}</main>"))
    with pytest.raises(InputError, match="no report of this package does"):
        stage_model(str(folder), staging, has_right_to_share=True)


def test_another_page_is_no_report(folder, staging):
    (folder / "report.html").write_text("<!doctype html><title>mine</title>")
    assert "report.html" in stage_model(str(folder), staging).left_out
    with pytest.raises(InputError, match=r"report\.html is no report of this package"):
        stage_model(str(folder), staging, has_right_to_share=True)


def test_what_was_published_can_be_published_again(folder, staging, tmp_path):
    first = stage_model(str(folder), staging, repo_id="me/empathy")
    (tmp_path / "again").mkdir()
    again = stage_model(str(staging), tmp_path / "again", repo_id="me/empathy")
    assert again.files == first.files and not again.left_out
    # Byte for byte, so that publishing twice is no commit the second time.
    for name in first.files:
        assert (staging / name).read_bytes() == (tmp_path / "again" / name).read_bytes(), name


def test_onnx_comes_along(folder, staging):
    for package in ("onnxruntime", "onnx", "onnxscript"):
        pytest.importorskip(package)
    from modeling_empathy.scoring.onnx_export import export_onnx

    written = {f"onnx/{name}" for name in export_onnx(str(folder)).files}
    assert len(written) == 4
    others = {"onnx/model.onnx", "onnx/readings.csv", "onnx/notes.json"}
    for name in others:
        (folder / name).write_text("what somebody wrote")
    publication = stage_model(str(folder), staging)
    assert {name for name in publication.files if name.startswith("onnx/")} == written
    assert {name for name in publication.left_out if name.startswith("onnx/")} == others
    assert "onnx/responses.int8.onnx" in (staging / "README.md").read_text()


def test_results_go_with_the_data_set_they_were_measured_on(folder, staging):
    publication = stage_model(str(folder), staging, repo_id="me/empathy", dataset_repo_id="me/corpus")
    entries = yaml.safe_load((staging / ".eval_results" / "epitome.yaml").read_text())
    assert [entry["dataset"] for entry in entries] == [{"id": "me/corpus", "task_id": name} for name in MECHANISMS]
    expected = [run_record()["metrics"]["test"][f"{name}_macro_f1"] for name in MECHANISMS]
    assert [entry["value"] for entry in entries] == pytest.approx(expected, abs=1e-4)
    assert ".eval_results/epitome.yaml" in publication.files


def test_an_own_card_is_taken_as_it_is(folder, staging, tmp_path):
    (tmp_path / "card.md").write_text("# Mine\n")
    stage_model(str(folder), staging, card=tmp_path / "card.md")
    assert (staging / "README.md").read_text() == "# Mine\n"


def test_a_checkpoint_without_a_record_has_no_figures(folder, staging):
    (folder / "metrics.json").unlink()
    publication = stage_model(str(folder), staging)
    assert "metrics.json" not in publication.files
    assert "Nothing was measured with this checkpoint" in (staging / "README.md").read_text()


def test_a_seed_of_0_is_an_argument_like_any_other(folder, staging):
    record = run_record()
    record["arguments"]["training"] |= {"seed": 0, "weight_decay": 0.0, "bf16": False, "max_steps": -1}
    (folder / "metrics.json").write_text(json.dumps(record))
    stage_model(str(folder), staging)
    training = json.loads((staging / "metrics.json").read_text())["arguments"]["training"]
    assert training["seed"] == 0 and training["weight_decay"] == 0.0
    assert not {"bf16", "max_steps"} & set(training), "those that are off"
    assert "| seed | 0 |" in (staging / "README.md").read_text()


def write_pickle(path: Path) -> None:
    path.write_bytes(pickle.dumps({"weights": 1}))


def write_torch(path: Path) -> None:
    torch.save({"weights": torch.zeros(2)}, path)


def write_zip(path: Path) -> None:
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("archive/data.pkl", b"")


@pytest.mark.parametrize("name", ["pytorch_model.bin", "model.pth", "harmless.json", "training_args"])
@pytest.mark.parametrize("write", [write_pickle, write_torch, write_zip])
def test_a_pickle_is_refused_under_any_name(folder, staging, name, write):
    write(folder / name)
    assert is_pickle(folder / name)
    with pytest.raises(InputError, match=f"{name} is a pickle"):
        stage_model(str(folder), staging)
    assert not any(staging.iterdir())


def test_a_pickle_among_the_onnx_files_is_refused(folder, staging):
    pytest.importorskip("onnx")
    (folder / "onnx").mkdir()
    for name in ("seeker_encoder.onnx", "responses.onnx"):
        write_pickle(folder / "onnx" / name)
    with pytest.raises(InputError, match=r"onnx/responses\.onnx is no graph"):
        stage_model(str(folder), staging)
    # By whatever way one would come into what is published.
    write_pickle(staging / "responses.onnx")
    with pytest.raises(InputError, match=r"responses\.onnx is a pickle"):
        Publication("model", staging).check()


def test_what_is_no_pickle_is_not_taken_for_one(folder):
    for path in folder.iterdir():
        assert path.is_dir() or not is_pickle(path), path


def test_files_above_the_limit_are_refused(tmp_path):
    # A sparse file: it has the size, and takes no place on the disk.
    with (tmp_path / "model.safetensors").open("wb") as file:
        file.truncate(2_000_000)
    publication = Publication("model", tmp_path)
    publication.check(limit_gb=0.002)
    with pytest.raises(InputError, match=r"model\.safetensors has 0\.0 GB, more than --max_file_gb 0\.0019"):
        publication.check(limit_gb=0.0019)


def test_folders_that_are_no_checkpoint_are_refused(folder, staging, tmp_path):
    with pytest.raises(InputError, match="no such folder"):
        stage_model(str(tmp_path / "none"), staging)
    (folder / "metrics.json").write_text('{"metrics": {}}')
    with pytest.raises(InputError, match="is no record of a training run"):
        stage_model(str(folder), staging)
    (folder / "metrics.json").unlink()
    (folder / "tokenizer.json").unlink()
    (folder / "tokenizer_config.json").unlink()
    with pytest.raises(InputError, match="has no tokenizer"):
        stage_model(str(folder), staging)
    (folder / "model.safetensors").write_bytes((folder / "model.safetensors").read_bytes()[:-100])
    with pytest.raises(InputError, match="No model can be loaded"):
        stage_model(str(folder), staging)
    for config, message in (('{"model_type": "bert"}', "no.* empathy model"), ("{", "can't be read")):
        (folder / "config.json").write_text(config)
        with pytest.raises(InputError, match=message):
            stage_model(str(folder), staging)
    assert not any(staging.iterdir())
