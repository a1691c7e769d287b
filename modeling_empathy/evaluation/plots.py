"""Plots of a training run: confusion matrices, the reliability of the probabilities, the loss curve."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

import datasets
import numpy as np
from transformers.utils import logging

from ..files.whole_files import write_whole
from ..model.configuration_empathy import EmpathyConfig
from .calibration import expected_calibration_error, level_probabilities, reliability
from .report import confusion_counts


logger = logging.get_logger(__name__)


def save_plots(
    folder: Path, predictions: datasets.Dataset | None, config: EmpathyConfig, log: list[dict[str, Any]]
) -> None:
    """Writes the loss curve, a confusion matrix for each mechanism and how reliable their probabilities are, as PNG.

    Without predictions there is the loss curve alone; without matplotlib it says so and writes nothing.
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
    write_whole(folder / "reliability.png", partial(_reliability_figure(predictions, config).savefig, dpi=150))


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


def _reliability_figure(predictions: datasets.Dataset, config: EmpathyConfig) -> Any:
    from matplotlib.figure import Figure

    names = config.mechanisms
    figure = Figure(figsize=(3.4 * len(names), 3.8), layout="constrained")
    panels = figure.subplots(1, len(names), squeeze=False, sharey=True)[0]
    for panel, mechanism, temperature in zip(panels, names, config.level_temperatures, strict=True):
        rows = predictions[mechanism]
        labels = np.array([row["annotated_level"] for row in rows])
        calibrated = np.array([row["level_probabilities"] for row in rows])
        # The temperature is undone, up to what the softmax does not see.
        logits = np.log(calibrated.clip(min=1e-12)) * temperature
        before = level_probabilities(logits[:, None], [1.0])[:, 0]
        panel.plot([0, 1], [0, 1], color="grey", linewidth=0.8)
        for probabilities, label, style in ((before, "as trained", "o--"), (calibrated, "calibrated", "s-")):
            bins = reliability(probabilities, labels, bins=10)
            error = expected_calibration_error(probabilities, labels)
            points = [(one.confidence, one.accuracy) for one in bins]
            panel.plot(*zip(*points, strict=True), style, label=f"{label}: ECE {error:.3f}", markersize=4)
        panel.set(title=mechanism.replace("_", " "), xlabel="probability of the predicted level", xlim=(0.3, 1))
        panel.legend(fontsize="small", loc="upper left")
        panel.grid(alpha=0.3)
    panels[0].set(ylabel="share that is right", ylim=(0, 1))
    return figure
