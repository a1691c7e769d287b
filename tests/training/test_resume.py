"""A run that goes on from a checkpoint ends, to the bit, where it would have ended without the interruption."""

import json
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from dataset_scripts.epitome import load_epitome
from modeling_empathy.errors import InputError
from modeling_empathy.training.arguments import EmpathyTrainingArguments
from modeling_empathy.training.one_model import train_one_model
from modeling_empathy.training.parsing import parse_arguments
from modeling_empathy.training.resume import checkpoint_to_resume, fault_of
from modeling_empathy.training.run import check_run
from modeling_empathy.training.trainer import EmpathyTrainer
from tests.csv_files import write_corpus
from tests.tiny_models import save_tiny_encoder


pytestmark = pytest.mark.slow

BY_EPOCH = {"save_strategy": "epoch", "eval_strategy": "epoch"}
BY_STEP = {"save_strategy": "steps", "save_steps": 2, "eval_strategy": "steps", "eval_steps": 2}


@pytest.fixture(scope="module")
def inputs(tmp_path_factory) -> dict[str, str]:
    """A tiny encoder with its tokenizer, and a corpus whose posts differ in length."""
    folder = tmp_path_factory.mktemp("inputs")
    save_tiny_encoder(folder / "encoder")
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


def argv_of(inputs: dict[str, str], output_dir: Path, **options: object) -> list[str]:
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
    return [part for name, value in values.items() for part in (f"--{name}", str(value))]


def run(inputs: dict[str, str], output_dir: Path, **options: object) -> None:
    arguments = parse_arguments(argv_of(inputs, output_dir, **options))
    check_run(*arguments)
    train_one_model(load_epitome(data_dir=arguments[1].data_dir), *arguments)


def checkpoints_in(folder: Path) -> list[Path]:
    return sorted(folder.glob("checkpoint-*"), key=lambda path: int(path.name.split("-")[1]))


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
    # Elsewhere than a checkpoint says that the best one is.
    (tmp_path / "whole").rename(tmp_path / "moved")
    checkpoints = checkpoints_in(tmp_path / "moved")
    assert len(checkpoints) >= 2
    for checkpoint in checkpoints:
        folder = tmp_path / f"from {checkpoint.name}"
        # All that there was when the run was cut off.
        for other in checkpoints[: checkpoints.index(checkpoint) + 1]:
            shutil.copytree(other, folder / other.name)
        run(inputs, folder, **options, resume_from_checkpoint="last")
        resumed = results(folder)
        assert [name for name in expected if resumed[name] != expected[name]] == [], checkpoint.name


@pytest.fixture(scope="module")
def finished(inputs, tmp_path_factory) -> Path:
    """The folder of a run with a checkpoint of each of two epochs, which ended with the better one."""
    folder = tmp_path_factory.mktemp("finished") / "out"
    run(inputs, folder, **BY_EPOCH, load_best_model_at_end=True)
    assert len(checkpoints_in(folder)) == 2
    return folder


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-20])


