"""`empathy convert` as its users type it."""

from functools import partial
from pathlib import Path

import pandas as pd
import torch

from modeling_empathy.checkpoints.deltas import PRETRAINED
from modeling_empathy.cli.app import app
from tests.command_lines import printed_by, refused_by
from tests.csv_files import write_csv
from tests.original_model import original_model
from tests.tokenizers_for_tests import byte_level_bpe_tokenizer


empathy, refused = partial(printed_by, app), partial(refused_by, app)


def test_convert_there_and_back_and_score_with_three_models(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    rows = [("1", "I feel alone", "I am so sorry. What happened?"), ("2", "I failed", "Why?")]
    pairs = write_csv(tmp_path / "pairs.csv", rows, ("id", "seeker_post", "response_post"))
    byte_level_bpe_tokenizer().save_pretrained("roberta")
    first = original_model(0)
    for seed, code in enumerate(("ER", "IP", "EX")):
        torch.save(original_model(seed, frozen_from=first).state_dict(), f"{code}.pth")
    paths = [part for code in ("ER", "IP", "EX") for part in (f"--{code}_model_path", f"{code}.pth")]
    options = ["--num_attention_heads", 3, "--tokenizer", "roberta"]
    assert empathy("convert", *paths, "--output_path", "joined", *options).splitlines() == [
        "Converted emotional_reactions, interpretations, explorations: 2 layers, hidden size 24, 3 heads, vocabulary "
        "600, posts padded to 64 tokens.",
        "Their seeker encoders are equal: it is stored once and shared.",
        "The checkpoint is in joined",
    ]
    for code in ("ER", "IP", "EX"):
        empathy("convert", f"--{code}_model_path", f"{code}.pth", "--output_path", code, *options)
    mask = ["--input_path", pairs, "--rationale_format", "mask", "--output_path"]
    empathy("score", "--model", "joined", *mask, "joined.csv")
    # As the original's users type it: the .pth of the folder that there is.
    for code in ("ER", "IP", "EX"):
        Path(f"{code}.pth").unlink()
    empathy("score", *paths, *mask, "three.csv")
    joined, three = (pd.read_csv(name) for name in ("joined.csv", "three.csv"))
    assert joined.drop(columns="model").equals(three.drop(columns="model")) and len(joined) > 1
    assert joined["model"].str.fullmatch("joined@[0-9a-f]{12}").all()
    assert three["model"].str.fullmatch("ER ER@[0-9a-f]{12}; IP IP@[0-9a-f]{12}; EX EX@[0-9a-f]{12}").all()
    header = "id,seeker_post,response_post,ER_label,IP_label,EX_label,ER_rationale"
    assert Path("joined.csv").read_text().startswith(header)
    assert empathy("convert", "--reverse", "--model", "joined", "--output_path", "back/x.pth").splitlines() == [
        "The original loads these with torch.load and load_state_dict:",
        "emotional_reactions: back/x_ER.pth",
        "interpretations: back/x_IP.pth",
        "explorations: back/x_EX.pth",
    ]
    assert sorted(path.name for path in Path("back").iterdir()) == ["x_ER.pth", "x_EX.pth", "x_IP.pth"]


def test_one_file_without_a_tokenizer(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    torch.save(original_model(0).state_dict(), "EX.pth")
    options = ["--num_attention_heads", 3, "--max_len", 32, "--output_path", "alone"]
    assert empathy("convert", "--EX_model_path", "EX.pth", *options).splitlines() == [
        "Converted explorations: 2 layers, hidden size 24, 3 heads, vocabulary 600, posts padded to 32 tokens.",
        "No tokenizer was saved: save the encoder's in the folder before scoring text, or use --tokenizer.",
        "The checkpoint is in alone",
    ]
    printed = empathy("convert", "--reverse", "--model", "alone", "--output_path", "back")
    assert printed.splitlines()[1:] == ["explorations: back.pth"]


def test_what_can_be_mended_is_one_message(tmp_path):
    out = ("--output_path", tmp_path / "out")
    assert "at least one .pth" in refused("convert", *out)
    assert "--reverse takes" in refused("convert", "--reverse", *out)
    assert "no such file or folder" in refused("convert", "--reverse", "--model", tmp_path / "none", *out)
    # A packed checkpoint is loaded like any other, and is none that the original's class can hold.
    assert "encoder is 'bert', not 'roberta'" in refused("convert", "--reverse", "--model", PRETRAINED, *out)
    assert list(tmp_path.iterdir()) == []
