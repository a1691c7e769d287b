"""Checkpoints as graphs for ONNX Runtime: they give what the model gives, and appear whole or not at all."""

import hashlib
import json
import re
import shutil
import sys
from pathlib import Path

import pytest
import torch
from typer.testing import CliRunner

from modeling_empathy import EmpathyModel, ScoringEngine
from modeling_empathy.cli.app import app
from modeling_empathy.errors import InputError
from modeling_empathy.scoring.graph_source import source_hash
from modeling_empathy.scoring.interface import ResponseBatch
from modeling_empathy.scoring.onnx_backend import OnnxBackend
from modeling_empathy.scoring.onnx_export import TOLERANCE, export_onnx
from tests.command_lines import printed_by
from tests.tiny_models import batch_of, tiny_model
from tests.tokenizers_for_tests import byte_level_bpe_tokenizer, wordpiece_tokenizer


for package in ("onnxruntime", "onnxscript"):
    pytest.importorskip(package)
onnx = pytest.importorskip("onnx")

# A family each, with what else decides which graph is made.
VARIANTS = {
    "roberta": {"share_responder_encoder": True},
    "bert": {
        "share_responder_encoder": False,
        "attend_to_padding": True,
        "cross_attention_norm": False,
        "level_pooling": "first_token",
        "mechanisms": ["emotional_reactions", "explorations"],
    },
    "distilbert": {"mechanisms": ["interpretations"], "freeze_seeker_encoder": False, "level_pooling": "context"},
    "xlm-roberta": {"mechanisms": ["explorations"], "share_responder_encoder": False},
}
ROBERTA_FILES = ["responses.int8.onnx", "responses.onnx", "seeker_encoder.int8.onnx", "seeker_encoder.onnx"]


def save(family: str, folder: Path) -> Path:
    tiny_model(family, max_post_length=48, **VARIANTS[family]).save_pretrained(folder)
    tokenizer = byte_level_bpe_tokenizer() if "roberta" in family else wordpiece_tokenizer()
    tokenizer.save_pretrained(folder)
    return folder


def run(*argv: object, command: str = "export-onnx") -> tuple[int, str]:
    result = CliRunner().invoke(app, [command, *map(str, argv)])
    assert "Traceback" not in result.output
    return result.exit_code, result.output


@pytest.fixture(scope="module")
def exported(tmp_path_factory) -> dict[str, Path]:
    """Family to its checkpoint with graphs beside it, of RoBERTa in 8 bits too."""
    folders = {}
    for family in VARIANTS:
        folder = folders[family] = save(family, tmp_path_factory.mktemp("onnx") / family)
        export = export_onnx(str(folder), quantize=family == "roberta")
        assert export.folder == folder / "onnx"
        assert export.files == {path.name: path.stat().st_size for path in (folder / "onnx").iterdir()}
        assert export.largest_differences["fp32"] < TOLERANCE
        assert set(export.largest_differences) == ({"fp32", "int8"} if family == "roberta" else {"fp32"})
    return folders


def scored(computes, batch: dict[str, torch.Tensor]) -> tuple[torch.Tensor, torch.Tensor]:
    seeker = batch["seeker_input_ids"], batch["seeker_attention_mask"]
    response = batch["response_input_ids"], batch["response_attention_mask"]
    return computes.probabilities(ResponseBatch(*response, computes.seeker_states(*seeker), seeker[1]))


@torch.no_grad()
def scored_by_model(model, batch: dict[str, torch.Tensor]) -> tuple[torch.Tensor, torch.Tensor]:
    output = model(**{name: tensor for name, tensor in batch.items() if not name.endswith("labels")})
    return output.empathy_logits.softmax(-1), output.rationale_logits.softmax(-1)[..., 1]


