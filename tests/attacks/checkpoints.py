"""Attacks by the folder of a checkpoint: damaged, forged, or of a stranger who wants his code to run."""

from pathlib import Path

from tests.attacks.attempts import Attack, damaged


ATTACKS: list[Attack] = [
    damaged(
        "a config.json that is no JSON",
        lambda folder: Path(folder, "config.json").write_text("{"),
        "No model can be loaded",
    ),
]
