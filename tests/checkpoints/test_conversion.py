"""Original checkpoints: the same outputs here and back there; what can't be converted leaves nothing."""

import pytest
import torch

from benchmarks.golden_outputs import differences
from modeling_empathy import MECHANISMS, EmpathyModel
from modeling_empathy.checkpoints.conversion import convert_back, convert_files
from modeling_empathy.checkpoints.deltas import PRETRAINED
from modeling_empathy.checkpoints.original_pth import model_to_state_dict, read_state_dict
from modeling_empathy.errors import InputError
from modeling_empathy.scoring.engine import load_engines
from tests.original_model import OPTIONS, original_model, outputs, padded_batch
from tests.tiny_models import tiny_model
from tests.tokenizers_for_tests import byte_level_bpe_tokenizer


def test_the_golden_outputs_of_the_original_code_there_and_back(original_checkpoint_dir, tmp_path):
    by_state = differences(original_checkpoint_dir, tmp_path)
    assert set(by_state) == {"converted", "there and back"}
    for state in by_state.values():
        assert set(state) == {"logits_empathy", "logits_rationale", "loss_empathy", "loss_rationale", "loss"}
        assert max(state.values()) < 1e-5
    paths = (tmp_path / "back.pth", original_checkpoint_dir / "tiny.pth")
    shapes, original = ({name: tensor.shape for name, tensor in read_state_dict(path).items()} for path in paths)
    assert shapes == original


def test_three_files_become_one_model_that_shares_the_frozen_seeker_encoder(tmp_path):
    first = original_model(0)
    originals = [first, original_model(1, frozen_from=first), original_model(2, frozen_from=first)]
    paths = {}
    for mechanism, original in zip(MECHANISMS, originals, strict=True):
        paths[mechanism] = tmp_path / f"{mechanism}.pth"
        torch.save(original.state_dict(), paths[mechanism])
    converted = convert_files(paths, tmp_path / "joined", **OPTIONS)
    assert converted.folder == tmp_path / "joined" and not converted.has_tokenizer
    joined = EmpathyModel.from_pretrained(tmp_path / "joined")
    assert joined.config.mechanisms == converted.config.mechanisms == list(MECHANISMS)
    batch = padded_batch()
    joined_outputs = outputs(joined, batch)
    for index, original in enumerate(originals):
        for ours, theirs in zip(joined_outputs, outputs(original, batch), strict=True):
            torch.testing.assert_close(ours[:, index], theirs, atol=1e-9, rtol=1e-9)

    written = convert_back(str(tmp_path / "joined"), tmp_path / "back" / "x.pth")
    assert list(written) == list(MECHANISMS)
    for original, code, mechanism in zip(originals, ("ER", "IP", "EX"), MECHANISMS, strict=True):
        path = tmp_path / "back" / f"x_{code}.pth"
        assert written[mechanism] == path
        loaded = original_model(9)
        loaded.load_state_dict(torch.load(path, weights_only=True))  # strict: no key missing, none unknown
        for ours, theirs in zip(outputs(loaded, batch), outputs(original, batch), strict=True):
            torch.testing.assert_close(ours, theirs, atol=1e-9, rtol=1e-9)


def test_seeker_encoders_that_differ_are_not_shared_in_silence(tmp_path):
    paths = {}
    for seed, mechanism in enumerate(MECHANISMS[:2]):
        paths[mechanism] = tmp_path / f"{mechanism}.pth"
        torch.save(original_model(seed).state_dict(), paths[mechanism])
    with pytest.raises(InputError, match=r"seeker encoders of .* are not equal.*tensors differ"):
        convert_files(paths, tmp_path / "joined", **OPTIONS)
    assert not (tmp_path / "joined").exists()


def test_wrong_options_are_refused_by_name(pth, tmp_path):
    for options, message in (
        ({"num_attention_heads": 12 + 1}, "--num_attention_heads"),
        ({"num_attention_heads": 3, "pad_token_id": 600}, "padding id 600"),
        ({"num_attention_heads": 3, "max_length": 80}, "68 positions"),
        ({"num_attention_heads": 3, "tokenizer": str(tmp_path / "none-here")}, "none-here"),
    ):
        with pytest.raises(InputError, match=message):
            convert_files({"explorations": pth}, tmp_path / "out", **options)
        assert not (tmp_path / "out").exists()
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "precious").write_text("")
    with pytest.raises(InputError, match="exists already"):
        convert_files({"explorations": pth}, tmp_path / "out", **OPTIONS)
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["precious"]


def test_models_that_the_original_cannot_compute_are_not_written_for_it(tmp_path):
    tiny_model().save_pretrained(tmp_path / "ours")
    with pytest.raises(InputError) as refused:
        convert_back(str(tmp_path / "ours"), tmp_path / "x.pth")
    for name in ("attend_to_padding", "cross_attention_norm", "level_pooling"):
        assert name in str(refused.value)
    assert [path.name for path in tmp_path.iterdir()] == ["ours"]
    published = {"attend_to_padding": True, "cross_attention_norm": False, "level_pooling": "first_token"}
    assert model_to_state_dict(tiny_model(**published), "explorations")
    with pytest.raises(InputError, match="encoder is 'bert'"):
        model_to_state_dict(tiny_model("bert", **published), "explorations")


def test_a_packed_model_is_refused_for_what_the_original_lacks(tmp_path):
    with pytest.raises(InputError, match=r"The original code can't compute .* encoder is 'bert', not 'roberta'"):
        convert_back(str(PRETRAINED), tmp_path / "x.pth")
    assert list(tmp_path.iterdir()) == []


def test_a_converted_checkpoint_scores_text_as_the_original_reads_it(pth, tmp_path):
    tokenizer = byte_level_bpe_tokenizer()
    tokenizer.save_pretrained(tmp_path / "tokenizer")
    paths = {"explorations": pth}
    assert convert_files(paths, tmp_path / "model", str(tmp_path / "tokenizer"), **OPTIONS).has_tokenizer
    original = original_model()
    [engine] = load_engines(str(tmp_path / "model"), {})
    pairs = [("I feel ALONE", "What happened?"), ("x", "I understand how YOU feel, hugs " * 3)]
    for seeker, response in pairs:
        # A space before the first word and lower case: what the original's tokenizer makes of a post.
        batch = [
            tokenizer(
                f" {post.lower().rstrip()}", truncation=True, max_length=64, padding="max_length", return_tensors="pt"
            )
            for post in (seeker, response)
        ]
        levels, rationale = original(*(post[name] for post in batch for name in ("input_ids", "attention_mask")))
        [alone] = engine.score(engine.encode([(seeker, response)]), token_mask=True)
        in_batch = engine.score(engine.encode([*pairs, (seeker, response)]), token_mask=True)[-1]
        for result in (alone["explorations"], in_batch["explorations"]):
            assert result["level"] == levels.argmax()
            assert result["score"] == pytest.approx(levels.softmax(-1).max().item(), abs=1e-5)
            assert result["token_mask"] == rationale.argmax(-1)[0].tolist()
            assert len(result["token_mask"]) == 64
