"""Packed checkpoints: small, and as good as the whole; the model that is part of the package."""

import json

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file
from typer.testing import CliRunner

from modeling_empathy import EmpathyModel, EmpathyPipeline, ScoringEngine
from modeling_empathy.checkpoints.deltas import DELTAS, PRETRAINED, load_packed, pack
from modeling_empathy.checkpoints.loading import load_checkpoint
from modeling_empathy.checkpoints.own_config import own_config
from modeling_empathy.cli.app import app
from modeling_empathy.encoders import load_tokenizer, resolve_encoder
from modeling_empathy.errors import InputError
from modeling_empathy.hub.packing import pack_checkpoint
from tests.tiny_models import tiny_model


PAIRS = [
    ("I failed again and feel useless.", "I'm so sorry to hear that. What happened?"),
    ("My landlord kept the deposit.", "You can ask the court to get it back."),
]


def trained(**config) -> EmpathyModel:
    """A model of the embedded encoder, changed as training would: its layers and heads, not its word embeddings."""
    torch.manual_seed(0)
    model = EmpathyModel.from_encoder(resolve_encoder("embedded"), **config).eval()
    with torch.no_grad():
        for name, weight in model.responder_encoders.named_parameters():
            if "word_embeddings" not in name:
                weight.add_(0.01 * torch.randn_like(weight))
    return model


@pytest.fixture(scope="module")
def model() -> EmpathyModel:
    return trained(mechanisms=["explorations"], level_temperatures=[1.5], rationale_unit="clause")


def test_a_packed_model_scores_as_the_model_does_at_a_fifth_of_the_size(model, tmp_path):
    sizes = pack(model, tmp_path)
    whole = sum(weight.nbytes for weight in model.state_dict().values())
    # Of several entries the order differs from run to run; so the same model gives the same bytes.
    with safe_open(tmp_path / DELTAS, framework="pt") as file:
        assert len(file.metadata()) == 1
    assert sum(sizes.values()) < whole / 5 and {path.name for path in tmp_path.iterdir()} == set(sizes)
    loaded, tokenizer = load_packed(tmp_path), load_tokenizer("embedded")
    # Without keys of the encoder's own file that none of its parameters is.
    assert loaded.config.to_dict() == own_config(model.config).to_dict()
    assert not loaded.training and loaded.dtype == torch.float32
    untrained = EmpathyModel.from_encoder(resolve_encoder("embedded"), ["explorations"]).state_dict()
    changed = 0
    for name, weight in model.state_dict().items():
        got, start = loaded.state_dict()[name], untrained[name]
        if "mechanism_heads" in name:
            torch.testing.assert_close(got, weight, atol=1e-3, rtol=1e-3)
        elif weight.equal(start):
            assert got.equal(start), name
        else:
            changed += 1
            assert (got - weight).abs().max() <= (weight - start).abs().max() / 250, name
    assert changed > 90
    scores = [EmpathyPipeline(model=scored, tokenizer=tokenizer)(PAIRS) for scored in (model, loaded)]
    for whole_result, packed_result in zip(*scores, strict=True):
        assert whole_result["explorations"]["score"] == pytest.approx(packed_result["explorations"]["score"], abs=2e-3)


def test_what_can_not_be_packed_is_refused_by_name(model, tmp_path):
    with pytest.raises(InputError, match="encoder 'embedded' can be packed"):
        pack(tiny_model("bert"), tmp_path)
    trained_seeker = trained(mechanisms=["explorations"])
    with torch.no_grad():
        next(trained_seeker.seeker_encoder.encoder.parameters()).add_(1.0)
    with pytest.raises(InputError, match=r"seeker_encoder\.encoder.*was trained"):
        pack(trained_seeker, tmp_path)
    trained_seeker.save_pretrained(tmp_path / "trained")
    load_tokenizer("embedded").save_pretrained(tmp_path / "trained")
    with pytest.raises(InputError, match="was trained"):
        pack_checkpoint(str(tmp_path / "trained"), tmp_path / "packed")
    assert not (tmp_path / "packed").exists()


def test_it_is_computed_in_fp32_whatever_its_configuration_names(model, tmp_path):
    pack(model, tmp_path)
    expected = load_packed(tmp_path).state_dict()
    written = json.loads((tmp_path / "config.json").read_text())
    written["dtype"] = written["encoder_config"]["dtype"] = "bfloat16"
    (tmp_path / "config.json").write_text(json.dumps(written))
    loaded = load_packed(tmp_path).state_dict()
    assert loaded.keys() == expected.keys()
    assert all(weight.dtype == torch.float32 and weight.equal(expected[name]) for name, weight in loaded.items())


def test_a_folder_whose_configuration_is_of_another_encoder_is_refused(model, tmp_path):
    pack(model, tmp_path)
    tiny_model("bert").config.save_pretrained(tmp_path)
    with pytest.raises(InputError, match="is not that of a model of sentence-transformers/all-MiniLM-L6-v2"):
        load_packed(tmp_path)


def test_another_version_of_the_base_is_noticed(model, tmp_path):
    pack(model, tmp_path)
    save_file(load_file(tmp_path / DELTAS), tmp_path / DELTAS, metadata={"base_sha256": "0" * 64})
    with pytest.raises(InputError, match="another version of sentence-transformers/all-MiniLM-L6-v2"):
        load_packed(tmp_path)
    (tmp_path / DELTAS).write_bytes(b"nothing")
    with pytest.raises(InputError, match="no packed checkpoint"):
        load_packed(tmp_path)


