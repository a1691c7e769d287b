"""Original checkpoints: the same outputs here and back there; what is no such file is refused and leaves nothing."""

import pickle
from pathlib import Path

import pytest
import torch

from benchmarks.golden_outputs import differences
from modeling_empathy import MECHANISMS, EmpathyModel
from modeling_empathy.checkpoints.conversion import convert_back, convert_files
from modeling_empathy.checkpoints.deltas import PRETRAINED
from modeling_empathy.checkpoints.joined_models import join_models
from modeling_empathy.checkpoints.original_pth import model_from_pth, model_to_state_dict, read_state_dict
from modeling_empathy.errors import InputError
from modeling_empathy.scoring.engine import load_engines
from tests.original_model import OriginalBiEncoder, original_model
from tests.tiny_models import batch_of, tiny_model
from tests.tokenizers_for_tests import byte_level_bpe_tokenizer


OPTIONS = {"num_attention_heads": 3}


@pytest.fixture
def pth(tmp_path) -> Path:
    torch.save(original_model().state_dict(), tmp_path / "original.pth")
    return tmp_path / "original.pth"


def padded_batch(length: int = 64) -> dict[str, torch.Tensor]:
    """Posts of several lengths, all padded to one."""
    batch = batch_of([(9, 7), (4, length), (length, 3)])
    return {name: tensor for name, tensor in batch.items() if not name.endswith("labels")}


def outputs(model: EmpathyModel | OriginalBiEncoder, batch: dict[str, torch.Tensor]) -> tuple[torch.Tensor, ...]:
    """In double precision, where rounding can't hide or feign a difference."""
    with torch.inference_mode():
        found = model.double()(*batch.values())
    return tuple(found) if isinstance(model, OriginalBiEncoder) else (found.empathy_logits, found.rationale_logits)


def test_the_golden_outputs_of_the_original_code_there_and_back(original_checkpoint_dir, tmp_path):
    found = differences(original_checkpoint_dir, tmp_path)
    assert set(found) == {"converted", "there and back"}
    for of_state in found.values():
        assert set(of_state) == {"logits_empathy", "logits_rationale", "loss_empathy", "loss_rationale", "loss"}
        assert max(of_state.values()) < 1e-5
    paths = (tmp_path / "back.pth", original_checkpoint_dir / "tiny.pth")
    shapes, original = ({name: one.shape for name, one in read_state_dict(path).items()} for path in paths)
    assert shapes == original


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
    for found, expected in zip(outputs(converted, batch), outputs(original, batch), strict=True):
        assert expected.std() > 0.1
        torch.testing.assert_close(found[:, 0], expected, atol=1e-9, rtol=1e-9)


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
    found = outputs(joined, batch)
    for index, original in enumerate(originals):
        for ours, theirs in zip(found, outputs(original, batch), strict=True):
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


def test_models_that_do_not_belong_together_are_not_joined():
    with pytest.raises(InputError, match="different mechanisms"):
        join_models([tiny_model(mechanisms=["explorations"])] * 2)
    with pytest.raises(InputError, match="max_post_length"):
        join_models(
            [tiny_model(mechanisms=[one], max_post_length=n) for one, n in zip(MECHANISMS, (64, 32), strict=False)]
        )


def test_joined_models_score_as_each_does(tmp_path):
    torch.manual_seed(0)
    models = [
        tiny_model(mechanisms=["interpretations", "explorations"], rationale_thresholds=[0.2, 0.3]),
        tiny_model(mechanisms=["emotional_reactions"], rationale_thresholds=[0.4], share_responder_encoder=False),
    ]
    joined = join_models(models)
    assert joined.config.mechanisms == ["interpretations", "explorations", "emotional_reactions"]
    assert joined.config.rationale_thresholds == [0.2, 0.3, 0.4]
    batch = padded_batch()
    for found, *parts in zip(outputs(joined, batch), *(outputs(model, batch) for model in models), strict=True):
        torch.testing.assert_close(found, torch.cat(parts, dim=1), atol=1e-9, rtol=1e-9)


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
    assert {one.name for one in tmp_path.iterdir()} <= {pth.name, path.name}


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
    assert [one.name for one in (tmp_path / "out").iterdir()] == ["precious"]


def test_counters_that_later_versions_stored_are_no_unknown_tensors(pth):
    weights = torch.load(pth, weights_only=True)
    key = "seeker_encoder.roberta.embeddings.position_ids"
    torch.save(weights | {key: torch.arange(70)[None]}, pth)
    assert model_from_pth(pth, "explorations", **OPTIONS).config.mechanisms == ["explorations"]


def test_models_that_the_original_cannot_compute_are_not_written_for_it(tmp_path):
    tiny_model().save_pretrained(tmp_path / "ours")
    with pytest.raises(InputError) as refused:
        convert_back(str(tmp_path / "ours"), tmp_path / "x.pth")
    for name in ("attend_to_padding", "cross_attention_norm", "level_pooling"):
        assert name in str(refused.value)
    assert [one.name for one in tmp_path.iterdir()] == ["ours"]
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
        levels, rationale = original(*(one[name] for one in batch for name in ("input_ids", "attention_mask")))
        [alone] = engine.score(engine.encode([(seeker, response)]), token_mask=True)
        together = engine.score(engine.encode([*pairs, (seeker, response)]), token_mask=True)[-1]
        for found in (alone["explorations"], together["explorations"]):
            assert found["level"] == levels.argmax()
            assert found["score"] == pytest.approx(levels.softmax(-1).max().item(), abs=1e-5)
            assert found["token_mask"] == rationale.argmax(-1)[0].tolist()
            assert len(found["token_mask"]) == 64
