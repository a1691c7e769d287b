"""Files of the original: any size gives the same outputs here; what is no such file is refused and not run."""

import pickle
from pathlib import Path

import pytest
import torch

from modeling_empathy.checkpoints.conversion import convert_files
from modeling_empathy.checkpoints.original_pth import model_from_pth
from modeling_empathy.errors import InputError
from tests.original_model import OPTIONS, original_model, outputs, padded_batch


@pytest.mark.parametrize(
    ("sizes", "options"),
    [
        ({}, OPTIONS),
        (
            {"hidden_size": 32, "num_hidden_layers": 1, "num_attention_heads": 8, "vocab_size": 700},
            {"num_attention_heads": 8},
        ),
        (
            {"num_hidden_layers": 12, "max_position_embeddings": 200, "type_vocab_size": 2, "intermediate_size": 8},
            OPTIONS,
        ),
        ({"layer_norm_eps": 0.1}, OPTIONS | {"layer_norm_eps": 0.1}),
        ({"pad_token_id": 0}, OPTIONS | {"pad_token_id": 0}),
    ],
)
def test_any_size_gives_the_originals_outputs(tmp_path, sizes, options):
    original = original_model(**sizes)
    torch.save(original.state_dict(), tmp_path / "x.pth")
    batch = padded_batch()
    if "pad_token_id" in sizes:
        batch |= {
            f"{post}_input_ids": batch[f"{post}_input_ids"].where(batch[f"{post}_attention_mask"] == 1, 0)
            for post in ("seeker", "response")
        }
    converted = model_from_pth(tmp_path / "x.pth", "explorations", **options)
    for actual, expected in zip(outputs(converted, batch), outputs(original, batch), strict=True):
        assert expected.std() > 0.1
        torch.testing.assert_close(actual[:, 0], expected, atol=1e-9, rtol=1e-9)


def test_counters_that_later_versions_stored_are_no_unknown_tensors(pth):
    weights = torch.load(pth, weights_only=True)
    key = "seeker_encoder.roberta.embeddings.position_ids"
    torch.save(weights | {key: torch.arange(70)[None]}, pth)
    assert model_from_pth(pth, "explorations", **OPTIONS).config.mechanisms == ["explorations"]


class Exploit:
    """Writes a file when it is unpickled."""

    def __init__(self, path: str) -> None:
        self.path = path

    def __reduce__(self):
        return (open, (self.path, "w"))


def damaged(original: Path, how: str) -> Path:
    path = original.with_name(f"{how}.pth")
    weights = torch.load(original, weights_only=True)
    if how == "truncated":
        path.write_bytes(original.read_bytes()[:5000])
    elif how == "empty":
        path.write_bytes(b"")
    elif how == "code":
        torch.save({"weights": Exploit(str(path.with_name("exploited")))}, path)
    elif how == "bare pickle with code":
        path.write_bytes(pickle.dumps(Exploit(str(path.with_name("exploited")))))
    elif how == "text":
        path.write_text("id,seeker_post,response_post\n")
    elif how == "list":
        torch.save(list(weights.values()), path)
    elif how == "nested":
        torch.save({"state_dict": weights, "epoch": 3}, path)
    elif how == "other model":
        torch.save({"linear.weight": torch.zeros(2, 2)}, path)
    elif how == "missing":
        del weights["attn.q_linear.bias"], weights["responder_encoder.roberta.encoder.layer.1.output.dense.weight"]
        torch.save(weights, path)
    elif how == "unknown":
        torch.save(weights | {"decoder.weight": torch.zeros(1), "seeker_encoder.roberta.x": torch.zeros(1)}, path)
    elif how == "far layer":
        far = "seeker_encoder.roberta.encoder.layer.1000000000.output.dense.bias"
        torch.save(weights | {far: torch.zeros(24)}, path)
    elif how == "shape":
        torch.save(weights | {"empathy_classifier.out_proj.weight": torch.zeros(5, 24)}, path)
    return path


@pytest.mark.parametrize(
    ("how", "messages"),
    [
        ("truncated", ["can't be read"]),
        ("empty", ["can't be read"]),
        ("code", ["is refused", "open)", "Nothing in it was run"]),
        ("bare pickle with code", ["is refused", "Nothing in it was run"]),
        ("text", ["is refused"]),
        ("list", ["holds a list, not a state dict"]),
        ("nested", ["'state_dict', 'epoch' are none"]),
        ("other model", ["not a checkpoint of the original's bi-encoder", "linear.weight"]),
        (
            "missing",
            ["lacks 2", "attn.q_linear.bias", "responder_encoder.roberta.encoder.layer.1.output.dense.weight"],
        ),
        ("unknown", ["has unknown 2", "decoder.weight", "seeker_encoder.roberta.x"]),
        ("far layer", ["has unknown 1", "layer.1000000000.output.dense.bias", "lacks"]),
        ("shape", ["empathy_classifier.out_proj.weight (5, 24) torch.float32, expected (3, 24)"]),
        ("absent", ["does not exist"]),
    ],
)
def test_what_is_no_original_checkpoint_is_refused_and_leaves_nothing(pth, tmp_path, how, messages):
    path = damaged(pth, how)
    with pytest.raises(InputError) as refused:
        convert_files({"explorations": path}, tmp_path / "out", **OPTIONS)
    for message in [path.name, *messages]:
        assert message in str(refused.value)
    assert not (tmp_path / "exploited").exists()
    assert {left.name for left in tmp_path.iterdir()} <= {pth.name, path.name}
