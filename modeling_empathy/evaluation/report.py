"""What a training run leaves behind: metrics, held-out predictions, plots, and a few pairs to read."""

from __future__ import annotations

import json
import platform
from collections.abc import Iterable, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

import datasets
import numpy as np

from ..files.whole_files import write_whole
from ..model.configuration_empathy import EmpathyConfig
from ..model.encoded_pairs import EncodedPair
from ..model.pipeline_empathy import describe_mechanism
from .calibration import level_probabilities
from .tables import table_by_mechanism


# Column of the printed table -> metric; the definitions are in metrics.py.
TABLE = {
    "accuracy": "accuracy",
    "macro-F1": "macro_f1",
    "F1 no": "f1_no",
    "F1 weak": "f1_weak",
    "F1 strong": "f1_strong",
    "kappa": "quadratic_weighted_kappa",
    "token-F1": "annotated_token_f1_macro",
    "IOU-F1": "annotated_iou_f1_macro",
    "AUPRC": "annotated_token_auprc",
    "token-F1 (shown)": "shown_token_f1_macro",
}
_LIBRARIES = ("torch", "transformers", "datasets", "accelerate", "tokenizers", "safetensors")


def metrics_table(metrics: dict[str, float], mechanisms: Sequence[str]) -> str:
    """The metrics of each mechanism as a Markdown table.

    Args:
        metrics: `{mechanism}_{metric}` to value, without a split's prefix.
        mechanisms: The rows.
    """
    results = {name: {metric: metrics[f"{name}_{metric}"] for metric in TABLE.values()} for name in mechanisms}
    return table_by_mechanism(results, TABLE)


def save_metrics(path: Path, splits: dict[str, dict[str, float]], arguments: dict[str, Any], **more: Any) -> Path:
    """Writes every split's metrics as JSON, with the arguments and library versions they came from.

    Args:
        path: The file.
        splits: Split, or definition, to `{mechanism}_{metric}`.
        arguments: What was asked for.
        **more: Further parts: `confusion` as of [`confusion_counts`], `data` about the pairs.
    """
    content = {
        "metrics": splits,
        "definitions": "those of modeling_empathy/evaluation/metrics.py; rationales as ERASER (DeYoung et al. 2020)",
        **more,
        "arguments": arguments,
        "versions": {"python": platform.python_version(), **{name: version(name) for name in _LIBRARIES}},
    }
    text = json.dumps(content, indent=2, ensure_ascii=False, default=str) + "\n"
    return write_whole(path, lambda temporary: temporary.write_text(text, encoding="utf-8"))


def held_out_predictions(
    features: datasets.Dataset, predictions: tuple[np.ndarray, np.ndarray], config: EmpathyConfig
) -> datasets.Dataset:
    """Joins predictions to the pairs they belong to.

    Args:
        features: Rows of [`~modeling_empathy.corpus.features.build_features`], in the order of the predictions.
        predictions: `(pair, mechanism, level)` logits and `(pair, token, mechanism)` rationale probabilities.
        config: The model's.

    Returns:
        For each pair its ids and posts, and for each mechanism a struct of `annotated_level`, `level`, `label`,
        `score`, `level_probabilities` and `rationales`; and for the tokens of the response `token_mask`, 1 in the
        rationale whatever the level, `token_scores`, the probabilities, and `token_labels`, what is annotated (-100 on
        special tokens and where nothing is said).
    """
    probabilities = level_probabilities(predictions[0], config.level_temperatures)
    rows = []
    for index, row in enumerate(features):
        pair = EncodedPair(
            response_post=row["response_post"],
            seeker_input_ids=row["seeker_input_ids"],
            response_input_ids=row["response_input_ids"],
            response_offsets=row["response_offsets"],
            response_special_tokens_mask=row["response_special_tokens_mask"],
            truncated={},
        )
        out = {name: row[name] for name in ("sp_id", "rp_id", "seeker_post", "response_post")}
        tokens = len(pair.response_input_ids)
        for position, mechanism in enumerate(config.mechanisms):
            scores = predictions[1][index, :tokens, position].tolist()
            said = describe_mechanism(
                pair,
                probabilities[index, position].tolist(),
                scores,
                config,
                threshold=config.rationale_thresholds[position],
                token_mask=True,
            )
            out[mechanism] = {
                "annotated_level": row["empathy_labels"][position],
                **said,
                "token_mask": said["token_mask"][:tokens],
                "level_probabilities": probabilities[index, position].tolist(),
                "token_scores": scores,
                "token_labels": row["rationale_labels"][position],
            }
        rows.append(out)
    return datasets.Dataset.from_list(rows)


def confusion_counts(predictions: datasets.Dataset, config: EmpathyConfig) -> dict[str, list[list[int]]]:
    """How often which level was predicted for which.

    Args:
        predictions: Rows of [`held_out_predictions`].
        config: The model's.

    Returns:
        For each mechanism `(annotated level, predicted level)`; pairs without an annotated level are not counted.
    """
    counts = {
        mechanism: [[0] * config.num_labels for _ in range(config.num_labels)] for mechanism in config.mechanisms
    }
    for mechanism, of_mechanism in counts.items():
        for row in predictions[mechanism]:
            if row["annotated_level"] >= 0:
                of_mechanism[row["annotated_level"]][row["level"]] += 1
    return counts


def readable_pairs(predictions: Iterable[dict[str, Any]], config: EmpathyConfig, colour: bool) -> str:
    """A few pairs as text: for each mechanism the most certain one that shows it, its rationale highlighted.

    Args:
        predictions: Rows of [`held_out_predictions`].
        config: The model's.
        colour: Whether to highlight with terminal colours or with brackets.
    """
    rows = list(predictions)
    blocks = []
    for mechanism in config.mechanisms:
        shown = [row for row in rows if row[mechanism]["rationales"]]
        if not shown:
            blocks.append(f"{mechanism.replace('_', ' ')}: shown in no held-out response")
            continue
        best = max(shown, key=lambda row: (row[mechanism]["score"], row["rp_id"]))
        said = best[mechanism]
        blocks.append(
            f"{mechanism.replace('_', ' ')}: {said['label']} ({said['score']:.2f}), "
            f"annotated {config.id2label[best[mechanism]['annotated_level']]}\n"
            f"  seeker:   {best['seeker_post']}\n"
            f"  response: {highlight(best['response_post'], said['rationales'], colour)}"
        )
    return "\n\n".join(blocks)


def highlight(text: str, rationales: Iterable[dict[str, Any]], colour: bool) -> str:
    """Marks the rationales in a text, with terminal colours or with brackets."""
    before, after = ("\033[1;30;43m", "\033[0m") if colour else ("[[", "]]")
    for span in sorted(rationales, key=lambda span: span["start"], reverse=True):
        text = text[: span["start"]] + before + text[span["start"] : span["end"]] + after + text[span["end"] :]
    return text
