"""What the run that scored the rows says of them: whether it is whole, and how often its model errs."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ..errors import InputError, first_line
from ..model.mechanisms import ABBREVIATIONS
from .classifier_error import LEVELS, ErrorRates


MANIFEST = "manifest.json"


def rates_of_inputs(inputs: Sequence[str]) -> dict[str, ErrorRates]:
    """Those that the manifests of scored folders hold; none where a folder has no manifest, or two differ.

    Args:
        inputs: Folders, files and patterns, as they were named.

    Raises:
        InputError: If a folder of scores is not whole, or its manifest can't be read.
    """
    found = [_rates(path) for path in (Path(name) / MANIFEST for name in inputs) if path.is_file()]
    same = all(one == found[0] for one in found)
    return found[0] if found and same and len(found) == len(inputs) else {}


def read_rates(path: Path) -> dict[str, ErrorRates]:
    """Mechanism's code to the errors that a manifest of scores, or `metrics.json` of a training run, holds.

    Raises:
        InputError: If the file can't be read, holds none, or is the manifest of scores that are not whole.
    """
    rates = _rates(path)
    if not rates:
        raise InputError(f"{path}: it has no confusion matrix that tells the levels of a mechanism apart.")
    return rates


def _rates(path: Path) -> dict[str, ErrorRates]:
    try:
        written = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise InputError(f"{path} can't be read: {first_line(error)}") from None
    if not isinstance(written, dict):
        raise InputError(f"{path}: expected the manifest of scores, or metrics.json of a training run.")
    if written.get("is_whole") is False:
        raise InputError(f"{path.parent} is not whole: the command that scored it goes on where it was ended.")
    confusion = _confusion(written)
    rates = {}
    for name, code in ABBREVIATIONS.items():
        if name not in confusion:
            continue
        if not _are_counts(confusion[name]):
            raise InputError(f"{path}: the confusion matrix of {name} is none of counts by three levels.")
        one = ErrorRates(confusion[name], f"{path.resolve().parent.name}/{path.name}")
        if one.can_be_corrected:
            rates[code] = one
    return rates


def _confusion(written: Mapping[str, Any]) -> Mapping[str, Any]:
    data = written.get("data")
    # The package's model was trained on everything: its twin has seen none of the pairs that it was counted on.
    for holder in (written.get("about_model"), written, data.get("twin") if isinstance(data, dict) else None):
        found = holder.get("confusion") if isinstance(holder, dict) else None
        if found and isinstance(found, dict):
            return found
    return {}


def _are_counts(rows: Any) -> bool:
    return (
        isinstance(rows, list)
        and len(rows) == LEVELS
        and all(
            isinstance(row, list) and len(row) == LEVELS and all(type(one) is int and one >= 0 for one in row)
            for row in rows
        )
    )
