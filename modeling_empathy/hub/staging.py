"""What is published: put together in a folder of its own, so that nothing else of a training folder comes along."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import yaml
from huggingface_hub import EvalResultEntry, eval_result_entries_to_yaml

from ..checkpoints.loading import load_checkpoint
from ..checkpoints.own_config import own_config
from ..errors import InputError
from ..evaluation.run_page import REPORT
from ..original_names import checkpoint_folder
from ..scoring.exported_graphs import check_exported, exported_files
from .cards import CARD, check_repo_id
from .model_card import model_card
from .pickles import is_pickle
from .publishable import check_plain, printable, read_card, write_png, write_tokenizer
from .report_page import copy_report
from .run_record import RunRecord, read_config, read_record, write_record


LIMIT_GB = 5.0

_TEXTS = (".csv", ".jsonl", ".parquet", ".arrow", ".txt", ".tsv", ".html")


@dataclass(frozen=True)
class Publication:
    """A folder all of whose files are published.

    Attributes:
        repo_type: `"model"`, `"dataset"` or `"space"`.
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
    has_right_to_share: bool = False,
) -> Publication:
    """Puts a checkpoint together: weights, code, tokenizer, metrics, plots, ONNX if there is, and the card.

    Weights, configuration, code, tokenizer, record and pictures are written anew, so that they are of one version and
    hold nothing that somebody put into them or beside them. Graphs are copied, once they are known to be the model's.

    Args:
        name: The checkpoint's folder.
        staging: An empty folder.
        repo_id: Where it will be.
        dataset_repo_id: Where the corpus is that it was trained on, if it is on the Hub.
        card: A card to take instead of the one that is made.
        has_right_to_share: Whether who publishes says that the texts in the run's report may be published; else it
            stays where it is.

    Raises:
        InputError: If the folder is no checkpoint with its tokenizer, holds a pickle, a link, a picture that is none
            or graphs of another model, or if the card is no text, or the report not one of this package.
    """
    source = checkpoint_folder(name)
    if dataset_repo_id is not None:
        check_repo_id(dataset_repo_id, "--dataset_repo_id")
    own_card = None if card is None else read_card(card)
    _check_source(source)
    # Before the model, whose error would be of weights where the folder is of something else.
    record = read_record(source, read_config(source).mechanisms)
    model, tokenizer = load_checkpoint(str(source))
    model.config = own_config(model.config)
    model.save_pretrained(staging)
    write_tokenizer(tokenizer, staging)
    files = _write_plots(source, staging, model.config.mechanisms)
    if exported_files(source / "onnx"):
        check_exported(source / "onnx", model, tokenizer.pad_token_id)
        files += _copy_graphs(source, staging)
    write_record(record, staging)
    if has_right_to_share and (source / REPORT).is_file():
        copy_report(source / REPORT, staging / REPORT)
    if dataset_repo_id is not None and record.test:
        _write_eval_results(staging, record, dataset_repo_id, model.config.mechanisms)
    if own_card is None:
        own_card = model_card(staging, repo_id=repo_id, dataset_repo_id=dataset_repo_id, files=files)
    (staging / CARD).write_text(own_card, encoding="utf-8", newline="")
    return Publication("model", staging, _left_out(source, staging))


def _check_source(source: Path) -> None:
    if not source.is_dir():
        raise InputError(f"{printable(source)}: there is no such folder.")
    # Before anything is read: a pipe would be waited for.
    check_plain(*sorted(source.iterdir()), *sorted(source.glob("onnx/*")))
    for path in sorted(source.iterdir()):
        if path.is_file() and is_pickle(path):
            raise InputError(
                f"{printable(path)} is a pickle, which runs code when it is loaded: remove it, or convert it first."
            )


def _write_plots(source: Path, staging: Path, mechanisms: Sequence[str]) -> list[str]:
    names = [*(f"confusion_{mechanism}.png" for mechanism in mechanisms), "reliability.png", "loss_curve.png"]
    present = [name for name in names if (source / name).is_file()]
    for name in present:
        write_png(source / name, staging / name)
    return present


def _copy_graphs(source: Path, staging: Path) -> list[str]:
    (staging / "onnx").mkdir()
    names = [f"onnx/{name}" for name in exported_files(source / "onnx")]
    for name in names:
        shutil.copyfile(source / name, staging / name)
    return names


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
    for path in [*sorted(source.iterdir()), *sorted(source.glob("onnx/*"))]:
        name = path.relative_to(source).as_posix()
        if not (staging / name).exists() and (staging / name).parent.is_dir():
            name = f"{name}/" if path.is_dir() else name
            if path.name == REPORT:
                reasons[name] = "holds what people wrote; --i_have_the_right_to_share takes it along"
            elif path.suffix in _TEXTS:
                reasons[name] = "may hold what people wrote"
            elif path.name.startswith("checkpoint-"):
                reasons[name] = "a step on the way"
            else:
                reasons[name] = "not part of a published checkpoint"
    return reasons
