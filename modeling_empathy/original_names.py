"""What users of the original call their files: checkpoints that are `.pth` there, and mechanisms in a file's name."""

from __future__ import annotations

from pathlib import Path


# How file names speak of a mechanism: "explorations-reddit.csv", "sample_input_model_ER.csv", "reddit_IP.pth".
_NAMED = {
    "emotional_reactions": ("emotional", "er"),
    "interpretations": ("interpret", "ip"),
    "explorations": ("explor", "ex"),
}

PICKLES = (".pth", ".pt", ".bin")


def checkpoint_folder(path: str | Path) -> Path:
    """The folder of a checkpoint that the original's users name as a `.pth`: that name without its ending."""
    path = Path(path)
    return path.with_suffix("") if path.suffix in PICKLES else path


def mechanism_of(name: str | None) -> str | None:
    """The mechanism that a file's name speaks of, or None where it speaks of none or of several."""
    words = Path(name or "").stem.lower().replace("-", "_").split("_")
    found = [
        mechanism
        for mechanism, (stem, abbreviation) in _NAMED.items()
        if any(word.startswith(stem) or word == abbreviation for word in words)
    ]
    return found[0] if len(found) == 1 else None
