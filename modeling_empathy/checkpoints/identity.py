"""Which model gave a score: its name, and the hash of its weights."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

from huggingface_hub import hf_hub_download

from .. import __version__
from ..encoders import sha256_of
from ..errors import InputError
from ..model.mechanisms import ABBREVIATIONS
from ..original_names import PICKLES, checkpoint_folder
from .deltas import DELTAS, PRETRAINED, is_packed


# Of a hash, what is enough to tell models apart in a table.
_SHOWN = 12


class ModelIdentity(NamedTuple):
    """What tells a model from others.

    Attributes:
        name: Its repository on the Hub, or the last name of its folder or file, so that an output says nothing of
            somebody's machine; "modeling-empathy" and a version for the model that is part of the package.
        sha256: Of the file of its weights, as `sha256sum` gives it. Of several files, that of what `sha256sum` prints
            of them in the order of their names.
        package_version: Of the package that computes.
        mechanisms: What it scores.
    """

    name: str
    sha256: str
    package_version: str
    mechanisms: tuple[str, ...]

    @property
    def label(self) -> str:
        """Name and first digits of the hash, as a table shows them."""
        return f"{self.name}@{self.sha256[:_SHOWN]}"


def model_identity(name: str, mechanisms: Sequence[str], files: Iterable[Path] | None = None) -> ModelIdentity:
    """Says which model a checkpoint is that has been loaded.

    Args:
        name: As in [`~modeling_empathy.checkpoints.loading.load_checkpoint`].
        mechanisms: What it scores.
        files: What holds the weights; the checkpoint's own when left out. Exported graphs, where these compute.

    Raises:
        InputError: If there are no weights.
    """
    path = Path(name) if Path(name).is_file() else checkpoint_folder(name)
    if not path.exists():
        shown = name  # a repository, whose owner is part of its name
    elif path.is_dir() and path.samefile(PRETRAINED):
        shown = f"modeling-empathy {__version__}"
    else:
        # As it was given, not what a link leads to; but "." and ".." are no names.
        shown = _printable(path.name if path.name not in ("", "..") else path.resolve().name)
    sha256 = _sha256_of_all(_weights(name, path) if files is None else list(files))
    return ModelIdentity(shown, sha256, __version__, tuple(mechanisms))


def joined_label(models: Sequence[ModelIdentity]) -> str:
    """The label of one model; of several, which score different mechanisms, the labels with codes of mechanisms.

    Example:
        ```python
        >>> joined_label([reactions, explorations])
        'ER reactions@53aa51172d14; EX explorations@be50c3628f2b'
        ```
    """
    if len(models) == 1:
        return models[0].label
    return "; ".join(f"{','.join(ABBREVIATIONS[name] for name in model.mechanisms)} {model.label}" for model in models)


def _weights(name: str, path: Path) -> list[Path]:
    """The files from which transformers, or this package, loads a checkpoint's weights."""
    if path.is_file():
        return [path]
    # One from the Hub has just been loaded, so that its files are in the cache, and no others.
    folder = path if path.is_dir() else Path(hf_hub_download(name, "config.json", local_files_only=True)).parent
    if is_packed(folder):
        return [folder / DELTAS]
    # In the order in which transformers looks: one file goes before its parts.
    if (whole := folder / "model.safetensors").is_file():
        return [whole]
    for endings in ((".safetensors",), PICKLES):
        if files := [file for file in folder.iterdir() if file.suffix in endings]:
            return files
    raise InputError(f"{folder} holds no weights by which its scores could say which model gave them.")


def _sha256_of_all(files: Sequence[Path]) -> str:
    if len(files) == 1:
        return sha256_of(files[0])
    lines = [f"{sha256_of(file)}  {file.name}\n" for file in sorted(files, key=lambda file: file.name)]
    return hashlib.sha256("".join(lines).encode("utf-8", "surrogateescape")).hexdigest()


def _printable(name: str) -> str:
    # A folder's name may hold line breaks, what moves a terminal's cursor, and bytes that are no text.
    return "".join(character if character.isprintable() else "\N{REPLACEMENT CHARACTER}" for character in name)
