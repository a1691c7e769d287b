"""What is published loads without the package and is what it was: a model's scores, a corpus's rows."""

import json

import pytest

from modeling_empathy.checkpoints.loading import load_checkpoint
from modeling_empathy.errors import InputError
from modeling_empathy.hub import load_check
from modeling_empathy.hub.load_check import check_dataset_loads, check_model_loads
from modeling_empathy.hub.staging import stage_model
from tests.tiny_models import tiny_model
from tests.tokenizers_for_tests import wordpiece_tokenizer


pytestmark = pytest.mark.slow


def test_what_does_not_load_or_says_something_else_without_the_package_is_not_published(tmp_path, monkeypatch):
    folder, staging = tmp_path / "output", tmp_path / "staging"
    tiny_model("bert", max_post_length=40).save_pretrained(folder)
    wordpiece_tokenizer().save_pretrained(folder)
    staging.mkdir()
    stage_model(str(folder), staging)
    check_model_loads(staging)
    # With other temperatures than the package is given, the code that travels gives other probabilities.
    loaded = load_checkpoint(str(staging))
    monkeypatch.setattr(load_check, "load_checkpoint", lambda name: loaded)
    config = json.loads((staging / "config.json").read_text())
    (staging / "config.json").write_text(json.dumps(config | {"level_temperatures": [0.5] * 3}))
    with pytest.raises(InputError, match="gives other scores where this package is not installed"):
        check_model_loads(staging)
    (staging / "model.safetensors").unlink()
    with pytest.raises(InputError, match=r"can't be loaded without this package: .*safetensors"):
        check_model_loads(staging)


@pytest.mark.parametrize("name", ["modeling_empathy.py", "results.py", "further.py", "onnx/further.py"])
def test_code_that_is_not_this_packages_is_not_run(tmp_path, monkeypatch, name):
    folder = tmp_path / "checkpoint"
    tiny_model("bert", max_post_length=40).save_pretrained(folder)
    wordpiece_tokenizer().save_pretrained(folder)
    (folder / name).parent.mkdir(exist_ok=True)
    code = (folder / name).read_text() if (folder / name).is_file() else ""
    (folder / name).write_text(f"open({str(tmp_path / 'was-run')!r}, 'w')\n{code}")
    monkeypatch.setattr(load_check, "_run", lambda *arguments: pytest.fail("a process was started"))
    with pytest.raises(InputError, match=f"{name}: not the code of this package"):
        check_model_loads(folder)
    assert not (tmp_path / "was-run").exists()


def test_the_process_knows_no_secret_and_no_home(monkeypatch, tmp_path):
    secrets = ("HF_TOKEN", "HUGGING_FACE_HUB_TOKEN", "OPENAI_API_KEY", "AWS_SECRET_ACCESS_KEY", "DB_PASSWORD", "NETRC")
    for name in secrets:
        monkeypatch.setenv(name, "very-secret")
    monkeypatch.setenv("HOME", str(tmp_path))
    script = "import os; print(json.dumps(dict(os.environ) | {'~': os.path.expanduser('~')}))"
    variables = load_check._run(script)
    assert "PATH" in variables and variables["HF_HUB_OFFLINE"] == "1"
    assert not set(secrets) & variables.keys() and "very-secret" not in variables.values()
    assert variables["~"] != str(tmp_path)


def test_a_corpus_of_which_rows_are_missing_is_not_published(exported):
    rows = {
        name: {"train": 102, "validation": 20, "test": 37}
        for name in ("all", "emotional_reactions", "interpretations", "explorations")
    }
    check_dataset_loads(exported, rows)
    # A row more than there is, as if one had been lost in writing.
    rows["explorations"]["test"] = 38
    with pytest.raises(InputError, match=r"'test': 38.* rows, and .*'test': 37.* are read: it is not published"):
        check_dataset_loads(exported, rows)