def test_a_checkpoint_is_packed_with_its_card_and_taken_wherever_a_folder_is(model, tmp_path):
    model.save_pretrained(tmp_path / "whole")
    load_tokenizer("embedded").save_pretrained(tmp_path / "whole")
    done = CliRunner().invoke(
        app, ["pack", "--model", str(tmp_path / "whole"), "--output_path", str(tmp_path / "packed")]
    )
    assert done.exit_code == 0, done.output
    megabytes = (tmp_path / "packed" / DELTAS).stat().st_size / 1e6
    assert done.stdout.splitlines() == [
        f"{DELTAS}: {megabytes:.1f} MB",
        "config.json: 0.0 MB",
        f"Written to {tmp_path / 'packed'}",
    ]
    card = (tmp_path / "packed" / "README.md").read_text()
    assert "in 8 bits" in card and "trust_remote_code" not in card
    loaded, _ = load_checkpoint(str(tmp_path / "packed"))
    assert loaded.config.mechanisms == ["explorations"]
    [result, _] = ScoringEngine.from_pretrained(str(tmp_path / "packed"))(PAIRS)
    assert result["explorations"]["label"] in ("no", "weak", "strong")


# The model that is part of the package


def test_the_package_has_a_model_that_scores_with_no_network_and_no_training(tmp_path):
    scorer = EmpathyPipeline.default(device="cpu")
    result, plain_result = scorer(PAIRS)
    assert result["emotional_reactions"]["level"] > 0 and result["explorations"]["level"] > 0
    assert [span["text"] for span in result["explorations"]["rationales"]] == ["What happened?"]
    assert all(plain_result[mechanism]["level"] == 0 for mechanism in scorer.model.config.mechanisms)
    path = tmp_path / "pairs.csv"
    rows = [f'{index},"{seeker}","{response}"' for index, (seeker, response) in enumerate(PAIRS)]
    path.write_text("\n".join(["id,seeker_post,response_post", *rows]) + "\n")
    done = CliRunner().invoke(app, ["score", "--input_path", str(path)])
    assert done.exit_code == 0, done.output
    header, first, second = (tmp_path / "pairs.scores.csv").read_text().splitlines()
    assert header.startswith("id,seeker_post,response_post,ER_label")
    assert "What happened?" in first.rpartition("EX")[2]
    assert second.startswith(",".join(["1", *PAIRS[1], "0,"]))


def test_without_graphs_it_says_how_to_get_them():
    with pytest.raises(InputError, match="empathy export-onnx"):
        ScoringEngine.from_pretrained(backend="onnx")


def test_it_is_small_and_says_what_it_is_and_under_which_terms():
    sizes = {path.name: path.stat().st_size for path in PRETRAINED.iterdir()}
    assert sum(sizes.values()) < 25e6 and {DELTAS, "config.json", "README.md", "metrics.json"} <= set(sizes)
    card = " ".join((PRETRAINED / "README.md").read_text().split()).lower()
    for phrase in ("non-profit academic research", "its twin", "do not use it to rank", "local crisis line"):
        assert phrase in card, phrase
    record = json.loads((PRETRAINED / "metrics.json").read_text())
    assert not record["metrics"]["test"], "it has seen every pair, so that nothing can measure it"
    twin = record["data"]["twin"]
    assert twin["metrics"]["test"]["macro_f1"] > 0.6 and twin["data"]["pairs"]["test"] > 600
    # The pairs that its twin held out too, and of the suite the families by which that is measured.
    more = record["arguments"]["data"]["extra_weight"] * twin["behaviour"]["responses"]
    assert list(record["data"]["pairs"]) == ["train"]
    assert record["data"]["pairs"]["train"] >= sum(twin["data"]["pairs"].values()) + more > more > 0
    assert "/" not in json.dumps(record["arguments"]), "a path of somebody's machine"
    with safe_open(PRETRAINED / DELTAS, framework="pt") as file:
        assert not [name for name in file.keys() if "seeker_encoder" in name or "word_embeddings" in name]  # noqa: SIM118


RESPONDER = "responder_encoders.0.encoder.layer.0.output.dense.weight"
HEAD = "mechanism_heads.explorations.level.output.weight"


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda stored: stored.pop(HEAD), f"lacks {HEAD}"),
        (lambda stored: stored.pop(RESPONDER + ".scale"), f"{RESPONDER} is|holds [0-9]+ tensors of the [0-9]+"),
        (lambda stored: [stored.pop(RESPONDER + end) for end in ("", ".scale")], "holds [0-9]+ tensors of the [0-9]+"),
        (lambda stored: stored.update(more=stored.pop(RESPONDER)), "has more, which the model has no place for"),
        (
            lambda stored: stored.update({"seeker_encoder.more": stored.pop(RESPONDER)}),
            "has seeker_encoder.more, which the model has no place for",
        ),
        (lambda stored: stored.update({RESPONDER: stored[RESPONDER][:1].clone()}), rf"{RESPONDER} is \(1, "),
        (lambda stored: stored.update({RESPONDER + ".scale": torch.ones(1)}), rf"{RESPONDER}.scale is \(1,\)"),
        (lambda stored: stored[HEAD][0].fill_(float("nan")), f"{HEAD} has values that are no numbers"),
        (lambda stored: stored[RESPONDER + ".scale"][0].fill_(float("inf")), "have values|has values"),
    ],
)
def test_what_is_missing_foreign_misshapen_or_no_number_in_a_packed_one_is_named(model, tmp_path, change, says):
    pack(model, tmp_path)
    stored = load_file(tmp_path / DELTAS)
    with safe_open(tmp_path / DELTAS, framework="pt") as file:
        metadata = file.metadata()
    change(stored)
    save_file(stored, tmp_path / DELTAS, metadata=metadata)
    with pytest.raises(InputError, match=says):
        load_packed(tmp_path)
