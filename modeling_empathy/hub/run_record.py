"""What a training run wrote down beside its checkpoint, as far as it may be published."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ..corpus.provenance import Provenance
from ..errors import InputError, first_line
from ..model.configuration_empathy import EmpathyConfig


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
    "data": ("max_length", "unannotated", "salt", "train_on_everything"),
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


@dataclass(frozen=True)
class RunRecord:
    """What a training run wrote down, as far as it may be published.

    Attributes:
        test: The test split's metrics, `{mechanism}_{metric}`.
        definitions: Whose definitions these follow.
        confusion: For each mechanism `(annotated level, predicted level)`.
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
            "data": data | ({"provenance": self.provenance.to_dict()} if self.provenance else {}),
            "arguments": self.arguments,
            "versions": self.versions,
        }


def read_record(folder: Path) -> RunRecord:
    """Reads what a run left in the folder of its checkpoint; of a converted checkpoint there is nothing.

    Raises:
        InputError: If the file is not one that `train_hf.py` wrote.
    """
    path = folder / RECORD
    if not path.is_file():
        return RunRecord()
    try:
        return _record_of(json.loads(path.read_text(encoding="utf-8")))
    # Of a file by another program: no JSON, other names, or a list where names are looked up.
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise InputError(
            f"{path} is no record of a training run ({type(error).__name__}: {first_line(error)}): train again, or "
            "remove it to publish without figures."
        ) from None


def write_record(record: RunRecord, folder: Path) -> None:
    """Writes the publishable part of a record into a folder, where there is a record."""
    if record != RunRecord():
        text = json.dumps(record.publishable(), indent=2) + "\n"
        (folder / RECORD).write_text(text, encoding="utf-8")


def _record_of(written: Mapping[str, Any]) -> RunRecord:
    data, arguments = written.get("data", {}), written["arguments"]
    # Those that are off say nothing of a run: -1 is `max_steps` where epochs count, and 0 goes with False, its equal.
    chosen = {
        part: {name: arguments[part][name] for name in names if arguments[part].get(name) not in (None, "", -1, False)}
        for part, names in _ARGUMENTS.items()
    }
    return RunRecord(
        test=written["metrics"].get("test", {}),
        definitions=written["definitions"],
        confusion=written.get("confusion", {}),
        provenance=Provenance.from_dict(data["provenance"]) if "provenance" in data else None,
        pairs=data.get("pairs", {}),
        encoder=data.get("encoder"),
        arguments=chosen,
        versions=written["versions"],
        twin=_record_of(data["twin"]) if "twin" in data else None,
    )


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
    except (OSError, ValueError, AttributeError) as error:
        raise InputError(f"{folder} holds no checkpoint: config.json can't be read ({first_line(error)}).") from None
    if config is None:
        raise InputError(f"{path} is not the configuration of an empathy model.")
    return config
