"""The card of an exported corpus. Its figures are counted in what was written; none of its text is a post's."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import datasets
from huggingface_hub import DatasetCardData

from .. import __version__
from ..corpus.alignment_report import FileCounts
from ..corpus.builder import REPORT_NAME, EpitomeReddit
from ..model.mechanisms import MECHANISMS
from .cards import render_card
from .croissant import CROISSANT_NAME
from .dataset_files import CONFIGURATIONS, ExportedSplit, ExportSummary, annotations_of


def dataset_card(
    summary: ExportSummary, builders: Sequence[EpitomeReddit], report: Mapping[str, Any], salt: str
) -> str:
    """Writes the card of an exported corpus.

    Args:
        summary: What was written.
        builders: What it was written from, one for each of `CONFIGURATIONS`.
        report: The content of `alignment_report.json`.
        salt: Of the split rule.

    Returns:
        Markdown with the Hub's metadata on top.
    """
    pairs = sum(summary.rows[CONFIGURATIONS[0]].values())
    return render_card(
        "dataset_card.md",
        _metadata(summary, builders, pairs),
        summary=summary,
        provenance=summary.provenance,
        configurations=CONFIGURATIONS,
        mechanisms=MECHANISMS,
        pairs=pairs,
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


def size_category(rows: int) -> str:
    """What the Hub calls a data set of so many rows."""
    names = ("1K", "10K", "100K", "1M", "10M", "100M", "1B")
    # By the number's digits: 1000 has four, and with it the second category begins.
    place = len(str(rows)) - len("1000")
    return "n<1K" if place < 0 else f"{names[place]}<n<{names[place + 1]}"


def _metadata(summary: ExportSummary, builders: Sequence[EpitomeReddit], pairs: int) -> DatasetCardData:
    provenance = summary.provenance
    # Of other people's files neither the language nor who wrote and annotated them is known: nothing is claimed.
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
        size_categories=[size_category(pairs)],
        task_categories=["text-classification", "token-classification"],
        tags=[
            *(["synthetic"] if provenance.is_synthetic else []),
            *("empathy", "mental-health", "peer-support", "rationale-extraction"),
        ],
        configs=[_paths(name, summary.splits) for name in CONFIGURATIONS],
    )
    infos = {}
    for builder in builders:
        name = builder.config.name
        infos[name] = builder.info.copy()
        # Not what the builder read: what is downloaded from here is the Parquet.
        infos[name].download_size = sum(file.size for file in summary.splits if file.configuration == name)
    datasets.info.DatasetInfosDict(infos).to_dataset_card_data(card_data)
    return card_data


def _paths(configuration: str, splits: Sequence[ExportedSplit]) -> dict[str, Any]:
    """Where `load_dataset` finds the splits of a configuration."""
    # Each file by its name: without it `load_dataset` would take the files of all folders for one configuration.
    files = [{"split": file.split, "path": file.path} for file in splits if file.configuration == configuration]
    is_default = {"default": True} if configuration == CONFIGURATIONS[0] else {}
    return {"config_name": configuration, "data_files": files} | is_default


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
        for sp_id, rp_id, *row_annotations in zip(columns["sp_id"], columns["rp_id"], *annotations, strict=True):
            pairs[sp_id, rp_id].append([level for level, _ in row_annotations])
            for mechanism, (level, rationales) in zip(MECHANISMS, row_annotations, strict=True):
                without_span[mechanism] += level > 0 and not rationales
                span_at_level_0[mechanism] += level == 0 and bool(rationales)
    repeated = [levels for levels in pairs.values() if len(levels) > 1]
    conflicting = {
        mechanism: sum(len({row_levels[index] for row_levels in levels}) > 1 for levels in repeated)
        for index, mechanism in enumerate(MECHANISMS)
    }
    return _Quirks(len(repeated), conflicting, without_span, span_at_level_0)
