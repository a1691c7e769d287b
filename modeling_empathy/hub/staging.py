"""What is published: put together in a folder of its own, so that nothing else of a training folder comes along."""

from __future__ import annotations

import shutil
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import yaml
from huggingface_hub import EvalResultEntry, eval_result_entries_to_yaml

from ..checkpoints.loading import load_checkpoint
from ..errors import InputError
from ..original_names import PICKLES, checkpoint_folder
from .cards import CARD
from .model_card import model_card
from .run_record import RunRecord, read_config, read_record, write_record


LIMIT_GB = 5.0

_ONNX = (".onnx", ".onnx_data", ".data", ".json")
_TEXTS = (".csv", ".jsonl", ".parquet", ".arrow", ".txt", ".tsv")
_PICKLE_ENDINGS = (*PICKLES, ".pkl", ".pickle", ".joblib", ".ckpt")
# The opcode of a protocol and its number. Older protocols have no such start and are known by their ending alone.
_PICKLE_STARTS = tuple(bytes((0x80, protocol)) for protocol in range(2, 6))


@dataclass(frozen=True)
class Publication:
    """A folder all of whose files are published.

    Attributes:
        repo_type: `"model"` or `"dataset"`.
        folder: The folder.
        left_out: What stands beside these files where they come from, and why it stays there.
    """

    repo_type: str
    folder: Path
    left_out: dict[str, str] = field(default_factory=dict)

    @property
    def files(self) -> dict[str, int]:
        """Path in the repository to size in bytes."""
        paths = sorted(path for path in self.folder.rglob("*") if path.is_file())
        return {path.relative_to(self.folder).as_posix(): path.stat().st_size for path in paths}

    def check(self, limit_gb: float = LIMIT_GB) -> None:
        """Raises an `InputError` if a file runs code when it is loaded, or is too large."""
        for name, size in self.files.items():
            if is_pickle(self.folder / name):
                raise InputError(f"{name} is a pickle, which runs code when it is loaded: it is not published.")
            if size > limit_gb * 1e9:
                raise InputError(f"{name} has {size / 1e9:.1f} GB, more than --max_file_gb {limit_gb:g}.")


def stage_model(
    name: str,
    staging: Path,
    *,
    repo_id: str | None = None,
    dataset_repo_id: str | None = None,
    card: Path | None = None,
) -> Publication:
    """Puts a checkpoint together: weights, code, tokenizer, metrics, plots, ONNX if there is, and the card.

    Weights, configuration and code are written anew, so that they are of one version, without pickles, and without
    anything that somebody put beside them.

    Args:
        name: The checkpoint's folder.
        staging: An empty folder.
        repo_id: Where it will be.
        dataset_repo_id: Where the corpus is that it was trained on, if it is on the Hub.
        card: A card to take instead of the one that is made.

    Raises:
        InputError: If the folder is no checkpoint with its tokenizer, or holds a pickle.
    """
    source = checkpoint_folder(name)
    if not source.is_dir():
        raise InputError(f"{name}: there is no such folder.")
    for path in sorted(source.iterdir()):
        if path.is_file() and is_pickle(path):
            raise InputError(f"{path} is a pickle, which runs code when it is loaded: remove it, or convert it first.")
    # Before the model, whose error would be of weights where the folder is of something else.
    read_config(source)
    record = read_record(source)
    model, tokenizer = load_checkpoint(str(source))
    model.save_pretrained(staging)
    tokenizer.save_pretrained(staging)
    plots = [f"confusion_{mechanism}.png" for mechanism in model.config.mechanisms]
    plots += ["reliability.png", "loss_curve.png"]
    exported = [path.relative_to(source).as_posix() for path in source.glob("onnx/*") if path.suffix in _ONNX]
    copied = [name for name in (*plots, *exported) if (source / name).is_file()]
    for name in copied:
        (staging / name).parent.mkdir(exist_ok=True)
        shutil.copyfile(source / name, staging / name)
    write_record(record, staging)
    if dataset_repo_id is not None and record.test:
        _write_eval_results(staging, record, dataset_repo_id, model.config.mechanisms)
    if card is None:
        text = model_card(source, repo_id=repo_id, dataset_repo_id=dataset_repo_id, files=copied)
        (staging / CARD).write_text(text, encoding="utf-8")
    else:
        shutil.copyfile(card, staging / CARD)
    return Publication("model", staging, _left_out(source, staging))


def is_pickle(path: Path) -> bool:
    """Whether a file is a pickle by its name or by its first bytes, or a zip archive that holds one, as `.pth` are."""
    if path.suffix in _PICKLE_ENDINGS:
        return True
    with path.open("rb") as file:
        if file.read(2) in _PICKLE_STARTS:
            return True
    if zipfile.is_zipfile(path):
        with zipfile.ZipFile(path) as archive:
            return any(name.endswith(_PICKLE_ENDINGS) for name in archive.namelist())
    return False


def _write_eval_results(staging: Path, record: RunRecord, dataset_repo_id: str, mechanisms: Sequence[str]) -> None:
    """The results as the Hub shows them beside the data set they were measured on."""
    # One value for each task: macro-F1, because accuracy says little where a level is rare.
    entries = [
        EvalResultEntry(
            dataset_id=dataset_repo_id,
            task_id=mechanism,
            value=round(record.test[f"{mechanism}_macro_f1"], 4),
            notes="macro-F1 of the level, test split",
        )
        for mechanism in mechanisms
    ]
    folder = staging / ".eval_results"
    folder.mkdir()
    (folder / "epitome.yaml").write_text(yaml.safe_dump(eval_result_entries_to_yaml(entries), sort_keys=False))


def _left_out(source: Path, staging: Path) -> dict[str, str]:
    reasons = {}
    for path in sorted(source.iterdir()):
        if not (staging / path.name).exists():
            name = f"{path.name}/" if path.is_dir() else path.name
            if path.suffix in _TEXTS:
                reasons[name] = "may hold what people wrote"
            elif path.name.startswith("checkpoint-"):
                reasons[name] = "a step on the way"
            else:
                reasons[name] = "not part of a published checkpoint"
    return reasons
