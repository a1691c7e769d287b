"""Writes the corpus as a folder that plain `datasets` loads: Parquet, a card, a Croissant file. It can go on the Hub.

from modeling_empathy.hub.dataset_export import export_dataset

summary = export_dataset(Path("exported"), source="sample")
summary.rows["explorations"]["train"]
"""

from __future__ import annotations

import importlib.util
import json
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import datasets

from ..corpus.builder import REPORT_NAME, EpitomeReddit
from ..corpus.provenance import provenance_of_corpus
from ..files.whole_files import whole_folder
from .cards import CARD
from .croissant import CROISSANT_NAME, write_croissant
from .dataset_card import dataset_card
from .dataset_files import CONFIGURATIONS, ExportSummary, write_splits


_SPLITS = ("train", "validation", "test")


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
            # Its cache may hold the configuration already: then nothing is read or aligned again.
            builder.download_and_prepare()
            splits += write_splits(builder, temporary)
        provenance = provenance_of_corpus(builders[0].info)
        # Of `all`, which covers the files of every mechanism.
        report = Path(builders[0].cache_dir) / REPORT_NAME
        shutil.copyfile(report, temporary / REPORT_NAME)
        # An extra that takes most of a second to import: looked for, and imported only where the file is written.
        has_croissant = importlib.util.find_spec("mlcroissant") is not None
        if has_croissant:
            write_croissant(temporary / CROISSANT_NAME, builders, splits, provenance)
        left_out = [name for name in _SPLITS if name not in {file.split for file in splits}]
        summary = ExportSummary(folder, provenance, splits, left_out, has_croissant)
        card = dataset_card(summary, builders, json.loads(report.read_text(encoding="utf-8")), salt)
        (temporary / CARD).write_text(card, encoding="utf-8")
    return summary


@contextmanager
def _progress_bars(are_shown: bool) -> Iterator[None]:
    """Switches the bars of `datasets` off for a while, if they are on."""
    # They are on or off for the whole process: what the caller chose is put back.
    if are_shown or datasets.are_progress_bars_disabled():
        yield
        return
    datasets.disable_progress_bars()
    try:
        yield
    finally:
        datasets.enable_progress_bars()
