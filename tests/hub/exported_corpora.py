"""What tests read in the folder of an exported corpus."""

import hashlib
import re
from pathlib import Path

from huggingface_hub import DatasetCard

from modeling_empathy import MECHANISMS


CONFIGURATIONS = ["all", *MECHANISMS]
SPLITS = ["train", "validation", "test"]


def card_of(folder: Path) -> DatasetCard:
    return DatasetCard.load(folder / "README.md")


def table(card: DatasetCard, heading: str) -> list[dict[str, str]]:
    """The table of the card whose header begins with these words; each row by column."""
    lines = card.text.splitlines()
    [start] = [number for number, line in enumerate(lines) if line.startswith(f"| {heading}")]
    header = [cell.strip() for cell in lines[start].strip("|").split("|")]
    rows = []
    for line in lines[start + 2 :]:
        if not line.startswith("|"):
            break
        cells = [cell.strip().strip("`") for cell in re.split(r"(?<!\\)\|", line)[1:-1]]
        rows.append(dict(zip(header, cells, strict=True)))
    return rows


def split_by_rule(sp_id: str, salt: str = "") -> str:
    percentile = int(hashlib.sha1((salt + sp_id).encode()).hexdigest(), 16) % 100
    return "train" if percentile < 75 else "validation" if percentile < 80 else "test"
