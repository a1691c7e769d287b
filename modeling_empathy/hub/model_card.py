"""The card of a checkpoint, made from its configuration and from what was measured when it was trained; no network."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from huggingface_hub import EvalResult, ModelCardData

from ..corpus.provenance import CITATION
from ..evaluation.behaviour import behaviour_table, weak_families
from ..evaluation.metrics import REPORTED
from ..evaluation.report import metrics_table
from ..files.whole_files import write_whole
from ..model.configuration_empathy import EmpathyConfig
from ..model.mechanisms import LEVELS
from .cards import CARD, check_repo_id, render_card
from .run_record import RunRecord, read_config, read_record


def model_card(
    folder: Path,
    *,
    repo_id: str | None = None,
    dataset_repo_id: str | None = None,
    files: Sequence[str] = (),
    is_packed: bool = False,
) -> str:
    """Writes the card of a checkpoint.

    Args:
        folder: The checkpoint.
        repo_id: Where it will be on the Hub.
        dataset_repo_id: Where the corpus that it was trained on is on the Hub, if it is.
        files: What is published beside the weights, where it is worth a line (plots, `onnx/`).
        is_packed: Whether it is the card of a packed checkpoint, which only the package loads.

    Returns:
        Markdown with the Hub's metadata on top.

    Raises:
        InputError: If the folder holds no checkpoint of ours, or a record that can't be read.
    """
    config = read_config(folder)
    record = read_record(folder, config.mechanisms)
    if repo_id is not None:
        check_repo_id(repo_id, "repo_id")
    return render_card(
        "model_card.md",
        _metadata(config, record, repo_id, dataset_repo_id),
        title=_title(repo_id, config),
        repo_id=repo_id or "path/to/this/folder",
        config=config,
        encoder=config.encoder_config,
        record=record,
        provenance=record.provenance,
        dataset_repo_id=dataset_repo_id,
        is_packed=is_packed,
        metrics_table=metrics_table(record.measured.test, config.mechanisms) if record.measured.test else "",
        **_behaviour(record.measured.behaviour),
        level_rows=_level_rows(record.measured.confusion),
        majority=_majority(record.measured.confusion),
        levels=LEVELS,
        plots=sorted(name for name in files if name.endswith(".png")),
        onnx=sorted(name for name in files if name.endswith(".onnx")),
        citation=CITATION.strip(),
    )


def save_model_card(folder: Path) -> Path:
    """Writes the card of a checkpoint into its folder, as `README.md`."""
    text = model_card(folder, files=[path.name for path in folder.iterdir()])
    return write_whole(folder / CARD, lambda path: path.write_text(text, encoding="utf-8"))


def _title(repo_id: str | None, config: EmpathyConfig) -> str:
    named = ", ".join(mechanism.replace("_", " ") for mechanism in config.mechanisms)
    return repo_id.split("/")[-1] if repo_id else f"Empathy in text-based support: {named}"


def _metadata(
    config: EmpathyConfig, record: RunRecord, repo_id: str | None, dataset_repo_id: str | None
) -> ModelCardData:
    provenance = record.provenance
    return ModelCardData(
        language="en",
        license=provenance.licence if provenance else "unknown",
        license_name=provenance.model_licence_name if provenance else None,
        license_link=provenance.model_licence_link if provenance else None,
        library_name="transformers",
        pipeline_tag="text-classification",
        tags=["empathy", "mental-health", "rationale-extraction", "token-classification", "custom_code"],
        base_model=record.encoder,
        base_model_relation="finetune" if record.encoder else None,
        datasets=[dataset_repo_id] if dataset_repo_id else None,
        metrics=["accuracy", "f1"] if record.measured.test else None,
        # With results and without a name for them, `ModelCardData` raises.
        model_name=_title(repo_id, config) if record.test else None,
        eval_results=_eval_results(config, record, dataset_repo_id) or None,
    )


def _eval_results(config: EmpathyConfig, record: RunRecord, dataset_repo_id: str | None) -> list[EvalResult]:
    # The Hub files a result under its data set; where that is not known, the figures stand in the table alone. So do
    # those of a twin, which is another model.
    if not record.test or record.provenance is None:
        return []
    salt = record.arguments.get("data", {}).get("salt")
    return [
        EvalResult(
            task_type="token-classification" if metric.is_of_rationales else "text-classification",
            task_name="Rationale extraction" if metric.is_of_rationales else "Level of the mechanism",
            dataset_type=dataset_repo_id or record.provenance.name,
            dataset_name=f"{record.provenance.title}: {mechanism.replace('_', ' ')}",
            dataset_config=mechanism,
            dataset_split="test",
            # Another salt is another test split, and its figures are not to be put beside these.
            dataset_args={"salt": salt} if salt else None,
            metric_type=metric.hub_name,
            metric_name=metric.column,
            metric_value=round(record.test[f"{mechanism}_{metric.name}"], 4),
        )
        for mechanism in config.mechanisms
        for metric in REPORTED
        if metric.hub_name is not None
    ]


def _behaviour(measured: Mapping[str, Any]) -> dict[str, Any]:
    """What the template says of the behaviour suite; nothing where it was not measured."""
    if not measured:
        return {"behaviour": None}
    weak = [name.replace("_", " ") for name in weak_families(measured)]
    return {"behaviour": measured, "behaviour_table": behaviour_table(measured), "weak_families": weak}


def _level_rows(confusion: Mapping[str, list[list[int]]]) -> list[dict[str, Any]]:
    """For each mechanism and level: annotated and predicted pairs, precision, recall and F1."""
    rows = []
    for mechanism, counts in confusion.items():
        for level, name in enumerate(LEVELS):
            # From the confusion alone, which the record has: predictions are of texts, and stay with who trained.
            annotated, predicted = sum(counts[level]), sum(row[level] for row in counts)
            right = counts[level][level]
            rows.append(
                {
                    "mechanism": mechanism.replace("_", " "),
                    "level": name,
                    "annotated": annotated,
                    "predicted": predicted,
                    "precision": right / predicted if predicted else 0.0,
                    "recall": right / annotated if annotated else 0.0,
                    "f1": 2 * right / (annotated + predicted) if annotated + predicted else 0.0,
                    "counts": counts[level],
                }
            )
    return rows


def _majority(confusion: Mapping[str, list[list[int]]]) -> list[tuple[str, float]]:
    """The accuracy of always saying the most frequent level, for each mechanism."""
    shares = []
    for mechanism, counts in confusion.items():
        annotated = [sum(row) for row in counts]
        shares.append((mechanism.replace("_", " "), max(annotated) / max(sum(annotated), 1)))
    return shares
