"""What a training run wrote down beside its checkpoint, as far as it may be published."""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from huggingface_hub.errors import StrictDataclassError

from ..corpus.provenance import Provenance
from ..errors import InputError, first_line, shortened
from ..evaluation.metrics import REPORTED
from ..evaluation.perturbations import PERTURBATIONS
from ..model.configuration_empathy import EmpathyConfig
from ..model.mechanisms import LEVELS, MECHANISMS
from .cards import check_repo_id


RECORD = "metrics.json"

# What is said of how a model was trained; nothing of where that was on somebody's machine. A list of what is published
# and not of what isn't: an argument that transformers adds may be a path or a name.
_ARGUMENTS = {
    "model": (
        "encoder_revision",
        "separate_models",
        "freeze_embeddings",
        "level_weighting",
        "level_smoothing",
        "original_tokenization",
    ),
    "data": (
        "max_length",
        "unannotated",
        "salt",
        "train_on_everything",
        "extra_data",
        "extra_weight",
        "mismatched_weight",
    ),
    "training": (
        "seed",
        "num_train_epochs",
        "max_steps",
        "per_device_train_batch_size",
        "gradient_accumulation_steps",
        "learning_rate",
        "head_learning_rate",
        "lr_scheduler_type",
        "warmup_steps",
        "optim",
        "weight_decay",
        "max_grad_norm",
        "bf16",
        "fp16",
        "load_best_model_at_end",
        "metric_for_best_model",
        "tune_rationale_thresholds",
        "fit_level_temperatures",
    ),
}


_SPLITS = ("train", "validation", "test")
_LIBRARIES = ("python", "torch", "transformers", "datasets", "accelerate", "tokenizers", "safetensors")
_NAME = re.compile(r"[a-z0-9_]{1,100}")
_SHA256 = re.compile(r"[0-9a-f]{64}")
_LONGEST_TEXT = 300


@dataclass(frozen=True)
class RunRecord:
    """What a training run wrote down, as far as it may be published.

    Attributes:
        test: The test split's metrics, `{mechanism}_{metric}`.
        definitions: Whose definitions these follow.
        confusion: For each mechanism `(annotated level, predicted level)`.
        behaviour: What was measured by the behaviour suite, as of
            [`~modeling_empathy.evaluation.behaviour.measure_behaviour`]; empty where nothing was.
        provenance: What it was trained on, if the record says so.
        pairs: Pairs of each split.
        encoder: The encoder it started from, by its name on the Hub; None for one of a local folder.
        arguments: Those that decide what comes out: of the model, the data and the training, by their names.
        versions: Of the libraries.
        twin: The record of the run that held pairs out, for a model that was trained on everything: it is measured in
            this one's place.
    """

    test: dict[str, float] = field(default_factory=dict)
    definitions: str = ""
    confusion: dict[str, list[list[int]]] = field(default_factory=dict)
    behaviour: dict[str, Any] = field(default_factory=dict)
    provenance: Provenance | None = None
    pairs: dict[str, int] = field(default_factory=dict)
    encoder: str | None = None
    arguments: dict[str, dict[str, Any]] = field(default_factory=dict)
    versions: dict[str, str] = field(default_factory=dict)
    twin: RunRecord | None = None

    @property
    def measured(self) -> RunRecord:
        """The run whose figures stand for this model's."""
        return self.twin or self

    def publishable(self) -> dict[str, Any]:
        """The record as a file that is published, and read again: without paths and names of the machine."""
        data: dict[str, Any] = {"pairs": self.pairs, "encoder": self.encoder}
        if self.twin is not None:
            data["twin"] = self.twin.publishable()
        return {
            "metrics": {"test": self.test},
            "definitions": self.definitions,
            "confusion": self.confusion,
            **({"behaviour": self.behaviour} if self.behaviour else {}),
            "data": data | ({"provenance": self.provenance.to_dict()} if self.provenance else {}),
            "arguments": self.arguments,
            "versions": self.versions,
        }