DAMAGES = {
    "trainer_state.json": Path.unlink,
    "trainer_state.json cut": cut,
    "trainer_state.json of something else": lambda path: path.write_text("[]"),
    "model.safetensors": Path.unlink,
    "model.safetensors cut": cut,
    "optimizer.pt": Path.unlink,
    "optimizer.pt cut": lambda path: path.write_bytes(path.read_bytes()[:100]),
    "scheduler.pt": Path.unlink,
    "scheduler.pt empty": lambda path: path.write_bytes(b""),
    "rng_state.pth": Path.unlink,
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_checkpoint_is_passed_over_and_by_its_name_refused(finished, tmp_path, damage):
    folder = tmp_path / "out"
    shutil.copytree(finished, folder)
    older, newer = checkpoints_in(folder)
    DAMAGES[damage](newer / damage.split()[0])
    arguments = {"output_dir": str(folder), "load_best_model_at_end": False, "use_cpu": True}
    assert checkpoint_to_resume(EmpathyTrainingArguments(**arguments, resume_from_checkpoint="last")) == older
    named = EmpathyTrainingArguments(**arguments, resume_from_checkpoint=str(newer))
    with pytest.raises(InputError, match=rf"{newer.name}: .*{damage.split()[0].partition('.')[0]}"):
        checkpoint_to_resume(named)
    DAMAGES[damage](older / damage.split()[0])
    with pytest.raises(InputError, match="there is no whole checkpoint in"):
        checkpoint_to_resume(EmpathyTrainingArguments(**arguments, resume_from_checkpoint="last"))


def test_a_run_that_shall_end_with_the_best_checkpoint_needs_it(inputs, finished, tmp_path):
    newest = tmp_path / "out" / checkpoints_in(finished)[1].name
    shutil.copytree(checkpoints_in(finished)[1], newest)
    state = json.loads((newest / "trainer_state.json").read_text())
    state |= {"best_global_step": 1, "best_model_checkpoint": str(tmp_path / "gone" / "checkpoint-1")}
    (newest / "trainer_state.json").write_text(json.dumps(state))
    with pytest.raises(InputError, match=r"checkpoint-1, is not beside it"):
        run(inputs, tmp_path / "out", **BY_EPOCH, load_best_model_at_end=True, resume_from_checkpoint="last")


@pytest.mark.parametrize(
    "damage",
    [
        # Bytes in the middle, which nothing that is cheap shows.
        ("optimizer.pt", lambda path: path.write_bytes(path.read_bytes().replace(b"param_groups", b"param_grouqs"))),
        # A pickle that would run something is not run.
        ("rng_state.pth", lambda path: torch.save({"python": Opener(path.with_name("opened"))}, path)),
        ("optimizer.pt", lambda path: torch.save({"state": {}, "param_groups": []}, path)),
    ],
    ids=["a flipped name", "a pickle that runs something", "of another model"],
)
def test_a_checkpoint_that_turns_out_to_be_damaged_is_named(inputs, finished, tmp_path, damage):
    folder = tmp_path / "out"
    shutil.copytree(finished, folder)
    older, newer = checkpoints_in(folder)
    shutil.rmtree(newer)
    name, spoil = damage
    spoil(older / name)
    with pytest.raises(InputError, match=rf"{older.name} can't be read"):
        run(inputs, folder, **BY_EPOCH, resume_from_checkpoint=older)
    assert not (older / "opened").exists()


class Opener:
    """Pickled, it opens a file for whoever unpickles it."""

    def __init__(self, path: Path) -> None:
        self.path = str(path)

    def __reduce__(self):
        return open, (self.path, "w")


def test_a_checkpoint_of_a_run_with_other_arguments_is_refused(inputs, finished, tmp_path):
    checkpoint = checkpoints_in(finished)[0]
    other = {"seed": 13, "lr": 1e-4, "unannotated": "none", "level_smoothing": 0.2}
    with pytest.raises(InputError) as refused:
        run(inputs, tmp_path / "out", **BY_EPOCH, resume_from_checkpoint=checkpoint, **other)
    for name in ("seed=12 (here 13)", "learning_rate=0.001 (here 0.0001)", "unannotated=", "level_smoothing=0.1"):
        assert name in str(refused.value)
    shutil.copytree(checkpoint, tmp_path / checkpoint.name)
    (tmp_path / checkpoint.name / "arguments.json").write_text("[")
    with pytest.raises(InputError, match=r"arguments.json can't be read"):
        run(inputs, tmp_path / "out", **BY_EPOCH, resume_from_checkpoint=tmp_path / checkpoint.name)


def test_a_checkpoint_of_another_model_is_refused(inputs, finished, tmp_path):
    checkpoint = tmp_path / checkpoints_in(finished)[0].name
    shutil.copytree(checkpoints_in(finished)[0], checkpoint)
    (checkpoint / "arguments.json").unlink()  # as of an earlier version
    with pytest.raises(InputError, match=rf"{checkpoint.name} is of another model .*mechanism_heads"):
        run(inputs, tmp_path / "out", **BY_EPOCH, resume_from_checkpoint=checkpoint, level_pooling="first_token")
    with pytest.raises(InputError, match="separate models go on with 'last' alone"):
        run(inputs, tmp_path / "out", resume_from_checkpoint=checkpoint, separate_models=True)


def test_a_full_disk_leaves_no_part_of_a_checkpoint(inputs, tmp_path, monkeypatch):
    def full(*args, **kwargs):
        raise RuntimeError("PytorchStreamWriter failed writing file data/0: file write failed")

    monkeypatch.setattr(EmpathyTrainer, "_save_rng_state", full)
    with pytest.raises(InputError, match=r"checkpoint-\d+ can't be written: PytorchStreamWriter"):
        run(inputs, tmp_path / "out", **BY_EPOCH)
    assert checkpoints_in(tmp_path / "out") == []


# Sends a signal to itself while it writes its second checkpoint, between the weights and the optimizer.
STOPPED_AT_THE_SECOND = """
import os, signal, sys
from modeling_empathy.training.trainer import EmpathyTrainer
from modeling_empathy.cli.train import main

number = int(sys.argv.pop(1))
# What starts the tests may ignore signals, as nohup and a shell's & do, and its processes inherit that.
signal.signal(signal.SIGHUP, signal.SIG_DFL)
signal.signal(signal.SIGINT, signal.default_int_handler)
save, saved = EmpathyTrainer._save_optimizer_and_scheduler, []

def stopped(self, output_dir):
    saved.append(output_dir)
    if len(saved) == 2:
        os.kill(os.getpid(), number)
    save(self, output_dir)

EmpathyTrainer._save_optimizer_and_scheduler = stopped
main()
"""


@pytest.mark.skipif(sys.platform == "win32", reason="signals of Unix")
@pytest.mark.parametrize("name", ["SIGTERM", "SIGHUP", "SIGINT", "SIGKILL"])
def test_a_run_that_is_stopped_while_it_saves_goes_on_to_the_same_bits(inputs, finished, tmp_path, name):
    number = getattr(signal, name)
    folder, options = tmp_path / "out", {**BY_EPOCH, "load_best_model_at_end": True}
    command = [sys.executable, "-c", STOPPED_AT_THE_SECOND, str(int(number)), *argv_of(inputs, folder, **options)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, cwd=Path(__file__).parents[2])
    names = [path.name for path in checkpoints_in(folder)]
    if number == signal.SIGKILL:
        assert done.returncode == -number and len(names) == 2
    else:
        assert done.returncode == 128 + number, done.stderr
        [line] = [line for line in done.stderr.splitlines() if "interrupted" in line]
        assert "train_hf.py: interrupted; the same command with --resume_from_checkpoint last goes on" in line
        assert "Traceback" not in done.stderr
        assert sorted(path.name for path in folder.iterdir()) == names and len(names) == 1
    run(inputs, folder, **options, resume_from_checkpoint="last")
    assert results(folder) == results(finished)
    assert [path.name for path in checkpoints_in(folder)] == [path.name for path in checkpoints_in(finished)]
    assert all(fault_of(path) is None for path in checkpoints_in(folder))


def test_an_evaluation_that_is_not_possible_is_refused_before_training(inputs, tmp_path):
    with pytest.raises(InputError, match="--metric_for_best_model f1: there is no such metric; choose one of loss,"):
        run(inputs, tmp_path / "out", metric_for_best_model="f1", load_best_model_at_end=True)
    with pytest.raises(InputError, match="--eval_strategy steps: there is no validation split"):
        arguments = parse_arguments(argv_of(inputs, tmp_path / "out", **BY_STEP))
        corpus = load_epitome(data_dir=inputs["data_dir"])
        del corpus["validation"]
        train_one_model(corpus, *arguments)
    assert not (tmp_path / "out").exists()
