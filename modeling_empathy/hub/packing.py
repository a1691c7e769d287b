"""Writes a checkpoint as a packed one, with its card and the record of its run."""

from __future__ import annotations

from pathlib import Path

from ..checkpoints.deltas import pack
from ..checkpoints.loading import load_checkpoint
from ..files.whole_files import whole_folder
from ..original_names import checkpoint_folder
from .model_card import packed_files


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
    loaded, _ = load_checkpoint(model)
    source = checkpoint_folder(model)
    with whole_folder(output_path) as folder:
        sizes = pack(loaded, folder)
        for name, content in packed_files(source).items():
            (folder / name).write_text(content, encoding="utf-8")
    return sizes
