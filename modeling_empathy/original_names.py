"""What users of the original call their files: checkpoints that are `.pth` there, and mechanisms in a file's name."""

from __future__ import annotations

from pathlib import Path

from .model.mechanisms import ABBREVIATIONS, FILE_STEMS


PICKLES = (".pth", ".pt", ".bin")


def checkpoint_folder(path: str | Path) -> Path:
    """The folder of a checkpoint that the original's users name as a `.pth`: that name without its ending."""
    path = Path(path)
    return path.with_suffix("") if path.suffix in PICKLES else path


def mechanism_of(name: str | None) -> str | None:
    """The mechanism that a file's name speaks of, or None where it speaks of none or of several.

    Example:
        >>> mechanism_of("explorations-reddit.csv"), mechanism_of("reddit_IP.pth"), mechanism_of("pairs.csv")
        ('explorations', 'interpretations', None)
    """
    # A code must be a whole word: "er" stands in many others, and "reader.csv" speaks of no mechanism.
    words = Path(name or "").stem.lower().replace("-", "_").split("_")
    named = [
        mechanism
        for mechanism, stem in FILE_STEMS.items()
        if any(word.startswith(stem) or word == ABBREVIATIONS[mechanism].lower() for word in words)
    ]
    return named[0] if len(named) == 1 else None
