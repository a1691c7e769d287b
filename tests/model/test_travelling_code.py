"""Checkpoints that carry their code: loaded without the package, and with it; nothing else comes along."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from transformers import AutoConfig, AutoModel, BertConfig, pipeline

import modeling_empathy
from modeling_empathy import EmpathyConfig, EmpathyModel, EmpathyPipeline
from tests.tiny_models import batch_of, tiny_encoder_config, tiny_model
from tests.tokenizers_for_tests import byte_level_bpe_tokenizer, unigram_tokenizer, wordpiece_tokenizer
from tests.without_package import run_without_package


TOKENIZERS = {"bert": wordpiece_tokenizer, "roberta": byte_level_bpe_tokenizer, "xlm-roberta": unigram_tokenizer}
LENGTHS = [(9, 7), (4, 12), (6, 3)]
PAIRS = [["I feel alone.", "I am so sorry. What happened?"], ["I failed", "Why? Nobody cares " * 20]]
# Spelt out: a file more or less changes every checkpoint that is published from now on.
TRAVELLING = {
    "configuration_checks.py",
    "configuration_empathy.py",
    "encoded_pairs.py",
    "heads.py",
    "losses.py",
    "mechanisms.py",
    "modeling_empathy.py",
    "option_values.py",
    "pair_inputs.py",
    "pipeline_empathy.py",
    "rationale_decisions.py",
    "rationale_spans.py",
    "results.py",
    "weight_checks.py",
}


def saved(folder: Path, family: str = "bert") -> EmpathyModel:
    """A model with rationales, saved with its tokenizer."""
    model = tiny_model(family, max_post_length=40, rationale_thresholds=[0.2] * 3)
    model.save_pretrained(folder)
    TOKENIZERS[family]().save_pretrained(folder)
    return model


def posts(family: str) -> dict[str, torch.Tensor]:
    return {name: tensor for name, tensor in batch_of(LENGTHS, family).items() if "labels" not in name}


@pytest.mark.slow
@pytest.mark.parametrize("family", TOKENIZERS)
def test_a_checkpoint_works_where_the_package_is_not_installed(family, tmp_path):
    model, batch = saved(tmp_path / "model", family), posts(family)
    torch.save(batch, tmp_path / "batch.pt")
    script = f"""
import json, torch
from transformers import AutoConfig, AutoModel, AutoTokenizer, pipeline

def load(folder="model", **how):
    return AutoModel.from_pretrained(folder, trust_remote_code=True, **how)

def logits(model):
    return [tensor.flatten().tolist() for tensor in model(**batch).to_tuple()]