@pytest.mark.parametrize("family", VARIANTS)
def test_graphs_give_what_the_model_gives(exported, family):
    model, backend = tiny_model(family, **VARIANTS[family]), OnnxBackend(exported[family] / "onnx")
    mechanisms = len(model.config.mechanisms)
    # One pair; lengths equal and different; longer and shorter than what the export saw.
    for lengths in ([(4, 4)], [(2, 31)], [(9, 3), (2, 8), (5, 5)], [(40, 17), (3, 47), (21, 2), (40, 47), (8, 30)]):
        batch = batch_of(lengths, family, mechanisms)
        expected, given = scored_by_model(model, batch), scored(backend, batch)
        assert given[0].shape == (len(lengths), mechanisms, 3)
        assert given[1].shape == (len(lengths), mechanisms, batch["response_input_ids"].shape[1])
        for expected_part, given_part in zip(expected, given, strict=True):
            torch.testing.assert_close(given_part, expected_part, rtol=0, atol=1e-5)


def test_padding_changes_nothing(exported):
    backend = OnnxBackend(exported["roberta"])
    # The first pair of a batch of two, and by itself without the padding that the longer one brings.
    together = batch_of([(5, 9), (20, 33)])
    alone = {
        name: tensor[:1, : {"seeker": 5, "response": 9}[name.split("_")[0]]]
        for name, tensor in together.items()
        if not name.endswith("labels")
    }
    levels, rationales = scored(backend, together)
    own_levels, own_rationales = scored(backend, alone)
    torch.testing.assert_close(levels[:1], own_levels, rtol=0, atol=1e-5)
    torch.testing.assert_close(rationales[:1, :, :9], own_rationales, rtol=0, atol=1e-5)


def test_eight_bits_come_close(exported):
    batch = batch_of([(3 + 7 * number % 31, 3 + 5 * number % 37) for number in range(64)])
    expected = scored_by_model(tiny_model("roberta"), batch)
    given = scored(OnnxBackend(exported["roberta"], precision="int8"), batch)
    # Of a model that always says the same, 8 bits would agree by accident.
    levels = expected[0].argmax(-1)
    assert len(levels.unique()) > 1
    assert (given[0].argmax(-1) == levels).float().mean() > 0.95
    words = batch["response_attention_mask"].bool()[:, None].expand_as(given[1])
    differences = torch.cat([(expected[0] - given[0]).flatten(), (expected[1] - given[1])[words]]).abs()
    # Closer would mean that fp32 was computed.
    assert 1e-4 < differences.max() < 0.05, "not what 8 bits make of it"


def test_graphs_score_a_long_response_to_its_end_as_torch_does(exported):
    pair = ("I feel alone", "I am so sorry. What happened? " * 30)
    ways = [
        ScoringEngine.from_pretrained(str(exported["roberta"]), backend=backend, window_stride=8)
        for backend in ("torch", "onnx")
    ]
    expected, given = (next(engine([pair], return_all_scores=True)) for engine in ways)
    assert given["truncated"] == expected["truncated"] == {"seeker_post": False, "response_post": False}
    for mechanism in ways[0].config.mechanisms:
        assert given[mechanism]["scores"] == pytest.approx(expected[mechanism]["scores"], abs=1e-4)
    assert next(ways[1]([pair], stride=None))["truncated"]["response_post"]


def test_a_file_is_scored_by_the_graphs(exported, tmp_path):
    pairs = tmp_path / "pairs.csv"
    pairs.write_text("id,seeker_post,response_post\n1,I feel alone,What happened?\n2,So tired,I am so sorry. Why?\n")
    written = {}
    for backend, dtype in (("torch", "fp32"), ("onnx", "fp32"), ("onnx", "int8"), ("torch", "bf16")):
        output = tmp_path / f"{backend}-{dtype}.jsonl"
        options = ["--backend", backend, "--dtype", dtype, "--input_path", pairs, "--output_path", output]
        code, printed = run("--model", exported["roberta"], *options, command="score")
        assert code == 0, printed
        written[backend, dtype] = [json.loads(line) for line in output.read_text().splitlines()]
    expected = written["torch", "fp32"]
    for rows in written.values():
        assert [(row["id"], row.keys()) for row in rows] == [(row["id"], row.keys()) for row in expected]
    # The weights in torch, whatever they are computed in; and the graphs, of each precision others.
    models = {way: {row["model"] for row in rows} for way, rows in written.items()}
    assert all(len(labels) == 1 for labels in models.values()) and len(set.union(*models.values())) == 3
    assert models["torch", "fp32"] == models["torch", "bf16"]
    graphs = [exported["roberta"] / "onnx" / f"{name}.int8.onnx" for name in ("responses", "seeker_encoder")]
    lines = [f"{hashlib.sha256(graph.read_bytes()).hexdigest()}  {graph.name}\n" for graph in graphs]
    sha256 = hashlib.sha256("".join(lines).encode()).hexdigest()
    assert models["onnx", "int8"] == {f"{exported['roberta'].name}@{sha256[:12]}"}
    for row, reference in zip(written["onnx", "fp32"], expected, strict=True):
        for name in ("ER", "IP", "EX"):
            assert row[f"{name}_label"] == reference[f"{name}_label"]
            spans = [
                [{**span, "score": round(span["score"], 3)} for span in scores[f"{name}_rationale"]]
                for scores in (row, reference)
            ]
            assert spans[0] == spans[1]
    code, printed = run("--model", exported["bert"], *options[:2], "--dtype", "int8", *options[4:], command="score")
    assert code == 2 and "'torch' with the dtype 'int8'" in " ".join(printed.split())


