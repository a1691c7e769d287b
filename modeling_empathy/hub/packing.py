"""Writes a checkpoint as a packed one, with its card and the record of its run."""

from __future__ import annotations

from pathlib import Path

from ..checkpoints.deltas import pack
from ..checkpoints.loading import load_checkpoint
from ..files.whole_files import whole_folder
from ..original_names import checkpoint_folder
from .cards import CARD
from .model_card import model_card
from .run_record import read_record, write_record


def pack_checkpoint(model: str, output_path: Path) -> dict[str, int]:
    """Writes a checkpoint as a packed one, with its card and the record of its run.

    Args:
        model: As in [`load_checkpoint`].
        output_path: A folder that isn't there yet.

    Returns:
        Name to size in bytes of what holds the model.

    Raises:
        InputError: If the checkpoint can't be packed; then nothing is written.
    """
    # Of one on the Hub there is no such folder, and `model_card` says that it holds no checkpoint.
    source = checkpoint_folder(model)
    with whole_folder(output_path) as folder:
        loaded, _ = load_checkpoint(model)
        sizes = pack(loaded, folder)
        (folder / CARD).write_text(model_card(source, is_packed=True), encoding="utf-8")
        write_record(read_record(source), folder)
    return sizes
