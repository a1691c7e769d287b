"""Turns the original's files into a checkpoint, and a checkpoint into the original's files."""

from __future__ import annotations

import errno
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from transformers import PreTrainedTokenizerBase

from ..encoders import load_tokenizer
from ..errors import InputError, first_line
from ..files.whole_files import whole_file, whole_folder
from ..model.configuration_empathy import EmpathyConfig
from ..model.mechanisms import ABBREVIATIONS
from ..original_names import PICKLES
from .joined_models import join_models
from .loading import ORIGINAL_ENCODER, load_model
from .original_pth import model_from_pth, model_to_state_dict


# Tokens of roberta-base. A `.pth` names no encoder, and by this number it is known.
ROBERTA_VOCABULARY = 50265


@dataclass(frozen=True)
class ConvertedCheckpoint:
    """What the original's files became.

    Attributes:
        folder: Where it lies.
        config: The model's; of several mechanisms, which then share their seeker encoder, or of one.
        has_tokenizer: Whether the folder holds a tokenizer too.
    """

    folder: Path
    config: EmpathyConfig
    has_tokenizer: bool


def convert_files(
    paths: Mapping[str, Path], output_path: Path, tokenizer: str | None = None, **options: Any
) -> ConvertedCheckpoint:
    """Converts the original's files into one checkpoint, with the tokenizer that the original read text with.

    Args:
        paths: Mechanism to `.pth`.
        output_path: The checkpoint's folder.
        tokenizer: Name or folder, or `"none"`. When left out roberta-base's, if the vocabulary has its size.
        **options: As in [`~modeling_empathy.checkpoints.original_pth.model_from_pth`].

    Raises:
        InputError: Where a file can't be converted; then nothing is written.
    """
    with whole_folder(output_path) as folder:
        models = [model_from_pth(path, mechanism, **options) for mechanism, path in paths.items()]
        model = join_models(models)
        original_tokenizer = _original_tokenizer(tokenizer, model.config.encoder_config.vocab_size)
        model.save_pretrained(folder)
        if original_tokenizer is not None:
            original_tokenizer.save_pretrained(folder)
    return ConvertedCheckpoint(output_path, model.config, has_tokenizer=original_tokenizer is not None)


def _original_tokenizer(name: str | None, vocab_size: int) -> PreTrainedTokenizerBase | None:
    """The tokenizer of [`convert_files`] for encoders of that vocabulary; none where it is unknown or not wanted."""
    if name is None and vocab_size == ROBERTA_VOCABULARY:
        name = ORIGINAL_ENCODER
    if name in (None, "none"):
        return None
    tokenizer = load_tokenizer(str(name), as_original=True)
    # More tokens than embeddings end in an index error at the first rare word; fewer are common, for padded matrices.
    if len(tokenizer) > vocab_size:
        raise InputError(
            f"The tokenizer {name!r} has {len(tokenizer)} tokens and the encoders {vocab_size}: "
            "name the one that the model was trained with, or 'none'."
        )
    return tokenizer


def convert_back(model: str, output_path: Path) -> dict[str, Path]:
    """Writes a checkpoint as the original's files, one for each mechanism.

    Args:
        model: The checkpoint, as in [`~modeling_empathy.checkpoints.loading.load_model`].
        output_path: The `.pth`; for several mechanisms, `x.pth` stands for `x_ER.pth`, `x_IP.pth`, `x_EX.pth`.

    Returns:
        Mechanism to the file that was written for it.

    Raises:
        InputError: If the original's class can't compute what the model does, or the output's name has another ending
            than the original's; then nothing is written.
    """
    # A checkpoint's own files have others, so that none of them is replaced.
    if output_path.suffix not in ("", *PICKLES):
        raise InputError(f"{output_path}: name a {PICKLES[0]} file.")
    loaded = load_model(model)
    mechanisms = loaded.config.mechanisms
    paths = {}
    # All are moved into place at the end, so that no mechanism's file is left behind by the failure of another's.
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
            paths[mechanism] = path
    return paths