def changed_weights(folder: Path) -> None:
    model = EmpathyModel.from_pretrained(folder)
    with torch.no_grad():
        model.mechanism_heads["explorations"].level.output.bias[0] += 0.01
    model.save_pretrained(folder)


def changed(**values: object):
    """Changes parameters in `config.json`; those of the encoder by their name with a prefix."""

    def change(folder: Path) -> None:
        config = json.loads((folder / "config.json").read_text())
        for name, value in values.items():
            part = config["encoder_config"] if name.startswith("encoder_") else config
            assert part.get(name.removeprefix("encoder_")) != value
            part[name.removeprefix("encoder_")] = value
        (folder / "config.json").write_text(json.dumps(config))

    return change


def exported_copy(exported: dict[str, Path], folder: Path) -> Path:
    return Path(shutil.copytree(exported["xlm-roberta"], folder))


@pytest.mark.parametrize(
    "change",
    [
        changed_weights,
        changed(level_temperatures=[1.5]),
        changed(encoder_hidden_act="relu"),
        changed(encoder_layer_norm_eps=1e-3),
    ],
)
def test_graphs_of_a_model_that_was_changed_since_are_refused(exported, tmp_path, change):
    folder = exported_copy(exported, tmp_path / "model")
    ScoringEngine.from_pretrained(str(folder), backend="onnx")
    change(folder)
    with pytest.raises(InputError, match=r"made from other weights.*empathy export-onnx"):
        ScoringEngine.from_pretrained(str(folder), backend="onnx")


@pytest.mark.parametrize(
    "change",
    [
        changed(rationale_thresholds=[0.9], max_post_length=40, lambda_EI=0.9, head_dropout=0.3),
        changed(_name_or_path="somewhere/else", encoder__name_or_path="somewhere/else", further="key"),
        changed(encoder_hidden_dropout_prob=0.5, encoder_id2label={"0": "x", "1": "y", "2": "z"}),
    ],
)
def test_what_is_not_in_the_graphs_makes_none_stale(exported, tmp_path, change):
    folder = exported_copy(exported, tmp_path / "model")
    change(folder)
    assert ScoringEngine.from_pretrained(str(folder), backend="onnx")


def test_graphs_are_of_the_model_however_it_is_stored(exported, tmp_path):
    expected = OnnxBackend(exported["xlm-roberta"]).source_hash
    model = EmpathyModel.from_pretrained(exported["xlm-roberta"])
    assert source_hash(model) == expected and re.fullmatch("[0-9a-f]{64}", expected)
    model.save_pretrained(tmp_path, max_shard_size="20KB")
    assert len(list(tmp_path.glob("*.safetensors"))) > 1
    assert source_hash(EmpathyModel.from_pretrained(tmp_path)) == expected
    # Rounded to 16 bits they are other weights, and the same ones whichever type holds them.
    rounded = model.bfloat16()
    assert source_hash(rounded) != expected
    assert source_hash(rounded) == source_hash(rounded.float())


def test_quantized_graphs_carry_the_hash_too(exported):
    hashes = {OnnxBackend(exported["roberta"], precision=precision).source_hash for precision in ("fp32", "int8")}
    assert hashes == {source_hash(EmpathyModel.from_pretrained(exported["roberta"]))}


