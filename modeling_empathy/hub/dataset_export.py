"""Writes the corpus as a folder that plain `datasets` loads: Parquet, a card, a Croissant file. It can go on the Hub.

    from modeling_empathy.hub.dataset_export import export_dataset

    print(export_dataset(Path("exported"), source="sample"))

The card's figures are counted in what was written; none of its text is a post's.
"""

from __future__ import annotations

import importlib.util
import json
import shutil
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import datasets
from huggingface_hub import DatasetCardData

from .. import __version__
from ..corpus.alignment_report import FileCounts
from ..corpus.builder import REPORT_NAME, EpitomeReddit
from ..corpus.provenance import Provenance, provenance_of_corpus
from ..files.whole_files import whole_folder
from ..model.mechanisms import MECHANISMS
from .cards import CARD, render_card
from .croissant import write_croissant
from .dataset_files import ExportedSplit, annotations_of, write_splits


# The default first: a viewer opens with it.
CONFIGURATIONS = ("all", *MECHANISMS)
CROISSANT_NAME = "croissant.json"

_SPLITS = ("train", "validation", "test")


@dataclass(frozen=True)
class ExportSummary:
    """What was written; as a string, a few lines for the screen.

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
        for one in self.splits:
            counts.setdefault(one.configuration, {})[one.split] = one.rows
        return counts

    def __str__(self) -> str:
        lines = [f"{self.folder}: {self.provenance.title}"]
        for name, splits in self.rows.items():
            lines.append(f"  {name}: {', '.join(f'{split} {rows}' for split, rows in splits.items())}")
        if self.left_out:
            lines.append(f"  without rows and left out: {', '.join(self.left_out)}")
        lines.append(f"  {CARD}, {REPORT_NAME}{f', {CROISSANT_NAME}' if self.has_croissant else ''}")
        if not self.has_croissant:
            lines.append(f"  no {CROISSANT_NAME}: pip install 'modeling-empathy[croissant]' for one")
        if self.provenance.needs_permission:
            lines.append(f"  Before you pass it on: {self.provenance.terms}")
        lines.append(f'Load it with datasets.load_dataset("{self.folder}", "explorations"); without a name, "all".')
        return "\n".join(lines)


def export_dataset(
    folder: Path,
    *,
    source: str = "auto",
    data_dir: str | None = None,
    salt: str = "",
    show_progress: bool = True,
) -> ExportSummary:
    """Builds all configurations and writes them, with a card, into a new folder.

    The folder holds `{configuration}/{split}-00000-of-00001.parquet`, `README.md` with the metadata that
    `load_dataset(folder, configuration)` reads, `alignment_report.json` of the configuration `all`, and where
    mlcroissant is installed `croissant.json`. It appears whole or not at all. The same files give the same bytes.

    Args:
        folder: Where it shall be; nothing may be there but an empty folder.
        source: `"auto"` or `"sample"`, as of [`~modeling_empathy.corpus.builder.EpitomeConfig`].
        data_dir: Folder of the annotated files, likewise.
        salt: Of the split rule, likewise.
        show_progress: Whether progress bars are shown.

    Raises:
        InputError: If the folder is not empty, or the files can't be read as annotated pairs.
    """
    with whole_folder(folder) as temporary, _progress_bars(show_progress):
        builders = [
            EpitomeReddit(config_name=name, source=source, data_dir=data_dir, salt=salt) for name in CONFIGURATIONS
        ]
        splits = []
        for builder in builders:
            builder.download_and_prepare()
            splits += write_splits(builder, temporary)
        provenance = provenance_of_corpus(builders[0].info)
        report = Path(builders[0].cache_dir) / REPORT_NAME
        shutil.copyfile(report, temporary / REPORT_NAME)
        has_croissant = importlib.util.find_spec("mlcroissant") is not None
        if has_croissant:
            write_croissant(temporary / CROISSANT_NAME, builders, splits, provenance)
        summary = ExportSummary(
            folder,
            provenance,
            splits,
            [split for split in _SPLITS if split not in {one.split for one in splits}],
            has_croissant,
        )
        card = _card(summary, builders, json.loads(report.read_text(encoding="utf-8")), salt)
        (temporary / CARD).write_text(card, encoding="utf-8")
    return summary


def size_category(rows: int) -> str:
    """What the Hub calls a data set of so many rows."""
    names = ("1K", "10K", "100K", "1M", "10M", "100M", "1B")
    place = len(str(rows)) - len("1000")
    return "n<1K" if place < 0 else f"{names[place]}<n<{names[place + 1]}"


@dataclass(frozen=True)
class _Quirks:
    """What is odd about a corpus: pairs that are there more than once and, by mechanism, those whose levels differ,
    rows above level 0 without a span, and rows at level 0 with one."""

    repeated: int
    conflicting: dict[str, int]
    without_span: dict[str, int]
    span_at_level_0: dict[str, int]


def _quirks(builder: EpitomeReddit) -> _Quirks:
    pairs: dict[tuple[str, str], list[list[int]]] = defaultdict(list)
    without_span, span_at_level_0 = dict.fromkeys(MECHANISMS, 0), dict.fromkeys(MECHANISMS, 0)
    for rows in builder.as_dataset().values():
        columns = rows.to_dict()
        annotations = [annotations_of(mechanism, columns) for mechanism in MECHANISMS]
        for sp_id, rp_id, *of_row in zip(columns["sp_id"], columns["rp_id"], *annotations, strict=True):
            pairs[sp_id, rp_id].append([level for level, _ in of_row])
            for mechanism, (level, rationales) in zip(MECHANISMS, of_row, strict=True):
                without_span[mechanism] += level > 0 and not rationales
                span_at_level_0[mechanism] += level == 0 and bool(rationales)
    repeated = [levels for levels in pairs.values() if len(levels) > 1]
    conflicting = {
        mechanism: sum(len({of_row[index] for of_row in levels}) > 1 for levels in repeated)
        for index, mechanism in enumerate(MECHANISMS)
    }
    return _Quirks(len(repeated), conflicting, without_span, span_at_level_0)


def _card(summary: ExportSummary, builders: Sequence[EpitomeReddit], report: Mapping[str, Any], salt: str) -> str:
    return render_card(
        "dataset_card.md",
        _card_data(summary, builders),
        summary=summary,
        provenance=summary.provenance,
        configurations=CONFIGURATIONS,
        mechanisms=MECHANISMS,
        pairs=sum(one.rows for one in summary.splits if one.configuration == "all"),
        example_split=summary.splits[0].split,
        salt=salt,
        aligned={name: FileCounts(**counts) for name, counts in report["files"].items()},
        quirks=_quirks(builders[0]),
        report_name=REPORT_NAME,
        croissant_name=CROISSANT_NAME,
        citation=builders[0].info.citation.strip(),
        version=__version__,
        datasets_version=datasets.__version__,
    )


def _card_data(summary: ExportSummary, builders: Sequence[EpitomeReddit]) -> DatasetCardData:
    provenance = summary.provenance
    is_known = provenance.name != "other"
    title = provenance.title[0].upper() + provenance.title[1:]
    card_data = DatasetCardData(
        pretty_name=title if is_known else "Empathy in peer support, annotated pairs",
        language=["en"] if is_known else None,
        license=provenance.licence,
        license_name=provenance.licence_name,
        license_link=provenance.licence_link,
        annotations_creators={"epitome-reddit": ["crowdsourced"], "synthetic-sample": ["other"]}.get(provenance.name),
        language_creators={"epitome-reddit": ["found"], "synthetic-sample": ["other"]}.get(provenance.name),
        multilinguality=["monolingual"] if is_known else None,
        size_categories=[size_category(sum(one.rows for one in summary.splits if one.configuration == "all"))],
        task_categories=["text-classification", "token-classification"],
        tags=[
            *(["synthetic"] if provenance.is_synthetic else []),
            *("empathy", "mental-health", "peer-support", "rationale-extraction"),
        ],
        configs=[
            {
                "config_name": name,
                "data_files": [
                    {"split": one.split, "path": one.path} for one in summary.splits if one.configuration == name
                ],
            }
            | ({"default": True} if name == CONFIGURATIONS[0] else {})
            for name in CONFIGURATIONS
        ],
    )
    infos = {}
    for builder in builders:
        name = builder.config.name
        infos[name] = builder.info.copy()
        # What is downloaded from here is the Parquet.
        infos[name].download_size = sum(one.size for one in summary.splits if one.configuration == name)
    datasets.info.DatasetInfosDict(infos).to_dataset_card_data(card_data)
    return card_data


@contextmanager
def _progress_bars(are_shown: bool) -> Iterator[None]:
    """Switches the bars of `datasets` off for a while, if they are on."""
    if are_shown or datasets.are_progress_bars_disabled():
        yield
        return
    datasets.disable_progress_bars()
    try:
        yield
    finally:
        datasets.enable_progress_bars()