def read_record(folder: Path, mechanisms: Sequence[str] = ()) -> RunRecord:
    """Reads what a run left in the folder of its checkpoint; of a converted checkpoint there is nothing.

    Args:
        folder: The checkpoint's.
        mechanisms: Those that the figures must be of, if there are any.

    Raises:
        InputError: If the file is not one that `train_hf.py` wrote, or says what can't be.
    """
    path = folder / RECORD
    if not path.is_file():
        return RunRecord()
    try:
        return _record_of(json.loads(path.read_text(encoding="utf-8")), mechanisms)
    # No JSON, too deep for the parser, or anything but what is expected at a place.
    except (ValueError, RecursionError) as error:
        reason = str(error) if isinstance(error, InputError) else f"{type(error).__name__}: {first_line(error)}"
        raise InputError(
            f"{path} is no record of a training run ({reason}): train again, or remove it to publish without figures."
        ) from None


def write_record(record: RunRecord, folder: Path) -> None:
    """Writes the publishable part of a record into a folder, where there is a record."""
    if record != RunRecord():
        text = json.dumps(record.publishable(), indent=2) + "\n"
        (folder / RECORD).write_text(text, encoding="utf-8")


def _record_of(written: Any, mechanisms: Sequence[str], is_twin: bool = False) -> RunRecord:
    parts = _dict(written, "it")
    data, arguments = _dict(parts.get("data", {}), "data"), _dict(parts.get("arguments"), "arguments")
    if is_twin and "twin" in data:
        raise InputError("a twin has no twin of its own")
    encoder = data.get("encoder")
    if encoder is not None:
        check_repo_id(_text(encoder, "encoder"), "encoder")
    return RunRecord(
        test=_test_of(_dict(parts.get("metrics"), "metrics").get("test", {}), mechanisms),
        definitions=_text(parts.get("definitions"), "definitions"),
        confusion=_confusion_of(parts.get("confusion", {})),
        behaviour=_behaviour_of(parts["behaviour"]) if "behaviour" in parts else {},
        provenance=_provenance_of(data["provenance"]) if "provenance" in data else None,
        pairs={
            name: _count(value, f"pairs {name}") for name, value in _known(data.get("pairs", {}), _SPLITS, "pairs")
        },
        encoder=encoder,
        arguments={part: _arguments_of(arguments.get(part), part) for part in _ARGUMENTS},
        versions={
            name: _text(value, f"versions {name}")
            for name, value in _known(parts.get("versions"), _LIBRARIES, "versions")
        },
        twin=_record_of(data["twin"], mechanisms, is_twin=True) if "twin" in data else None,
    )


def _test_of(written: Any, mechanisms: Sequence[str]) -> dict[str, float]:
    test = {name: value for name, value in _dict(written, "metrics test").items() if _NAME.fullmatch(name)}
    for name, value in test.items():
        # What lies outside of this, or is no number, is no measurement: counts, seconds and shares are within.
        if isinstance(value, bool) or not isinstance(value, (int, float)) or not abs(value) < 1e12:
            raise InputError(f"{name} is {shortened(value)}, not a number")
    for mechanism in mechanisms if test else ():
        for metric in REPORTED:
            value = test.get(f"{mechanism}_{metric.name}")
            if value is None or not -1 <= value <= 1:
                raise InputError(f"{mechanism}_{metric.name} is {value}, not a number from -1 to 1")
    return test


def _confusion_of(written: Any) -> dict[str, list[list[int]]]:
    confusion = {}
    for mechanism, rows in _known(written, MECHANISMS, "confusion"):
        shape = [len(row) if isinstance(row, list) else None for row in rows] if isinstance(rows, list) else None
        if shape != [len(LEVELS)] * len(LEVELS):
            raise InputError(f"the confusion of {mechanism} is {shortened(rows)}, not three rows of three counts")
        confusion[mechanism] = [[_count(count, f"confusion of {mechanism}") for count in row] for row in rows]
    return confusion


def _behaviour_of(written: Any) -> dict[str, Any]:
    """Counts as they stand in the record; shares are made of them."""
    parts = _dict(written, "behaviour")
    counted = _share_of(parts, "behaviour", "cells")
    errors = _confident_errors_of(_dict(parts.get("confident_errors"), "confident errors").get("cells"), counted)
    families = _dict(parts.get("families"), "families").items()
    return {
        "responses": _count(parts.get("responses"), "responses"),
        **counted,
        "families": {name: _family_of(name, family) for name, family in families},
        "needs_seeker_post": _share_of(parts.get("needs_seeker_post"), "needs_seeker_post", "cells"),
        "confident_errors": {"cells": errors, "share": errors / max(counted["cells"], 1)},
        "invariance": {
            name: _share(value, f"invariance {name}")
            for name, value in _known(parts.get("invariance"), PERTURBATIONS, "invariance")
        },
        "direction": _share_of(parts.get("direction"), "direction", "pairs"),
    }


