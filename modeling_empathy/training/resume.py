"""Which checkpoint a run goes on from: one that was written to its end, and is of such a run."""

from __future__ import annotations

import json
import re
import shutil
import zipfile
from collections.abc import Iterable, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from safetensors import SafetensorError, safe_open
from transformers import TrainerState
from transformers.trainer import OPTIMIZER_NAME, SCHEDULER_NAME, TRAINER_STATE_NAME
from transformers.utils import SAFE_WEIGHTS_NAME, logging

from ..encoders import name_on_hub
from ..errors import InputError
from ..model.modeling_empathy import EmpathyModel
from .arguments import BESIDE_A_CORPUS, DataArguments, EmpathyTrainingArguments, ModelArguments


logger = logging.get_logger(__name__)

LAST = "last"

_ARGUMENTS = "arguments.json"
_DECISIVE = (
    *("source", "max_length", "unannotated", "train_on_everything", "development", "salt"),
    *BESIDE_A_CORPUS,
    *("seed", "data_seed", "learning_rate", "head_learning_rate", "weight_decay", "warmup_steps", "max_grad_norm"),
    *("lr_scheduler_type", "optim", "adam_beta1", "adam_beta2", "adam_epsilon", "train_sampling_strategy"),
    *("per_device_train_batch_size", "gradient_accumulation_steps", "bf16", "fp16"),
)


def checkpoint_to_resume(args: EmpathyTrainingArguments) -> Path | None:
    """The checkpoint that a run shall go on from: the one that is named, or with `last` the newest whole one.

    Raises:
        InputError: If there is none, it is damaged, or the best one, which the run shall end with, is not there.
    """
    named = args.resume_from_checkpoint
    if not named:
        return None
    if named == LAST:
        checkpoint = last_whole_checkpoint(Path(args.output_dir))
        if checkpoint is None:
            raise InputError(
                f"--resume_from_checkpoint last: there is no whole checkpoint in {args.output_dir!r}; leave "
                "it out to start anew."
            )
    else:
        checkpoint = Path(named)
        fault = fault_of(checkpoint)
        if fault is not None:
            raise InputError(f"--resume_from_checkpoint {named}: {fault}.")
    if args.load_best_model_at_end:
        best_before(checkpoint)
    return checkpoint


def last_whole_checkpoint(output_dir: Path) -> Path | None:
    """The newest checkpoint in a run's folder that can be gone on from; says of newer ones why they can't."""
    for folder in _checkpoints(output_dir):
        fault = fault_of(folder)
        if fault is None:
            return folder
        logger.warning_once(f"{folder} is passed over: {fault}.")
    return None


def remove_unfinished(output_dir: Path) -> None:
    """Removes what was being written when a process died: the Trainer would count it among those that it keeps."""
    for folder in _checkpoints(output_dir):
        if _state_of(folder) is None:
            shutil.rmtree(folder, ignore_errors=True)


def fault_of(checkpoint: Path) -> str | None:
    """Why a run can't go on from a checkpoint, as far as that shows without reading all of it; None if it can."""
    if not checkpoint.is_dir():
        return "there is no such folder"
    # The Trainer writes it last: where it can be read, the rest was written too.
    if _state_of(checkpoint) is None:
        return f"it was not written to its end ({TRAINER_STATE_NAME} is missing or damaged)"
    # Of FSDP and DeepSpeed, in folders of their own.
    is_sharded = any(path.is_dir() for path in checkpoint.iterdir())
    for pattern in () if is_sharded else ("model*.safetensors", OPTIMIZER_NAME, SCHEDULER_NAME, "rng_state*.pth"):
        paths = list(checkpoint.glob(pattern))
        if not paths:
            return f"{pattern} is missing"
        damaged = [path.name for path in paths if not _is_whole(path)]
        if damaged:
            return f"{', '.join(damaged)}: cut off or damaged"
    return None


def best_before(checkpoint: Path) -> Path | None:
    """The best checkpoint up to another one of the same run; None if none was evaluated.

    Raises:
        InputError: If it is not there any more.
    """
    state = _state_of(checkpoint)
    if state is None or not state.best_global_step:
        return None
    # Beside it first: the folder of the run may have been moved since its path was written down.
    beside = checkpoint.with_name(f"checkpoint-{state.best_global_step}")
    for folder in (beside, Path(state.best_model_checkpoint or beside)):
        if _is_whole(folder / SAFE_WEIGHTS_NAME) or _has_shards(folder):
            return folder
    raise InputError(
        f"{checkpoint}: the best checkpoint before it, {beside.name}, is not beside it, and the run shall end with "
        "the best: put it back, or add --load_best_model_at_end false to end with the last."
    )


