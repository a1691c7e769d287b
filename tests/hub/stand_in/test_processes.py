"""Clients in processes of their own, which find the stand-in for the Hub by their environment."""

import io
import json
import textwrap
from pathlib import Path

import numpy
import pyarrow
import pyarrow.parquet
import pytest
from safetensors.numpy import save
from tokenizers import Tokenizer, models, pre_tokenizers

from tests.hub.stand_in.clients import ID, LARGE, files_of, run
from tests.hub.stand_in.repositories import FIRST_FILES


def parquet(values: list[int]) -> bytes:
    """A parquet file with one column."""
    file = io.BytesIO()
    pyarrow.parquet.write_table(pyarrow.table({"x": values}), file)
    return file.getvalue()


@pytest.mark.slow
def test_datasets_load_by_id(hub, tmp_path):
    card = """
        configs:
        - config_name: one
          data_files: one/*
        - config_name: two
          data_files:
          - {split: train, path: two/train-*}
          - {split: test, path: two/test-*}
    """
    files = {
        "README.md": f"---{textwrap.dedent(card)}---\n".encode(),
        "one/train-00000-of-00001.parquet": parquet([1, 2]),
        "two/train-00000-of-00001.parquet": parquet([3]),
        "two/test-00000-of-00001.parquet": parquet(list(range(1000))),
    }
    # Private, so that a request without the token would fail.
    hub.put("user/data", files, repo_type="dataset", private=True)
    script = """
        import json
        from datasets import get_dataset_config_names, load_dataset
        two = load_dataset("user/data", "two")
        streamed = load_dataset("user/data", "one", split="train", streaming=True)
        pushed = two["train"].push_to_hub("user/pushed", "again")
        again = load_dataset("user/pushed", "again", split="train")
        names = get_dataset_config_names("user/data")
        values = [two["train"]["x"][:], [row["x"] for row in streamed], again["x"][:]]
        print(json.dumps([names, len(two["test"]), values]))
    """
    assert run(script, hub, tmp_path, hub.token) == [["one", "two"], 1000, [[3], [1, 2], [3]]]
    assert hub.files("user/pushed", repo_type="dataset")["again/train-00000-of-00001.parquet"][:4] == b"PAR1"


MODEL_CODE = """
import torch
from transformers import Pipeline, PreTrainedConfig, PreTrainedModel
from transformers.modeling_outputs import BaseModelOutput


class OurConfig(PreTrainedConfig):
    model_type = "ours"
    size = 4


class OurModel(PreTrainedModel):
    config_class = OurConfig

    def __init__(self, config):
        super().__init__(config)
        self.layer = torch.nn.Embedding(3, config.size)
        self.post_init()

    def forward(self, input_ids, **_):
        return BaseModelOutput(last_hidden_state=self.layer(input_ids))


class OurPipeline(Pipeline):
    def _sanitize_parameters(self, **_):
        return {}, {}, {}

    def preprocess(self, text):
        return self.tokenizer(text, return_tensors="pt")

    def _forward(self, inputs):
        return self.model(**inputs)

    def postprocess(self, output):
        return output.last_hidden_state.sum().item()
"""


@pytest.mark.slow
def test_models_load_and_are_pushed_by_id(hub, tmp_path):
    tokenizer = Tokenizer(models.WordLevel({"[UNK]": 0, "hello": 1, "world": 2}, unk_token="[UNK]"))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    config = {
        "model_type": "ours",
        "architectures": ["OurModel"],
        "auto_map": {"AutoConfig": "code_of_ours.OurConfig", "AutoModel": "code_of_ours.OurModel"},
        "custom_pipelines": {"our-task": {"impl": "code_of_ours.OurPipeline", "pt": ["AutoModel"], "tf": []}},
    }
    files = {
        "README.md": b"---\npipeline_tag: our-task\n---\n",
        "code_of_ours.py": MODEL_CODE.encode(),
        "config.json": json.dumps(config).encode(),
        "model.safetensors": save({"layer.weight": numpy.ones((3, 4), dtype="float32")}, metadata={"format": "pt"}),
        "tokenizer.json": tokenizer.to_str().encode(),
        "tokenizer_config.json": b'{"tokenizer_class": "PreTrainedTokenizerFast", "unk_token": "[UNK]"}',
    }
    hub.put("user/model", files, private=True)
    script = """
        import json
        from huggingface_hub import hf_hub_download
        from transformers import AutoModel, AutoTokenizer, pipeline
        model = AutoModel.from_pretrained("user/model", trust_remote_code=True)
        tokenizer = AutoTokenizer.from_pretrained("user/model", trust_remote_code=True)
        score = pipeline(model="user/model", trust_remote_code=True)
        model.push_to_hub("user/pushed")
        tokenizer.push_to_hub("user/pushed", create_pr=True)
        config = json.load(open(hf_hub_download("user/pushed", "config.json")))
        ids = tokenizer("hello world").input_ids
        print(json.dumps([type(model).__name__, ids, score("hello"), config["model_type"]]))
    """
    assert run(script, hub, tmp_path, hub.token) == ["OurModel", [1, 2], 4.0, "ours"]
    assert hub.files("user/pushed")["model.safetensors"] == files["model.safetensors"]
    assert set(hub.files("user/pushed", "refs/pr/1")) - set(hub.files("user/pushed")) >= {"tokenizer.json"}


@pytest.mark.slow
def test_the_environment_is_a_new_users(hub, tmp_path, monkeypatch):
    # What may be set where the tests are run, and would lead elsewhere.
    monkeypatch.setenv("HF_TOKEN", "hf_someone")
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    hub.put(ID, LARGE)
    script = f"""
        import json
        from huggingface_hub import get_token, snapshot_download
        print(json.dumps([get_token(), snapshot_download("{ID}")]))
    """
    token, folder = run(script, hub, tmp_path, token=None)
    assert token is None
    assert files_of(folder) == LARGE | FIRST_FILES
    assert Path(folder).is_relative_to(tmp_path)
    assert not any(request.authorized for request in hub.requests)
