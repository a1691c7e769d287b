"""What a training run leaves behind: metrics, held-out predictions, plots, and a few pairs to read."""

from __future__ import annotations

import json
import platform
from collections.abc import Iterable, Sequence
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import Any

import datasets
import numpy as np
import torch
from transformers.utils import logging

from .configuration_empathy import EmpathyConfig
from .encoded_pairs import EncodedPair
from .files import write_whole
from .pipeline_empathy import describe_mechanism


logger = logging.get_logger(__name__)

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
    "token-F1 (all)": "all_token_f1_macro",
}
_LIBRARIES = ("torch", "transformers", "datasets", "accelerate", "tokenizers", "safetensors")


def metrics_table(metrics: dict[str, float], mechanisms: Sequence[str]) -> str:
    """The metrics of each mechanism as a Markdown table.

    Args:
        metrics: `{mechanism}_{metric}` to value, without a split's prefix.
        mechanisms: The rows.
    """
    lines = ["| mechanism | " + " | ".join(TABLE) + " |", "|---" * (len(TABLE) + 1) + "|"]
    for mechanism in mechanisms:
        cells = [f"{metrics[f'{mechanism}_{name}']:.3f}" for name in TABLE.values()]
        lines.append(f"| {mechanism.replace('_', ' ')} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


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
        "definitions": "those of modeling_empathy/metrics.py; rationales as ERASER (DeYoung et al. 2020)",
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
        features: Rows of [`~modeling_empathy.features.build_features`], in the order of the predictions.
        predictions: `(pair, mechanism, level)` logits and `(pair, token, mechanism)` rationale probabilities.
        config: The model's.

    Returns:
        For each pair its ids and posts, and for each mechanism a struct of `annotated_level`, `level`, `label`,
        `score`, `level_probabilities` and `rationales`.
    """
    level_probabilities = torch.tensor(predictions[0]).softmax(-1)
    rationale_probabilities = torch.tensor(predictions[1])
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
        for position, mechanism in enumerate(config.mechanisms):
            described = describe_mechanism(
                pair,
                level_probabilities[index, position].tolist(),
                rationale_probabilities[index, :, position].tolist(),
                config.rationale_thresholds[position],
                config.id2label,
            )
            probabilities = level_probabilities[index, position].tolist()
            out[mechanism] = {
                "annotated_level": row["empathy_labels"][position],
                **described,
                "level_probabilities": probabilities,
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


def save_plots(
    folder: Path, predictions: datasets.Dataset | None, config: EmpathyConfig, log: list[dict[str, Any]]
) -> None:
    """Writes a confusion matrix for each mechanism and the loss curve as PNG; without matplotlib, says so.

    Without predictions there is the loss curve alone.
    """
    try:
        import matplotlib
    except ImportError:
        logger.warning("Plots need matplotlib: pip install 'modeling-empathy[plots]'.")
        return
    matplotlib.use("Agg")
    write_whole(folder / "loss_curve.png", partial(_loss_figure(log).savefig, dpi=150))
    if predictions is None:
        return
    levels = [config.id2label[index] for index in range(config.num_labels)]
    for mechanism, counts in confusion_counts(predictions, config).items():
        figure = _confusion_figure(np.array(counts), levels, mechanism.replace("_", " "))
        write_whole(folder / f"confusion_{mechanism}.png", partial(figure.savefig, dpi=150))


def _confusion_figure(counts: np.ndarray, levels: list[str], title: str) -> Any:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(4.2, 3.8), layout="constrained")
    axes = figure.add_subplot()
    # Colour by the share of the annotated level, or the frequent "no" would drown the rest.
    shares = counts / counts.sum(axis=1, keepdims=True).clip(min=1)
    axes.imshow(shares, cmap="Blues", vmin=0, vmax=1)
    for row in range(len(levels)):
        for column in range(len(levels)):
            colour = "white" if shares[row, column] > 0.5 else "black"
            text = f"{counts[row, column]}\n{shares[row, column]:.0%}"
            axes.text(column, row, text, ha="center", va="center", color=colour)
    axes.set_xticks(range(len(levels)), levels)
    axes.set_yticks(range(len(levels)), levels)
    axes.set_xlabel("predicted level")
    axes.set_ylabel("annotated level")
    axes.set_title(title)
    return figure


def _loss_figure(log: list[dict[str, Any]]) -> Any:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(6.4, 3.8), layout="constrained")
    axes = figure.add_subplot()
    for key, label, style in (("loss", "training", "-"), ("eval_loss", "validation", "o--")):
        points = [(entry["epoch"], entry[key]) for entry in log if key in entry]
        if points:
            axes.plot(*zip(*points, strict=True), style, label=label)
    axes.set_xlabel("epoch")
    axes.set_ylabel("loss")
    if axes.lines:
        axes.legend()
    axes.grid(alpha=0.3)
    return figure


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
