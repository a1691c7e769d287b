"""Checkpoints with their tokenizers, loaded from a folder, the Hub or the original's files."""

from __future__ import annotations

from pathlib import Path

import torch
from safetensors import SafetensorError
from transformers import PreTrainedTokenizerBase

from ..encoders import load_tokenizer
from ..errors import InputError, first_line
from ..model.modeling_empathy import EmpathyModel
from ..model.pipeline_empathy import own_tokenizer
from ..original_names import PICKLES, checkpoint_folder
from .deltas import DELTAS, load_packed
from .original_pth import model_from_pth


ORIGINAL_ENCODER = "roberta-base"


def load_checkpoint(
    name: str, mechanism: str | None = None, tokenizer: str | None = None
) -> tuple[EmpathyModel, PreTrainedTokenizerBase]:
    """Loads a checkpoint for scoring.

    Args:
        name: A folder (of a whole or a packed checkpoint), a repository on the Hub, a `.pth` of the original (of
            roberta-base's shape; `empathy convert` takes others), or the `.pth` that a folder was asked for under
            (`output/x.pth` for `output/x`).
        mechanism: What a `.pth` was trained for, which the file does not say; not used for the others.
        tokenizer: Name or folder of the tokenizer; the checkpoint's own when left out, or roberta-base's for a `.pth`.

    Raises:
        InputError: If there is no such checkpoint, or no tokenizer in it.
    """
    if Path(name).is_file():
        if mechanism is None:
            raise InputError(
                f"{name} does not say which mechanism it is about: give it as --ER_model_path, --IP_model_path or "
                "--EX_model_path, or convert it first with `empathy convert`."
            )
        return model_from_pth(Path(name), mechanism), load_tokenizer(tokenizer or ORIGINAL_ENCODER, as_original=True)
    if Path(name, DELTAS).is_file():
        model, own = load_packed(Path(name))
        return model, own if tokenizer is None else load_tokenizer(tokenizer)
    model = load_model(name)
    if tokenizer is not None:
        return model, load_tokenizer(tokenizer, as_original=model.config.attend_to_padding)
    try:
        return model, own_tokenizer(_source(name), model.config)
    except (OSError, ValueError, KeyError, ImportError) as error:
        raise InputError(
            f"{name!r} has no tokenizer that could be loaded ({first_line(error)}): save the encoder's into it, or "
            "name one with --tokenizer."
        ) from None


def load_pretrained(name, **kwargs):  # type: ignore
    from .deltas import PRETRAINED

    name = PRETRAINED if name is None else name
    if Path(name, DELTAS).is_file():
        return load_packed(Path(name))
    model = EmpathyModel.from_pretrained(name, **kwargs)
    return model, own_tokenizer(name, model.config)


def load_model(name: str) -> EmpathyModel:
    """Loads a model from a folder or the Hub, in evaluation mode; see [`load_checkpoint`]."""
    try:
        return EmpathyModel.from_pretrained(_source(name)).eval()
    except (OSError, ValueError, RuntimeError, SafetensorError) as error:
        source = _source(name)
        hint = "" if Path(source).is_dir() else " (if it is private: log in with `hf auth login`, or set HF_TOKEN)"
        raise InputError(f"No model can be loaded from {source!r}: {first_line(error)}{hint}") from None


def resolve_device(device: str | None) -> torch.device:
    """The device of that name, or without one a GPU if there is one."""
    try:
        return torch.device(device or ("cuda" if torch.cuda.is_available() else "cpu"))
    except RuntimeError as error:
        raise InputError(f"--device {device}: {first_line(error)}") from None


def _source(name: str) -> str:
    """What `from_pretrained` takes: the folder that is meant, or a name on the Hub."""
    folder = checkpoint_folder(name)
    if folder.is_dir():
        return str(folder)
    if Path(name).suffix in PICKLES or Path(name).is_absolute() or name.count("/") != 1:
        raise InputError(f"{name}: there is no such file or folder.")
    return name
