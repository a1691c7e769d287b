"""What an exported corpus consists of: a Parquet file for each configuration and split, counted as it is written."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..corpus.builder import EpitomeReddit
from ..corpus.provenance import Provenance
from ..model.mechanisms import LEVELS, MECHANISMS


# The default first: a viewer opens with it.
CONFIGURATIONS = ("all", *MECHANISMS)


@dataclass(frozen=True)
class AnnotationCounts:
    """What a split holds for one mechanism.

    Attributes:
        mechanism: The mechanism.
        levels: Rows by level.
        annotated_rows: Rows with a rationale.
        spans: Rationales of all rows.
    """

    mechanism: str
    levels: list[int]
    annotated_rows: int
    spans: int


@dataclass(frozen=True)
class ExportedSplit:
    """One Parquet file.

    Attributes:
        configuration: `"all"` or a mechanism.
        split: `"train"`, `"validation"` or `"test"`.
        path: Where it lies in the folder.
        rows: Its pairs.
        seeker_posts: Distinct `sp_id`.
        annotations: What it holds for each mechanism of the configuration.
        size: Its bytes.
        sha256: Of its bytes.
    """

    configuration: str
    split: str
    path: str
    rows: int
    seeker_posts: int
    annotations: list[AnnotationCounts]
    size: int
    sha256: str


@dataclass(frozen=True)
class ExportSummary:
    """What was written.

    Attributes:
        folder: Where it lies.
        provenance: What the data are, and whether publishing them needs a permission.
        splits: The Parquet files.
        left_out: Splits without rows, of which there is no file.
        has_croissant: Whether a Croissant file is among the files.
    """

    folder: Path
    provenance: Provenance
    splits: list[ExportedSplit]
    left_out: list[str]
    has_croissant: bool

    @property
    def rows(self) -> dict[str, dict[str, int]]:
        """Configuration to split to rows."""
        counts: dict[str, dict[str, int]] = {}
        for file in self.splits:
            counts.setdefault(file.configuration, {})[file.split] = file.rows
        return counts


def write_splits(builder: EpitomeReddit, folder: Path) -> list[ExportedSplit]:
    """Writes each split of a built configuration as a Parquet file, and counts what is in it."""
    name = builder.config.name
    (folder / name).mkdir()
    written = []
    for split, rows in builder.as_dataset().items():
        path = f"{name}/{split}-00000-of-00001.parquet"
        rows.to_parquet(folder / path)
        content = (folder / path).read_bytes()
        columns = rows.to_dict()
        written.append(
            ExportedSplit(
                configuration=name,
                split=split,
                path=path,
                rows=len(rows),
                seeker_posts=len(set(columns["sp_id"])),
                annotations=[_counted(mechanism, columns) for mechanism in builder.config.mechanisms],
                size=len(content),
                sha256=hashlib.sha256(content).hexdigest(),
            )
        )
    return written


def _counted(mechanism: str, columns: Mapping[str, Sequence[Any]]) -> AnnotationCounts:
    levels = [0] * len(LEVELS)
    annotated_rows = spans = 0
    for level, rationales in annotations_of(mechanism, columns):
        levels[level] += 1
        annotated_rows += bool(rationales)
        spans += len(rationales)
    return AnnotationCounts(mechanism, levels, annotated_rows, spans)


def annotations_of(mechanism: str, columns: Mapping[str, Sequence[Any]]) -> list[tuple[int, list[Any]]]:
    """Level and rationales of each row, be the mechanism one of several or the only one."""
    if mechanism in columns:
        return [(annotation["level"], annotation["rationales"]) for annotation in columns[mechanism]]
    return list(zip(columns["level"], columns["rationales"], strict=True))
