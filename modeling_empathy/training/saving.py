"""A trained model takes the place of an earlier one as a whole: no folder loads as a mixture of the two."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ..evaluation.run_page import REPORT
from ..files.whole_files import whole_folder
from ..hub.cards import CARD
from ..hub.run_record import RECORD


# What says how good a model is; of an earlier one it would speak for the new one until that is measured.
_OF_THE_MODEL = (RECORD, CARD, REPORT, "test_predictions.parquet")


@contextmanager
def replaced_model(folder: Path, is_writer: bool = True) -> Iterator[Path]:
    """Gives a folder to save a model in, and moves its files into `folder` once the block has ended without an error.

    Until then an earlier model in `folder` stays as it is. While files are moved, `folder` has no weights, so that
    whoever loads it in that moment, or after a kill in it, gets an error and no mixture.

    Args:
        folder: Where the model shall be, beside the checkpoints of its run.
        is_writer: Of processes that train together, whether this one writes.
    """
    staged = folder / ".new_model"
    if not is_writer:
        yield staged
        return
    # Of a run that was killed.
    shutil.rmtree(staged, ignore_errors=True)
    with whole_folder(staged) as temporary:
        yield temporary
    for path in [path for path in folder.iterdir() if path.name in _OF_THE_MODEL or _has_weights(path)]:
        path.unlink()
    for path in sorted(staged.iterdir(), key=_has_weights):  # weights last
        os.replace(path, folder / path.name)
    staged.rmdir()


def _has_weights(path: Path) -> bool:
    return path.name.endswith((".safetensors", ".safetensors.index.json"))
