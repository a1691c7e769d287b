"""Plots of a training run: confusion matrices, the reliability of the probabilities, the loss curve."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
from transformers.utils import logging

from ..files.whole_files import write_whole
from ..model.configuration_empathy import EmpathyConfig
from .calibration import expected_calibration_error, level_probabilities, reliability


logger = logging.get_logger(__name__)


def save_plots(
    folder: Path,
    log: list[dict[str, Any]],
    config: EmpathyConfig,
    confusion: Mapping[str, list[list[int]]] = MappingProxyType({}),
    level_logits: np.ndarray | None = None,
    levels: np.ndarray | None = None,
) -> None:
    """Writes the loss curve, a confusion matrix for each mechanism and how reliable their probabilities are, as PNG.

    Without matplotlib it says so and writes nothing.

    Args:
        folder: Where they are written.
        log: Of the Trainer: losses with their epochs.
        config: The model's.
        confusion: Of held-out pairs, as of [`~modeling_empathy.evaluation.predictions.confusion_counts`].
        level_logits: Of the same pairs, `(pair, mechanism, level)`.
        levels: Their annotated levels, `(pair, mechanism)`.
    """
    try:
        import matplotlib
    except ImportError:
        logger.warning("Plots need matplotlib: pip install 'modeling-empathy[plots]'.")
        return
    matplotlib.use("Agg")  # needs no display
    figures = {"loss_curve": _loss_figure(log)}
    labels = [config.id2label[index] for index in range(config.num_labels)]
    for mechanism, counts in confusion.items():
        figures[f"confusion_{mechanism}"] = _confusion_figure(np.array(counts), labels, mechanism.replace("_", " "))
    if level_logits is not None and levels is not None:
        figures["reliability"] = _reliability_figure(level_logits, levels, config)
    for name, figure in figures.items():
        write_whole(folder / f"{name}.png", partial(figure.savefig, dpi=150))


def _confusion_figure(counts: np.ndarray, levels: list[str], title: str) -> Any:
    figure = _figure(4.2)
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
    figure = _figure(6.4)
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


def _reliability_figure(level_logits: np.ndarray, levels: np.ndarray, config: EmpathyConfig) -> Any:
    names = config.mechanisms
    figure = _figure(3.4 * len(names))
    panels = figure.subplots(1, len(names), squeeze=False, sharey=True)[0]
    ways = (
        ("as trained", "o--", level_probabilities(level_logits, [1.0] * len(names))),
        ("calibrated", "s-", level_probabilities(level_logits, config.level_temperatures)),
    )
    for index, (panel, mechanism) in enumerate(zip(panels, names, strict=True)):
        panel.plot([0, 1], [0, 1], color="grey", linewidth=0.8)
        for label, style, probabilities in ways:
            # Fewer bins than the error has: points of a handful of pairs would jump about.
            bins = reliability(probabilities[:, index], levels[:, index], bins=10)
            error = expected_calibration_error(probabilities[:, index], levels[:, index])
            points = [(part.confidence, part.accuracy) for part in bins]
            panel.plot(*zip(*points, strict=True), style, label=f"{label}: ECE {error:.3f}", markersize=4)
        # Of three levels, the predicted one has at least a third.
        panel.set(title=mechanism.replace("_", " "), xlabel="probability of the predicted level", xlim=(0.3, 1))
        panel.legend(fontsize="small", loc="upper left")
        panel.grid(alpha=0.3)
    panels[0].set(ylabel="share that is right", ylim=(0, 1))
    return figure


def _figure(width: float) -> Any:
    """An empty figure, `width` inches wide."""
    # Here, because matplotlib need not be installed. Not `pyplot`, which keeps every figure until it is closed.
    from matplotlib.figure import Figure

    return Figure(figsize=(width, 3.8), layout="constrained")
