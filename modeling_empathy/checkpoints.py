"""Checkpoints with their tokenizers: loaded from a folder, the Hub or the original's files, and converted."""

from __future__ import annotations

import errno
from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from transformers import PreTrainedTokenizerBase

from .conversion import model_from_pth, model_to_state_dict
from .encoders import load_tokenizer
from .errors import InputError, first_line
from .files.whole_files import whole_file, whole_folder
from .joining import join_models
from .model.mechanisms import ABBREVIATIONS
from .model.modeling_empathy import EmpathyModel
from .model.pipeline_empathy import own_tokenizer
from .original_names import PICKLES, checkpoint_folder
from .packed_checkpoint import DELTAS, load_packed


ORIGINAL_ENCODER = "roberta-base"
ROBERTA_VOCABULARY = 50265


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


def convert_files(paths: Mapping[str, Path], output_path: Path, tokenizer: str | None = None, **options: Any) -> str:
    """Converts the original's files into one checkpoint, with the tokenizer that the original read text with.

    Args:
        paths: Mechanism to `.pth`.
        output_path: The checkpoint's folder.
        tokenizer: Name or folder, or `"none"`. When left out roberta-base's, if the vocabulary has its size.
        **options: As in [`~modeling_empathy.conversion.model_from_pth`].

    Returns:
        What was converted, in a few lines.

    Raises:
        InputError: Where a file can't be converted; then nothing is written.
    """
    models = [model_from_pth(path, mechanism, **options) for mechanism, path in paths.items()]
    model = join_models(models)
    sizes = model.config.encoder_config
    if tokenizer is None and sizes.vocab_size == ROBERTA_VOCABULARY:
        tokenizer = ORIGINAL_ENCODER
    own = None if tokenizer in (None, "none") else load_tokenizer(str(tokenizer), as_original=True)
    if own is not None and len(own) > sizes.vocab_size:
        raise InputError(
            f"The tokenizer {tokenizer!r} has {len(own)} tokens and the encoders {sizes.vocab_size}: name the one "
            "that the model was trained with, or 'none'."
        )
    with whole_folder(output_path) as folder:
        model.save_pretrained(folder)
        if own is not None:
            own.save_pretrained(folder)
    lines = [
        f"Converted {', '.join(paths)}: {sizes.num_hidden_layers} layers, hidden size {sizes.hidden_size}, "
        f"{sizes.num_attention_heads} heads, vocabulary {sizes.vocab_size}, posts padded to "
        f"{model.config.max_post_length} tokens."
    ]
    if len(models) > 1:
        lines.append("Their seeker encoders are equal: it is stored once and shared.")
    if own is None:
        lines.append(
            "No tokenizer was saved: save the encoder's in the folder before scoring text, or use --tokenizer."
        )
    return "\n".join([*lines, f"The checkpoint is in {output_path}"])


def convert_back(model: str, output_path: Path) -> str:
    """Writes a checkpoint as the original's files, one for each mechanism.

    Args:
        model: The checkpoint.
        output_path: The `.pth`; for several mechanisms, `x.pth` stands for `x_ER.pth`, `x_IP.pth`, `x_EX.pth`.

    Returns:
        What was written, in a few lines.

    Raises:
        InputError: If the original's class can't compute what the model does; then nothing is written.
    """
    loaded = load_model(model)
    mechanisms = loaded.config.mechanisms
    lines = ["The original loads these with torch.load and load_state_dict:"]
    with ExitStack() as stack:
        for mechanism in mechanisms:
            ending = f"_{ABBREVIATIONS[mechanism]}" if len(mechanisms) > 1 else ""
            path = output_path.with_name(f"{output_path.stem}{ending}{output_path.suffix or '.pth'}")
            weights, temporary = model_to_state_dict(loaded, mechanism), stack.enter_context(whole_file(path))
            try:
                torch.save(weights, temporary)
            except RuntimeError as error:  # which is how it says that the disk is full
                raise OSError(
                    errno.EIO, f"can't be written, is the disk full? ({first_line(error)})", str(path)
                ) from None
            lines.append(f"{mechanism}: {path}")
    return "\n".join(lines)


def _source(name: str) -> str:
    """What `from_pretrained` takes: the folder that is meant, or a name on the Hub."""
    folder = checkpoint_folder(name)
    if folder.is_dir():
        return str(folder)
    if Path(name).suffix in PICKLES or Path(name).is_absolute() or name.count("/") != 1:
        raise InputError(f"{name}: there is no such file or folder.")
    return name