def _family_of(name: str, written: Any) -> dict[str, Any]:
    # It stands in the card: a name, and no markup.
    if not _NAME.fullmatch(name):
        raise InputError(f"a family is called {shortened(name)}: expected letters, digits and underscores")
    values = _dict(written, name)
    counted = _share_of(values, name, "cells")
    if not counted["cells"]:
        raise InputError(f"the family {name} has no cells")
    errors = _confident_errors_of(values.get("confident_errors"), counted)
    return {"kind": _text(values.get("kind"), f"the kind of {name}"), **counted, "confident_errors": errors}


def _confident_errors_of(written: Any, counted: Mapping[str, Any]) -> int:
    errors, wrong = _count(written, "confident errors"), counted["cells"] - counted["right"]
    if errors > wrong:
        raise InputError(f"there are {errors} confident errors among {wrong}")
    return errors


def _share_of(written: Any, place: str, whole: str) -> dict[str, Any]:
    values = _dict(written, place)
    right, count = (_count(values.get(name), f"{place} {name}") for name in ("right", whole))
    if right > count:
        raise InputError(f"{place}: {right} are right of {count}")
    return {whole: count, "right": right, "accuracy": right / count if count else None}


def _share(value: Any, place: str) -> float:
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 <= value <= 1:
        raise InputError(f"{place}: {shortened(value)} is no share from 0 to 1")
    return float(value)


def _provenance_of(written: Any) -> Provenance:
    values = _dict(written, "provenance")
    if not isinstance(values.get("name"), str):
        raise InputError("provenance has no name")
    for name, digest in _dict(values.get("files", {}), "provenance files").items():
        if not (isinstance(digest, str) and _SHA256.fullmatch(digest)) or "/" in _text(name, "a file's name"):
            raise InputError(f"provenance names a file {shortened(name)} with the sha256 {shortened(digest)}")
    return Provenance.from_dict(values)


def _arguments_of(written: Any, part: str) -> dict[str, Any]:
    chosen = {}
    for name, value in _known(written, _ARGUMENTS[part], f"arguments {part}"):
        # Those that are off say nothing of a run: -1 is `max_steps` where epochs count. A 0, of a seed, is no False.
        if value is None or value is False or value in ("", -1):
            continue
        if isinstance(value, str):
            # Anything but the name of the suite is somebody's folder.
            value = "a folder" if name == "extra_data" and value != "contrast" else _text(value, name)
        elif not isinstance(value, (int, float)) or not abs(value) < 1e12:
            raise InputError(f"the argument {name} is {shortened(value)}, neither a number nor a word")
        chosen[name] = value
    return chosen


def _known(written: Any, names: Collection[str], place: str) -> list[tuple[str, Any]]:
    """The entries by these names; others may be anything, and are not published."""
    return [(name, value) for name, value in _dict(written, place).items() if name in names]


def _dict(value: Any, place: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise InputError(f"{place} is {shortened(value)}, not an object with names")
    return value


def _count(value: Any, place: str) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value < 1e12:
        raise InputError(f"{place}: {shortened(value)} is no count")
    return value


def _text(value: Any, place: str) -> str:
    if not isinstance(value, str) or len(value) > _LONGEST_TEXT or not value.isprintable():
        raise InputError(f"{place} is {shortened(value)}, not a line of text")
    return value


def read_config(folder: Path) -> EmpathyConfig:
    """The configuration of a checkpoint.

    Raises:
        InputError: If the folder holds none of ours.
    """
    path = folder / "config.json"
    try:
        # Looked at first: `from_pretrained` warns of another model type, and reads the configuration as ours.
        is_ours = json.loads(path.read_text(encoding="utf-8")).get("model_type") == EmpathyConfig.model_type
        config = EmpathyConfig.from_pretrained(folder) if is_ours else None
    except (OSError, ValueError, AttributeError, StrictDataclassError) as error:
        raise InputError(f"{folder} holds no checkpoint: config.json can't be read ({first_line(error)}).") from None
    if config is None:
        raise InputError(f"{path} is not the configuration of an empathy model.")
    return config
