"""Where a checkpoint is that users of the original name as the `.pth` it would be there."""

from __future__ import annotations

from pathlib import Path


PICKLES = (".pth", ".pt", ".bin")


def checkpoint_folder(path: str | Path) -> Path:
    """The folder of a checkpoint that the original's users name as a `.pth`: that name without its ending."""
    path = Path(path)
    return path.with_suffix("") if path.suffix in PICKLES else path
