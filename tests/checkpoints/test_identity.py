"""Which model gave a score: names that say nothing of a machine, and hashes that `sha256sum` gives as well."""

import hashlib
import json
import os
import subprocess
from pathlib import Path

import pytest
import torch
from typer.testing import CliRunner

from modeling_empathy import ScoringEngine, __version__
from modeling_empathy.checkpoints.deltas import DELTAS, PRETRAINED
from modeling_empathy.checkpoints.identity import model_identity
from modeling_empathy.cli.app import app
from modeling_empathy.errors import InputError
from tests.hub.stand_in.clients import run as run_client
from tests.original_model import original_model
from tests.tiny_models import tiny_model
from tests.tokenizers_for_tests import wordpiece_tokenizer


MECHANISMS = ("emotional_reactions", "interpretations", "explorations")


def sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def saved(folder: Path, **options) -> Path:
    tiny_model("bert").save_pretrained(folder, **options)
    wordpiece_tokenizer().save_pretrained(folder)
    return folder


def test_the_model_of_the_package_is_named_by_the_version_however_it_is_asked_for(monkeypatch):
    identity = ScoringEngine.from_pretrained(device="cpu").identity
    expected = sha256((PRETRAINED / DELTAS).read_bytes())
    assert identity == (f"modeling-empathy {__version__}", expected, __version__, MECHANISMS)
    assert identity.label == f"modeling-empathy {__version__}@{expected[:12]}"
    monkeypatch.chdir(PRETRAINED.parent)
    assert model_identity("pretrained", MECHANISMS) == identity


def test_a_folder_is_named_by_its_last_name_and_its_hash_is_that_of_its_weights(tmp_path, monkeypatch):
    folder = saved(tmp_path / "somebody" / "my-model")
    identity = ScoringEngine.from_pretrained(str(folder), device="cpu").identity
    assert identity.name == "my-model" and identity.sha256 == sha256((folder / "model.safetensors").read_bytes())
    assert identity.mechanisms == MECHANISMS
    # Other names of the same folder, as the original's users and shells have them.
    (tmp_path / "link").symlink_to(folder)
    monkeypatch.chdir(folder)
    names = {name: model_identity(name, MECHANISMS) for name in (f"{folder}.pth", f"{folder}/", ".", "../my-model/.")}
    assert all(other == identity for other in names.values()), names
    assert model_identity(str(tmp_path / "link"), MECHANISMS).name == "link"
    with torch.no_grad():
        changed = tiny_model("bert")
        changed.mechanism_heads["explorations"].level.output.bias.add_(1)
    changed.save_pretrained(folder)
    assert model_identity(".", MECHANISMS).sha256 != identity.sha256


def test_a_name_that_would_break_a_line_or_is_no_text_is_shown_as_text(tmp_path):
    folder = saved(tmp_path / "plain").rename(tmp_path / os.fsdecode(b"a\nb\xff"))
    identity = model_identity(str(folder), MECHANISMS)
    assert identity.name == "a\N{REPLACEMENT CHARACTER}b\N{REPLACEMENT CHARACTER}"


def test_of_weights_in_parts_it_is_the_hash_of_what_sha256sum_prints(tmp_path):
    folder = saved(tmp_path / "parts", max_shard_size="20KB")
    parts = sorted(folder.glob("*.safetensors"))
    assert len(parts) > 1
    printed = "".join(f"{sha256(part.read_bytes())}  {part.name}\n" for part in parts)
    assert model_identity(str(folder), MECHANISMS).sha256 == sha256(printed.encode())
    done = subprocess.run(
        ["sh", "-c", "sha256sum *.safetensors | sha256sum"], cwd=folder, capture_output=True, text=True
    )
    if done.stdout.strip():  # where there is such a program
        assert done.stdout.split()[0] == model_identity(str(folder), MECHANISMS).sha256
    for part in parts:
        part.unlink()
    with pytest.raises(InputError, match="holds no weights"):
        model_identity(str(folder), MECHANISMS)


def test_a_pth_of_the_original_is_named_as_the_file(tmp_path):
    torch.save(original_model().state_dict(), tmp_path / "reddit_ER.pth")
    identity = model_identity(str(tmp_path / "reddit_ER.pth"), ["emotional_reactions"])
    assert identity.name == "reddit_ER.pth" and identity.mechanisms == ("emotional_reactions",)
    assert identity.sha256 == sha256((tmp_path / "reddit_ER.pth").read_bytes())


@pytest.mark.slow
def test_a_repository_is_named_with_its_owner_and_its_files_are_those_of_the_cache(hub, tmp_path):
    files = {path.name: path.read_bytes() for path in saved(tmp_path / "model").iterdir()}
    hub.put("user/name", files)
    script = """
        import json
        from modeling_empathy import ScoringEngine
        print(json.dumps(ScoringEngine.from_pretrained("user/name", device="cpu").identity))
    """
    expected = ["user/name", sha256(files["model.safetensors"]), __version__, list(MECHANISMS)]
    assert run_client(script, hub, tmp_path / "home", None) == expected


def test_the_command_says_it_on_standard_error_and_no_path_gets_into_an_output(tmp_path):
    folder, pairs = saved(tmp_path / "private-place" / "my-model"), tmp_path / "pairs.csv"
    pairs.write_text("id,seeker_post,response_post\n1,a,b\n")
    label = f"my-model@{sha256((folder / 'model.safetensors').read_bytes())[:12]}"
    for ending in ("csv", "jsonl", "parquet"):
        output = tmp_path / f"scores.{ending}"
        options = ["--model", str(folder), "--input_path", str(pairs), "--output_path", str(output)]
        done = CliRunner().invoke(app, ["score", *options])
        assert done.exit_code == 0, done.output
        assert f"scored by {label}\n" in done.stderr and "scored by" not in done.stdout
        content = output.read_bytes()
        assert label.encode() in content and b"private-place" not in content
    row = json.loads((tmp_path / "scores.jsonl").read_text())
    assert list(row)[-1] == "model" and row["model"] == label
