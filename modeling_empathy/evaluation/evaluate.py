"""Measures a checkpoint on annotated pairs, by the corrected definitions and by the original's."""

from __future__ import annotations

from collections.abc import Sequence

import datasets
import numpy as np
import torch
from tqdm.auto import tqdm
from transformers import PreTrainedTokenizerBase

from ..corpus.features import EmpathyDataCollator, build_features
from ..model.configuration_empathy import EmpathyConfig
from ..model.modeling_empathy import EmpathyModel
from ..model.rationale_spans import IGNORE_INDEX
from .metrics_by_mechanism import decided, metrics_by_mechanism
from .original_metrics import original_metrics
from .report import metrics_table


DEFINITIONS = ("corrected", "original")
# Column of the table that holds both definitions -> metric of either.
_BOTH = {
    "accuracy": ("accuracy", "accuracy"),
    "macro-F1": ("macro_f1", "macro_f1"),
    "token-F1": ("annotated_token_f1_macro", "token_f1"),
    "IOU-F1": ("annotated_iou_f1_macro", "iou_f1"),
}


def evaluate_checkpoint(
    model: EmpathyModel,
    tokenizer: PreTrainedTokenizerBase,
    rows: datasets.Dataset,
    mechanisms: Sequence[str],
    *,
    definitions: Sequence[str] = ("corrected",),
    batch_size: int = 32,
    show_progress: bool = True,
) -> dict[str, dict[str, float]]:
    """Computes the metrics of some of a model's mechanisms.

    Args:
        model: In evaluation mode.
        tokenizer: The model's.
        rows: Annotated pairs: of the builder, or of [`~modeling_empathy.corpus.annotated_files.read_annotated`].
        mechanisms: Which of the model's are annotated in the rows.
        definitions: `"corrected"` (`metrics.py`), `"original"` (`original_metrics.py`; the batch size is part of it).
        batch_size: Pairs scored at once.
        show_progress: Whether a bar counts batches.

    Returns:
        Definition to `{mechanism}_{metric}`.
    """
    config = model.config
    max_length = config.max_post_length
    # The original scores what a model says of padding.
    padded_length = max_length if "original" in definitions else config.padded_length
    collator = EmpathyDataCollator(tokenizer.pad_token_id, pad_to_length=padded_length)
    features = build_features(rows, tokenizer, mechanisms, max_length=max_length)
    logits, scores, labels = predict(model, features, collator, mechanisms, batch_size, show_progress)
    results = {}
    if "corrected" in definitions:
        annotated = (np.array(features["empathy_labels"]), labels)
        results["corrected"] = metrics_by_mechanism(config, features, (logits, scores), annotated, mechanisms)
    if "original" in definitions:
        labelled = build_features(rows, tokenizer, mechanisms, max_length=max_length, unannotated="original")
        results["original"] = _original(config, mechanisms, labelled, logits, scores, batch_size)
    return results


def predict(
    model: EmpathyModel,
    features: datasets.Dataset,
    collator: EmpathyDataCollator,
    mechanisms: Sequence[str],
    batch_size: int = 32,
    show_progress: bool = False,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Level logits `(pair, mechanism, level)`; rationale probabilities and labels `(pair, token, mechanism)`."""
    positions = [model.config.mechanisms.index(mechanism) for mechanism in mechanisms]
    logits, scores, labels = [], [], []
    for start in tqdm(range(0, len(features), batch_size), desc="Evaluating", disable=not show_progress):
        batch = collator(list(features.select(range(start, min(start + batch_size, len(features))))))
        labels.append(batch.pop("rationale_labels").transpose(1, 2).numpy())
        del batch["empathy_labels"]
        with torch.inference_mode():
            output = model(**{name: tensor.to(model.device) for name, tensor in batch.items()})
        logits.append(output.empathy_logits[:, positions].float().cpu().numpy())
        _, probabilities = model.probabilities(output.empathy_logits, output.rationale_logits)
        scores.append(probabilities[:, positions].transpose(1, 2).cpu().numpy())
    width = max(one.shape[1] for one in labels)

    def joined(batches: list[np.ndarray], fill: float) -> np.ndarray:
        return np.concatenate(
            [np.pad(one, ((0, 0), (0, width - one.shape[1]), (0, 0)), constant_values=fill) for one in batches]
        )

    return np.concatenate(logits), joined(scores, 0.0), joined(labels, IGNORE_INDEX)


def _original(
    config: EmpathyConfig,
    mechanisms: Sequence[str],
    labelled: datasets.Dataset,
    logits: np.ndarray,
    scores: np.ndarray,
    batch_size: int,
) -> dict[str, float]:
    token_counts = [len(ids) for ids in labelled["response_input_ids"]]
    found: dict[str, float] = {}
    for index, mechanism in enumerate(mechanisms):
        threshold = config.rationale_thresholds[config.mechanisms.index(mechanism)]
        held, thresholds = decided(config, labelled, scores[:, :, index], threshold)
        annotated = np.zeros(scores.shape[:2], dtype=int)
        for row, of_row in enumerate(labelled["rationale_labels"]):
            annotated[row, : token_counts[row]] = of_row[index]
        metrics = original_metrics(
            logits[:, index].argmax(-1),
            [of_row[index] for of_row in labelled["empathy_labels"]],
            (held >= np.array(thresholds)[:, None]).astype(int),
            annotated,
            token_counts,
            batch_size,
        )
        found |= {f"{mechanism}_{name}": value for name, value in metrics.items()}
    return found


def evaluation_table(results: dict[str, dict[str, float]], mechanisms: Sequence[str]) -> str:
    """The results as Markdown: every metric of one definition, or what both have beside each other."""
    if list(results) == ["corrected"]:
        return metrics_table(results["corrected"], mechanisms)
    lines = ["| mechanism | definition | " + " | ".join(_BOTH) + " |", "|---" * (len(_BOTH) + 2) + "|"]
    for mechanism in mechanisms:
        for definition, metrics in results.items():
            names = [pair[DEFINITIONS.index(definition)] for pair in _BOTH.values()]
            cells = [mechanism.replace("_", " "), definition, *(f"{metrics[f'{mechanism}_{n}']:.3f}" for n in names)]
            lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines)