def check_is_of(checkpoint: Path, model: EmpathyModel) -> None:
    """Raises an `InputError` if a checkpoint is of another model; the Trainer would load what fits and go on."""
    path = checkpoint / SAFE_WEIGHTS_NAME
    if not path.is_file():
        return  # In shards, which are checked where they are loaded.
    with safe_open(path, framework="pt") as weights:
        shapes = {name: tuple(weights.get_slice(name).get_shape()) for name in weights.keys()}  # noqa: SIM118
    expected = {name: tuple(weight.shape) for name, weight in model.state_dict().items()}
    other = sorted(name for name in shapes.keys() | expected.keys() if shapes.get(name) != expected.get(name))
    if other:
        raise InputError(
            f"--resume_from_checkpoint: {checkpoint} is of another model ({len(other)} weights differ, {other[0]} "
            "among them): give the arguments of the run that it is of."
        )


def decisive_arguments(
    model_args: ModelArguments, data_args: DataArguments, training_args: EmpathyTrainingArguments
) -> dict[str, Any]:
    """The arguments that decide where a run goes; how long it goes on and how it is watched is none of them."""
    values = {**asdict(data_args), **training_args.to_dict()}
    chosen = {**asdict(model_args), **{name: values[name] for name in _DECISIVE}}
    # The same folder has many names, and may have been moved.
    chosen["encoder"] = name_on_hub(model_args.encoder)
    # As JSON gives them back.
    decisive: dict[str, Any] = json.loads(json.dumps(chosen, default=str))
    return decisive


def write_arguments(checkpoint: Path, arguments: Mapping[str, Any]) -> None:
    """Writes down of which run a checkpoint is."""
    checkpoint.mkdir(parents=True, exist_ok=True)
    (checkpoint / _ARGUMENTS).write_text(json.dumps(dict(arguments), indent=2) + "\n", encoding="utf-8")


def check_same_run(checkpoint: Path, arguments: Mapping[str, Any]) -> None:
    """Raises an `InputError` if a checkpoint is of a run with other arguments.

    The Trainer would go on with some of that run's, as its learning rate, and some of this one's, and the record would
    be of neither. A checkpoint that does not say of which run it is passes.
    """
    try:
        theirs = dict(json.loads((checkpoint / _ARGUMENTS).read_text(encoding="utf-8")))
    except FileNotFoundError:
        return
    except (OSError, ValueError, TypeError):
        raise InputError(f"--resume_from_checkpoint: {checkpoint / _ARGUMENTS} can't be read.") from None
    other = [name for name in arguments if name in theirs and theirs[name] != arguments[name]]
    if other:
        raise InputError(
            f"--resume_from_checkpoint: {checkpoint} is of a run with "
            + ", ".join(f"{name}={theirs[name]!r} (here {arguments[name]!r})" for name in other)
            + ": give the arguments of that run, or start anew in another folder."
        )


def _checkpoints(output_dir: Path) -> Iterable[Path]:
    """The folders of checkpoints, the newest first."""
    steps = {path: re.fullmatch(r"checkpoint-(\d+)", path.name) for path in output_dir.glob("checkpoint-*")}
    found = [(int(step[1]), path) for path, step in steps.items() if step and path.is_dir()]
    return [path for _, path in sorted(found, reverse=True)]


def _state_of(checkpoint: Path) -> TrainerState | None:
    try:
        return TrainerState.load_from_json(str(checkpoint / TRAINER_STATE_NAME))
    # Missing, cut off, or JSON of something else.
    except (OSError, ValueError, TypeError, AttributeError, KeyError):
        return None


def _has_shards(folder: Path) -> bool:
    return folder.is_dir() and any(path.is_dir() or path.name.endswith(".index.json") for path in folder.iterdir())


def _is_whole(path: Path) -> bool:
    """Whether a file has its beginning and its end."""
    if path.suffix != ".safetensors":
        return zipfile.is_zipfile(path)  # as `torch.save` writes them
    try:
        # It compares the size of the file with what its header says.
        with safe_open(path, framework="pt"):
            return True
    except (OSError, SafetensorError):
        return False