def test_graphs_of_two_models_and_graphs_without_a_hash_are_refused(exported, tmp_path):
    folder = exported_copy(exported, tmp_path / "model")
    shutil.copyfile(exported["roberta"] / "onnx" / "seeker_encoder.onnx", folder / "onnx" / "seeker_encoder.onnx")
    pairs = tmp_path / "pairs.csv"
    pairs.write_text("id,seeker_post,response_post\n1,I feel alone,What happened?\n")
    code, printed = run("--model", folder, "--backend", "onnx", "--input_path", pairs, command="score")
    assert code == 2 and "were made from different models" in " ".join(printed.split())
    for path in (folder / "onnx").iterdir():
        graph = onnx.load(path)
        del graph.metadata_props[:]
        onnx.save(graph, path)
    with pytest.raises(InputError, match=r"don't say what they were made from.*empathy export-onnx"):
        ScoringEngine.from_pretrained(str(folder), backend="onnx")


def test_the_command_prints_the_files_and_how_far_they_are_from_torch(tmp_path):
    folder, number = save("distilbert", tmp_path / "model"), r"\d(?:\.\d+)?(?:e-\d+)?"
    for options, names in (((), ROBERTA_FILES), (("--no_quantize",), ROBERTA_FILES[1::2])):
        graphs = tmp_path / f"graphs{len(names)}"
        printed = printed_by(app, "export-onnx", "--model", folder, "--output_path", graphs, *options).splitlines()
        width = max(map(len, names))
        sizes = [f"  {name:{width}}  {(graphs / name).stat().st_size / 1e6:8.1f} MB" for name in names]
        assert printed[:-1] == [f"The graphs are in {graphs}:", *sizes]
        of_int8 = "" if options else rf", {number} \(int8\)"
        differences = rf"Probabilities differ from torch by at most {number} \(fp32\){of_int8}, on random tokens\."
        assert re.fullmatch(differences, printed[-1])


def test_graphs_say_nothing_of_this_machine(exported):
    # The exporter writes the file and line that computed it into each node.
    files = sorted(path.name for path in (exported["roberta"] / "onnx").iterdir())
    assert files == ROBERTA_FILES
    for name in files:
        written = (exported["roberta"] / "onnx" / name).read_bytes()
        assert b"site-packages" not in written and str(Path(__file__).parents[2]).encode() not in written


def test_what_can_be_mended_is_one_message(exported, tmp_path, monkeypatch):
    code, printed = run("--model", exported["bert"])
    assert code == 2 and "exists already" in printed
    code, printed = run("--model", tmp_path / "none")
    assert code == 2 and "no such file or folder" in printed
    with pytest.raises(InputError, match="empathy export-onnx"):
        OnnxBackend(tmp_path)
    with pytest.raises(InputError, match="int8 graphs"):
        OnnxBackend(exported["bert"], precision="int8")
    for name in ROBERTA_FILES:
        (tmp_path / name).write_bytes(b"no graph")
    with pytest.raises(InputError, match="can't be loaded"):
        OnnxBackend(tmp_path)
    # For `None` in its place, `find_spec` returns none: as if it were not installed.
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    with pytest.raises(InputError, match=r"pip install 'modeling-empathy\[onnx\]'"):
        OnnxBackend(exported["roberta"])
    code, printed = run("--model", exported["roberta"], "--output_path", tmp_path / "graphs")
    assert code == 2 and "modeling-empathy[onnx]" in printed
    assert not (tmp_path / "graphs").exists()


def test_graphs_that_compute_something_else_are_not_written(tmp_path, monkeypatch):
    folder = save("distilbert", tmp_path / "model")
    unchanged = OnnxBackend.probabilities

    def off(self, batch: ResponseBatch) -> tuple[torch.Tensor, torch.Tensor]:
        levels, rationales = unchanged(self, batch)
        return levels + 0.001, rationales

    monkeypatch.setattr(OnnxBackend, "probabilities", off)
    code, printed = run("--model", folder, "--output_path", tmp_path / "graphs")
    assert code == 2 and "differ from the model's by 0.001" in " ".join(printed.split())
    assert sorted(path.name for path in tmp_path.iterdir()) == ["model"]
