"""A run that goes on from a checkpoint ends, to the bit, where it would have ended without the interruption."""

import json
import shutil
from pathlib import Path

import pytest
from transformers import AutoModel, set_seed

from dataset_scripts.epitome import load_epitome
from modeling_empathy.training.one_model import train_one_model
from modeling_empathy.training.parsing import parse_arguments
from tests.csv_files import write_corpus
from tests.tiny_models import tiny_encoder_config
from tests.tokenizers_for_tests import wordpiece_tokenizer


pytestmark = pytest.mark.slow

BY_EPOCH = {"save_strategy": "epoch", "eval_strategy": "epoch"}
BY_STEP = {"save_strategy": "steps", "save_steps": 2, "eval_strategy": "steps", "eval_steps": 2}


@pytest.fixture(scope="module")
def inputs(tmp_path_factory) -> dict[str, str]:
    """A tiny encoder with its tokenizer, and a corpus whose posts differ in length."""
    folder = tmp_path_factory.mktemp("inputs")
    set_seed(0)
    AutoModel.from_config(tiny_encoder_config("bert")).save_pretrained(folder / "encoder")
    tokenizer = wordpiece_tokenizer()
    tokenizer.model_max_length = 128
    tokenizer.save_pretrained(folder / "encoder")
    (folder / "csv").mkdir()
    write_corpus(folder / "csv", pairs=40)
    for path in (folder / "csv").iterdir():
        lines = path.read_text().splitlines()
        path.write_text(
            "\n".join(
                line.replace("I feel low", "I feel low" + " and low" * (number % 7))
                for number, line in enumerate(lines)
            )
        )
    return {"encoder": str(folder / "encoder"), "data_dir": str(folder / "csv")}


def run(inputs: dict[str, str], output_dir: Path, **options: object) -> None:
    values = {
        **inputs,
        "output_dir": output_dir,
        "num_train_epochs": 2,
        "per_device_train_batch_size": 8,
        "learning_rate": 1e-3,
        "head_learning_rate": 1e-2,
        "disable_tqdm": True,
        "use_cpu": True,
        "measured_rationales": 0,
        "save_total_limit": 99,
        "logging_steps": 1,
        "auto_bf16": False,
        "load_best_model_at_end": False,
        **options,
    }
    arguments = parse_arguments([part for name, value in values.items() for part in (f"--{name}", str(value))])
    train_one_model(load_epitome(data_dir=arguments[1].data_dir), *arguments)


def results(folder: Path) -> dict[str, object]:
    """What came of a run, to the bit; without times and the folder's own name."""
    record = json.loads((folder / "metrics.json").read_text())
    for metrics in record["metrics"].values():
        for name in list(metrics):
            if name.endswith(("runtime", "per_second")):
                del metrics[name]
    del record["arguments"]
    files = ("model.safetensors", "config.json", "test_predictions.parquet")
    return {"metrics.json": record, **{name: (folder / name).read_bytes() for name in files}}


CASES = {
    "epochs": BY_EPOCH,
    "steps": BY_STEP,
    "epochs in bf16": BY_EPOCH | {"bf16": True},
    "steps in bf16": BY_STEP | {"bf16": True},
    # The checkpoint that ends an epoch is saved before its evaluation, which a resumed run does not repeat.
    "accumulated": BY_STEP | {"gradient_accumulation_steps": 2, "save_steps": 1, "eval_strategy": "epoch"},
    "the best one": BY_STEP | {"load_best_model_at_end": True, "measured_rationales": 2},
    "in random order": BY_STEP | {"train_sampling_strategy": "random", "freeze_seeker_encoder": False},
    "with workers": BY_STEP | {"dataloader_num_workers": 1},
    "half an epoch": BY_STEP | {"num_train_epochs": 1.5},
}


@pytest.mark.parametrize("options", CASES.values(), ids=CASES)
def test_resuming_from_every_checkpoint_ends_at_the_same_bits(inputs, tmp_path, options):
    run(inputs, tmp_path / "whole", **options)
    expected = results(tmp_path / "whole")
    checkpoints = sorted((tmp_path / "whole").glob("checkpoint-*"), key=lambda path: int(path.name.split("-")[1]))
    assert len(checkpoints) >= 2
    for checkpoint in checkpoints:
        folder = tmp_path / f"from {checkpoint.name}"
        # All that there was when the run was cut off.
        for other in checkpoints[: checkpoints.index(checkpoint) + 1]:
            shutil.copytree(other, folder / other.name)
        run(inputs, folder, **options, resume_from_checkpoint="last")
        resumed = results(folder)
        assert [name for name in expected if resumed[name] != expected[name]] == [], checkpoint.name
