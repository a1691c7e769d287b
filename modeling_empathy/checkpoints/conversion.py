"""Turns the original's files into a checkpoint, and a checkpoint into the original's files."""

from __future__ import annotations

import errno
from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import torch

from ..encoders import load_tokenizer
from ..errors import InputError, first_line
from ..files.whole_files import whole_file, whole_folder
from ..model.mechanisms import ABBREVIATIONS
from .joined_models import join_models
from .loading import ORIGINAL_ENCODER, load_model
from .original_pth import model_from_pth, model_to_state_dict


ROBERTA_VOCABULARY = 50265


def convert_files(paths: Mapping[str, Path], output_path: Path, tokenizer: str | None = None, **options: Any) -> str:
    """Converts the original's files into one checkpoint, with the tokenizer that the original read text with.

    Args:
        paths: Mechanism to `.pth`.
        output_path: The checkpoint's folder.
        tokenizer: Name or folder, or `"none"`. When left out roberta-base's, if the vocabulary has its size.
        **options: As in [`~modeling_empathy.checkpoints.original_pth.model_from_pth`].

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
