"""Checkpoints with their tokenizers, loaded from a folder, the Hub or the original's files."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import torch
from transformers import PreTrainedTokenizerBase

from ..encoders import EMBEDDED, load_tokenizer
from ..errors import InputError, first_line
from ..model.configuration_empathy import EmpathyConfig
from ..model.modeling_empathy import EmpathyModel
from ..model.pipeline_empathy import check_vocabulary, own_tokenizer
from ..original_names import PICKLES, checkpoint_folder
from .deltas import PRETRAINED, is_packed, load_packed
from .original_pth import model_from_pth


ORIGINAL_ENCODER = "roberta-base"

# Keywords of `from_pretrained` that are about the weights, and that a tokenizer does not take.
_OF_WEIGHTS = ("dtype", "device_map", "attn_implementation")


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
        model = model_from_pth(Path(name), mechanism)
        return model, named_tokenizer(tokenizer or ORIGINAL_ENCODER, model.config)
    model = load_model(name)
    if tokenizer is not None:
        return model, named_tokenizer(tokenizer, model.config)
    try:
        return model, checkpoint_tokenizer(_source(name), model.config)
    # Of every class: the library in Rust, for one, raises no other of its own.
    except Exception as error:
        raise InputError(
            f"{name!r} has no tokenizer that could be loaded ({first_line(error)}): save the encoder's into it, or "
            "name one with --tokenizer."
        ) from None


def load_model(name: str) -> EmpathyModel:
    """Loads a model from a folder (whole or packed) or the Hub, in evaluation mode; see [`load_checkpoint`]."""
    source = _source(name)
    try:
        return _model(source)
    except InputError:  # of a packed one, and written for the user already
        raise
    # Of every class, by where transformers stumbles over what is damaged.
    except Exception as error:
        hint = "" if Path(source).is_dir() else " (if it is private: log in with `hf auth login`, or set HF_TOKEN)"
        raise InputError(f"No model can be loaded from {source!r}: {first_line(error)}{hint}") from None


def load_pretrained(
    name: str | os.PathLike[str] | None, **kwargs: Any
) -> tuple[EmpathyModel, PreTrainedTokenizerBase]:
    """Loads a checkpoint with its tokenizer as `from_pretrained` does, errors included, and a packed one as well.

    Args:
        name: A folder of a whole or of a packed checkpoint, or a repository on the Hub; None for the model that is
            part of the package.
        **kwargs: Those of `from_pretrained` (`revision`, `token`, `cache_dir`, `local_files_only`, `subfolder`,
            `dtype`, `device_map`, `attn_implementation`). For a packed checkpoint `dtype` alone, a `torch.dtype` or
            its name.

    Raises:
        InputError: If a packed checkpoint can't be loaded, or not with these keywords.
        OSError: If there is no whole checkpoint; this and other errors are those of `from_pretrained`.
    """
    name = PRETRAINED if name is None else name
    model = _model(name, **kwargs)
    tokenizer_options = {key: value for key, value in kwargs.items() if key not in _OF_WEIGHTS}
    return model, checkpoint_tokenizer(name, model.config, **tokenizer_options)


def checkpoint_tokenizer(
    source: str | os.PathLike[str], config: EmpathyConfig, **kwargs: Any
) -> PreTrainedTokenizerBase:
    """The tokenizer of a whole or packed checkpoint: a folder, or a name on the Hub."""
    return load_tokenizer(EMBEDDED) if is_packed(source) else own_tokenizer(source, config, **kwargs)


def named_tokenizer(name: str, config: EmpathyConfig) -> PreTrainedTokenizerBase:
    """The tokenizer that a user names for a model.

    Raises:
        InputError: If it can't be loaded, or has more tokens than the encoder.
    """
    # Only models converted from the original see padding, and they know lower-cased text alone.
    tokenizer = load_tokenizer(name, as_original=config.attend_to_padding)
    try:
        check_vocabulary(tokenizer, config)
    except ValueError as error:
        raise InputError(f"The tokenizer {name!r} is none of this model: {error}.") from None
    return tokenizer


def resolve_device(device: str | None) -> torch.device:
    """The device of that name, or without one a GPU if there is one.

    Raises:
        InputError: If there is no such device.
    """
    try:
        resolved = torch.device(device or ("cuda" if torch.cuda.is_available() else "cpu"))
        # A name that torch knows may be of a device that is not here, which shows when something is put on it. On
        # "meta" everything can be put, and nothing is computed.
        torch.ones(1, device=resolved).item()
    # A build of torch without a kind of device raises an assertion; drivers raise what they like.
    except Exception as error:
        raise InputError(f"--device {device}: {first_line(error)}") from None
    return resolved


def _model(source: str | os.PathLike[str], **kwargs: Any) -> EmpathyModel:
    """The model of a whole or packed checkpoint, in evaluation mode."""
    if not is_packed(source):
        return EmpathyModel.from_pretrained(source, **kwargs)
    dtype = _dtype(kwargs.pop("dtype", None))
    # Refused and not passed over: a revision that is not loaded, or a device that is not used, would go unnoticed.
    unused = [key for key, value in kwargs.items() if value is not None]
    if unused:
        raise InputError(f"{source} is a packed checkpoint and is loaded without {', '.join(unused)}: leave it out.")
    return load_packed(Path(source)).to(dtype)


def _dtype(value: Any) -> torch.dtype:
    """What `dtype=` means for a packed checkpoint, which is put together in single precision."""
    if value in (None, "auto"):
        return torch.float32
    dtype = getattr(torch, value, None) if isinstance(value, str) else value
    if not isinstance(dtype, torch.dtype) or not dtype.is_floating_point:
        raise InputError(f"dtype={value!r}: name one of torch's types of floating point numbers, such as 'bfloat16'.")
    return dtype


def _source(name: str) -> str:
    """What `from_pretrained` takes: the folder that is meant, or a name on the Hub."""
    if not name.strip():
        raise InputError("The name of the model is empty: name a folder or a repository.")  # to Path, where we are
    folder = checkpoint_folder(name)
    if folder.is_dir():
        return str(folder)
    # On the Hub a name has an owner: what has none is a mistyped path, which no network need be asked for.
    if Path(name).suffix in PICKLES or Path(name).is_absolute() or name.count("/") != 1:
        raise InputError(f"{name}: there is no such file or folder.")
    return name