# Posts as tensors, so that the model alone is compared; pairs as text go through the pipeline that travelled.
batch, pairs = torch.load("batch.pt", weights_only=True), {PAIRS!r}
first = logits(load())
config = AutoConfig.from_pretrained("model", trust_remote_code=True)
scorer = pipeline(model="model", trust_remote_code=True, device="cpu")
loaded = {{"config": config.mechanisms, "logits": first, "scores": scorer(pairs, batch_size=2)}}
loaded["local"] = logits(load(local_files_only=True))
loaded["device_map"] = logits(load(device_map="cpu"))
loaded["eager"] = logits(load(attn_implementation="eager"))
loaded["bfloat16"] = [str(parameter.dtype) for parameter in load(dtype="bfloat16").parameters()]
loaded["tokens"] = AutoTokenizer.from_pretrained("model", trust_remote_code=True)(pairs[0][0])["input_ids"]
# What was loaded without the package can be passed on without it.
load().save_pretrained("again")
scorer.tokenizer.save_pretrained("again")
loaded["again"] = pipeline("empathy", model="again", trust_remote_code=True, device="cpu")(pairs)
print(json.dumps(loaded))
"""
    loaded = json.loads(run_without_package(script, tmp_path))
    with torch.no_grad():
        expected = [tensor.flatten().tolist() for tensor in model(**batch).to_tuple()]
    assert len(expected) == 2 and loaded["config"] == model.config.mechanisms
    assert loaded["logits"] == loaded["local"] == loaded["device_map"] == expected
    for logits, exact in zip(loaded["eager"], expected, strict=True):
        assert logits == pytest.approx(exact, abs=1e-4)
    assert set(loaded["bfloat16"]) == {"torch.bfloat16"}
    assert loaded["tokens"] == TOKENIZERS[family]()(PAIRS[0][0])["input_ids"]
    scores = EmpathyPipeline.from_pretrained(tmp_path / "model", device="cpu")(PAIRS, batch_size=2)
    assert loaded["scores"] == json.loads(json.dumps(scores))
    assert [result["explorations"]["level"] for result in loaded["again"]] == [
        result["explorations"]["level"] for result in scores
    ]
    assert {path.name for path in (tmp_path / "again").glob("*.py")} == TRAVELLING


def test_with_the_package_the_same_calls_give_the_same(tmp_path):
    model, batch = saved(tmp_path), posts("bert")
    expected = EmpathyPipeline.from_pretrained(tmp_path, device="cpu")(PAIRS)
    trusted = AutoModel.from_pretrained(tmp_path, trust_remote_code=True)
    loaded = AutoModel.from_pretrained(tmp_path)  # registered, the package's own classes need no permission
    assert type(loaded) is EmpathyModel and type(loaded.config) is EmpathyConfig
    for model_again in (trusted, loaded):
        assert torch.equal(model_again(**batch).empathy_logits, model(**batch).empathy_logits)
    assert pipeline(model=str(tmp_path), trust_remote_code=True, device="cpu")(PAIRS) == expected
    given = pipeline(
        "empathy", model=loaded, tokenizer=EmpathyPipeline.from_pretrained(tmp_path).tokenizer, device="cpu"
    )
    assert type(given) is EmpathyPipeline and given(PAIRS) == expected
    assert AutoModel.from_pretrained(tmp_path, dtype="bfloat16").dtype == torch.bfloat16
    # Whole parts of the model on different devices, as accelerate splits one that does not fit.
    parts = {"seeker_encoder": "cpu", "responder_encoders": "disk", "mechanism_heads": "cpu"}
    for device_map in ({"": "cpu"}, "auto", parts):
        spread = AutoModel.from_pretrained(tmp_path, device_map=device_map, offload_folder=str(tmp_path / "offload"))
        assert torch.equal(spread(**batch).empathy_logits, model(**batch).empathy_logits)
    scorer = EmpathyPipeline.from_pretrained(tmp_path, dtype="bfloat16", attn_implementation="eager", device="cpu")
    assert scorer.model.dtype == torch.bfloat16
    assert scorer.model.seeker_encoder.config._attn_implementation == "eager"


def test_all_of_the_room_travels_as_it_is(tmp_path):
    # What it may import is the rule of the rooms, in tests/test_rooms.py. `__init__` stays behind: it is empty, and a
    # checkpoint's folder is flat.
    tiny_model().save_pretrained(tmp_path)
    room = Path(modeling_empathy.__file__).parent / "model"
    files = {path.name: path.read_bytes() for path in tmp_path.glob("*.py")}
    assert set(files) == TRAVELLING
    assert files == {path.name: path.read_bytes() for path in room.glob("*.py") if path.name != "__init__.py"}


def test_a_nested_encoder_brings_no_code_of_its_own():
    evil = {
        "auto_map": {"AutoModel": "evil--code.Model"},
        "trust_remote_code": True,
        "attn_implementation": "evil/kernel",
        "_attn_implementation": "evil/kernel",
    }
    nested = {**tiny_encoder_config().to_dict(), **evil, "further": {"model_type": "bert", **evil}}
    config = EmpathyConfig(encoder_config=nested)
    for word in ("evil", "trust_remote_code"):
        assert word not in json.dumps(config.encoder_config.to_dict(), default=str)
    assert config.encoder_config._attn_implementation != "evil/kernel"
    with pytest.raises(ValueError, match=r"'not-in-transformers', which transformers .* lacks"):
        EmpathyConfig(encoder_config={"model_type": "not-in-transformers"})
    with pytest.raises(ValueError, match="only encoders that transformers itself ships"):
        EmpathyConfig(encoder_config={"model_type": "empathy"})

    # As code that came with a checkpoint could have registered it.
    class OtherConfig(BertConfig):
        model_type = "other-bert"

    AutoConfig.register("other-bert", OtherConfig, exist_ok=True)
    for given in (OtherConfig(), {"model_type": "other-bert"}):
        with pytest.raises(ValueError, match="only encoders that transformers itself ships"):
            EmpathyConfig(encoder_config=given)
    # As an instance has it that was itself loaded with code of its own.
    with_code = BertConfig()
    with_code.auto_map = {"AutoModel": "evil--code.Model"}
    assert not getattr(EmpathyConfig(encoder_config=with_code).encoder_config, "auto_map", None)


def test_code_that_a_nested_encoder_names_is_not_run(tmp_path):
    model = saved(tmp_path)
    # Importing the module would leave a file.
    trace = tmp_path / "was-run"
    (tmp_path / "evil.py").write_text(f"open({str(trace)!r}, 'w')\nfrom transformers import BertModel as Evil\n")
    written = json.loads((tmp_path / "config.json").read_text())
    written["encoder_config"] |= {"auto_map": {"AutoModel": "evil.Evil", "AutoConfig": "evil.Evil"}}
    written["encoder_config"] |= {"trust_remote_code": True, "_name_or_path": str(tmp_path)}
    (tmp_path / "config.json").write_text(json.dumps(written))
    loaded = AutoModel.from_pretrained(tmp_path, trust_remote_code=True)
    assert torch.equal(loaded(**posts("bert")).empathy_logits, model(**posts("bert")).empathy_logits)
    assert not trace.exists()


REGISTERED = {
    "the configuration": (
        "from modeling_empathy import EmpathyConfig; from transformers import AutoConfig",
        "type(AutoConfig.for_model('empathy')) is EmpathyConfig",
    ),
    "the model": (
        "from modeling_empathy import EmpathyConfig, EmpathyModel; from transformers import AutoModel",
        "AutoModel._model_mapping[EmpathyConfig] is EmpathyModel",
    ),
    "the pipeline": (
        "from modeling_empathy import EmpathyPipeline; from transformers import pipelines",
        "pipelines.PIPELINE_REGISTRY.check_task('empathy')[1]['impl'] is EmpathyPipeline",
    ),
    "transformers, then the engine": (
        "from transformers import AutoModel, pipelines; from modeling_empathy import ScoringEngine",
        "pipelines.PIPELINE_REGISTRY.check_task('empathy')[1]['pt'] == (AutoModel,)",
    ),
    "a name by attribute": (
        "import modeling_empathy; from transformers import AutoConfig; modeling_empathy.EmpathyModel",
        "type(AutoConfig.for_model('empathy')) is modeling_empathy.EmpathyConfig",
    ),
}


@pytest.mark.slow
@pytest.mark.parametrize("order", REGISTERED)
def test_whichever_name_is_imported_first_the_classes_are_registered(order):
    imports, holds = REGISTERED[order]
    script = f"import sys; {imports}\nassert {holds}\nassert 'transformers.trainer' not in sys.modules"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, env={**os.environ})
    assert done.returncode == 0, done.stderr
    assert "already registered" not in done.stderr


@pytest.mark.slow
@pytest.mark.parametrize("imports", ["import modeling_empathy", "from modeling_empathy import LEVELS, MECHANISMS"])
def test_what_needs_no_model_waits_for_none(imports):
    script = f"import sys; {imports}\nassert not {{'torch', 'transformers'}} & set(sys.modules)"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, env={**os.environ})
    assert done.returncode == 0, done.stderr
