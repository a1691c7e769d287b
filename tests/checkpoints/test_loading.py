"""Checkpoints are loaded from where they are: whole or packed, a folder, the Hub, a file of the original."""

from pathlib import Path

import pytest
import torch
from transformers import AutoTokenizer

from modeling_empathy import EmpathyModel
from modeling_empathy.checkpoints.deltas import PRETRAINED, load_packed
from modeling_empathy.checkpoints.loading import load_checkpoint, load_model, load_pretrained
from modeling_empathy.encoders import load_tokenizer
from modeling_empathy.errors import InputError
from tests.hub.stand_in.clients import run
from tests.original_model import original_model
from tests.tiny_models import tiny_model
from tests.tokenizers_for_tests import byte_level_bpe_tokenizer, wordpiece_tokenizer


POST = "I feel alone. What HAPPENED?"


@pytest.fixture
def whole(tmp_path) -> Path:
    folder = tmp_path / "whole"
    tiny_model("bert").save_pretrained(folder)
    wordpiece_tokenizer().save_pretrained(folder)
    return folder


def assert_same_weights(model: EmpathyModel, expected: EmpathyModel) -> None:
    weights = expected.state_dict()
    assert model.state_dict().keys() == weights.keys() and weights
    assert not model.training
    for name, weight in model.state_dict().items():
        assert weight.equal(weights[name]), name


def test_a_file_of_the_original_can_be_loaded_as_it_is(tmp_path, monkeypatch):
    torch.save(original_model(num_attention_heads=12).state_dict(), tmp_path / "x.pth")
    byte_level_bpe_tokenizer().save_pretrained(tmp_path / "roberta-base")
    monkeypatch.chdir(tmp_path)
    model, tokenizer = load_checkpoint("x.pth", "explorations")
    assert model.config.mechanisms == ["explorations"]
    assert tokenizer("HI")["input_ids"] == tokenizer("hi")["input_ids"]
    with pytest.raises(InputError, match="ER_model_path"):
        load_checkpoint("x.pth")


def test_a_packed_checkpoint_is_loaded_as_a_whole_one_is(whole):
    expected, expected_tokenizer = load_packed(PRETRAINED), load_tokenizer("embedded")
    assert_same_weights(load_model(str(PRETRAINED)), expected)
    for model, tokenizer in (load_checkpoint(str(PRETRAINED)), load_pretrained(PRETRAINED)):
        assert_same_weights(model, expected)
        assert tokenizer(POST)["input_ids"] == expected_tokenizer(POST)["input_ids"]
    _, named = load_checkpoint(str(PRETRAINED), tokenizer=str(whole))
    assert named(POST)["input_ids"] == wordpiece_tokenizer()(POST)["input_ids"] != tokenizer(POST)["input_ids"]


def test_what_a_packed_checkpoint_lacks_is_said_as_it_is(tmp_path):
    (tmp_path / "deltas.safetensors").write_bytes(b"nothing")
    for load in (load_model, load_checkpoint, load_pretrained):
        with pytest.raises(InputError, match=r"^\S+ holds no packed checkpoint: "):
            load(str(tmp_path))


def test_a_folder_is_loaded_as_from_pretrained_does(whole):
    for name in (whole, str(whole)):
        model, tokenizer = load_pretrained(name)
        assert_same_weights(model, tiny_model("bert"))
        assert tokenizer(POST)["input_ids"] == wordpiece_tokenizer()(POST)["input_ids"]
    model, _ = load_pretrained(
        whole.parent, subfolder=whole.name, dtype="bfloat16", attn_implementation="eager", revision=None
    )
    assert model.dtype == torch.bfloat16
    assert model.seeker_encoder.config._attn_implementation == "eager"


@pytest.mark.slow
def test_a_name_on_the_hub_is_loaded_at_a_revision_with_a_token(whole, hub, tmp_path):
    first = hub.put("user/empathy", {path.name: path.read_bytes() for path in whole.iterdir()}, private=True)
    hub.put("user/empathy", {"config.json": b"{}", "tokenizer.json": b"{}"})
    script = f"""
        import json
        from modeling_empathy.checkpoints.loading import load_pretrained

        where = {{"revision": {first.oid!r}, "token": {hub.read_token!r}, "cache_dir": {str(tmp_path / "cache")!r}}}
        model, tokenizer = load_pretrained("user/empathy", **where)
        model.save_pretrained({str(tmp_path / "loaded")!r})
        load_pretrained("user/empathy", local_files_only=True, **where)
        try:
            load_pretrained("user/empathy", local_files_only=True, **where | {{"cache_dir": {str(tmp_path)!r}}})
        except OSError:
            print(json.dumps(tokenizer({POST!r})["input_ids"]))
    """
    assert run(script, hub, tmp_path / "home", token=None) == wordpiece_tokenizer()(POST)["input_ids"]
    assert_same_weights(EmpathyModel.from_pretrained(tmp_path / "loaded"), tiny_model("bert"))


def test_errors_are_those_of_from_pretrained(whole, tmp_path):
    """Who loads a pipeline catches what transformers raises."""
    for missing in (tmp_path / "none", "someone/none"):
        with pytest.raises(OSError) as expected:
            EmpathyModel.from_pretrained(missing)
        with pytest.raises(type(expected.value)) as raised:
            load_pretrained(missing)
        assert str(raised.value) == str(expected.value)
    for path in whole.glob("tokenizer*"):
        path.unlink()
    with pytest.raises(Exception) as expected:
        AutoTokenizer.from_pretrained(whole, config=tiny_model("bert").config)
    with pytest.raises(type(expected.value)) as raised:
        load_pretrained(whole)
    assert str(raised.value) == str(expected.value) and not isinstance(raised.value, InputError)


@pytest.mark.parametrize(
    ("dtype", "expected"),
    [
        ("bfloat16", torch.bfloat16),
        (torch.float16, torch.float16),
        ("auto", torch.float32),
        (None, torch.float32),
    ],
)
def test_a_packed_checkpoint_takes_a_dtype(dtype, expected):
    model, _ = load_pretrained(PRETRAINED, dtype=dtype)
    assert {weight.dtype for weight in model.parameters()} == {expected}


def test_keywords_that_a_packed_checkpoint_has_no_use_for_are_named():
    with pytest.raises(InputError, match=r"pretrained is a packed .* without revision, device_map: leave it out"):
        load_pretrained(PRETRAINED, revision="main", device_map="auto", token=None)
    for key in ("token", "cache_dir", "local_files_only", "subfolder", "attn_implementation"):
        with pytest.raises(InputError, match=key):
            load_pretrained(PRETRAINED, **{key: "x"})
    for dtype in ("int8", "abacus", torch.int8, 16):
        with pytest.raises(InputError, match=r"dtype=.*such as 'bfloat16'"):
            load_pretrained(PRETRAINED, dtype=dtype)
