"""Plots of a training run as PNG, for its card: confusion matrices, reliability, the loss curve."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
from transformers.utils import logging

from ..files.svg_figures import drawn
from ..files.whole_files import write_whole
from ..model.configuration_empathy import EmpathyConfig
from .calibration import level_probabilities
from .curves import loss_curves, reliability_curves


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
    figures = {"loss_curve": drawn(loss_curves(log))}
    labels = [config.id2label[index] for index in range(config.num_labels)]
    for mechanism, counts in confusion.items():
        figures[f"confusion_{mechanism}"] = _confusion_figure(np.array(counts), labels, mechanism.replace("_", " "))
    if level_logits is not None and levels is not None:
        before, after = (
            level_probabilities(level_logits, temperatures)
            for temperatures in ([1.0] * len(config.mechanisms), config.level_temperatures)
        )
        figures["reliability"] = drawn(reliability_curves(before, after, levels, config.mechanisms))
    for name, figure in figures.items():
        write_whole(folder / f"{name}.png", partial(figure.savefig, dpi=150))


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
