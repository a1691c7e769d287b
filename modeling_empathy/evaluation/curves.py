"""Figures of a run: losses, the validation split's metrics, reliability, the lengths of posts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from ..files.svg_figures import COLOURS, MARKS, Figure, legend_above
from .calibration import expected_calibration_error, reliability
from .post_lengths import PostLengths


_DASHES = ("-", "--", ":", "-.")

# What the Trainer noted: a step's losses and metrics, with their epoch.
Log = Sequence[Mapping[str, Any]]


def loss_curves(log: Log) -> Figure:
    """The losses of training and validation, by epoch."""
    lines = {name: points_of(log, key) for name, key in (("training", "loss"), ("validation", "eval_loss"))}
    return _by_epoch("loss", "Loss by epoch", "loss", lines)


def validation_curves(log: Log, mechanisms: Sequence[str]) -> Figure:
    """The macro-F1 of each mechanism on the validation split, by epoch."""
    lines = {mechanism.replace("_", " "): points_of(log, f"eval_{mechanism}_macro_f1") for mechanism in mechanisms}
    return _by_epoch("validation", "Macro-F1 on the validation split by epoch", "macro-F1", lines)


def points_of(log: Log, key: str) -> list[tuple[float, float]]:
    """Epoch and value of what the log has by a name."""
    return [(entry["epoch"], entry[key]) for entry in log if key in entry and "epoch" in entry]


def reliability_curves(before: np.ndarray, after: np.ndarray, levels: np.ndarray, mechanisms: Sequence[str]) -> Figure:
    """How often a level with some probability is right, without and with temperatures.

    Args:
        before: `(pair, mechanism, level)`, probabilities as trained.
        after: Likewise, with the mechanisms' temperatures.
        levels: `(pair, mechanism)`, annotated ones; -100 where none is known.
        mechanisms: Their names.
    """
    names = [mechanism.replace("_", " ") for mechanism in mechanisms]
    ways = {"as trained": before, "with temperatures": after}
    errors = {
        name: {
            way: expected_calibration_error(probabilities[:, index], levels[:, index])
            for way, probabilities in ways.items()
        }
        for index, name in enumerate(names)
    }

    def draw(canvas: Any) -> None:
        panels = canvas.subplots(1, len(names), squeeze=False, sharey=True)[0]
        for index, (panel, name) in enumerate(zip(panels, names, strict=True)):
            panel.plot([0, 1], [0, 1], color="grey", linewidth=0.8)
            for place, (way, probabilities) in enumerate(ways.items()):
                # Fewer bins than the error has: points of a handful of pairs would jump about.
                bins = reliability(probabilities[:, index], levels[:, index], bins=10)
                style = {"color": COLOURS[place], "marker": MARKS[place], "linestyle": _DASHES[1 - place]}
                points = [(part.confidence, part.accuracy) for part in bins]
                panel.plot(*zip(*points, strict=True), **style, label=way, markersize=4)
            # Of three levels, the predicted one has at least a third.
            panel.set(xlabel="probability", xlim=(0.3, 1))
            before_and_after = " and ".join(f"{error:.3f}" for error in errors[name].values())
            panel.set_title(f"{name}\nerror {before_and_after}", fontsize=10)
            panel.grid(alpha=0.3)
        panels[0].set(ylabel="share that is right", ylim=(0, 1))
        handles, labels = panels[0].get_legend_handles_labels()
        canvas.legend(handles, labels, frameon=False, loc="outside upper center", ncols=len(ways))

    text = "; ".join(
        f"{name}: calibration error {found['as trained']:.3f} as trained, {found['with temperatures']:.3f} with its "
        "temperature"
        for name, found in errors.items()
    )
    return Figure("reliability", "Share of right levels by the probability of the predicted level", text, draw, 3.6)


def length_histogram(lengths: PostLengths) -> Figure:
    """How many posts have how many tokens, and where they are cut."""
    longest = max(max(counts) for counts in lengths.tokens.values())
    # What is beyond the cut by far stands in the last bin: a single long post would press the others together.
    end = min(longest, 3 * lengths.max_length)
    edges = np.linspace(0, end, 31)

    def draw(canvas: Any) -> None:
        panels = canvas.subplots(1, len(lengths.tokens), squeeze=False, sharey=True)[0]
        for place, (panel, (post, counts)) in enumerate(zip(panels, lengths.tokens.items(), strict=True)):
            panel.hist(np.minimum(counts, end), edges, color=COLOURS[place])
            panel.axvline(lengths.max_length, color="black", linestyle="--", linewidth=1)
            tokens = "tokens" if end == longest else f"tokens (longer ones at {end})"
            panel.set(title=f"{post.replace('_', ' ')}s: {lengths.cut[post]} of {len(counts)} cut", xlabel=tokens)
        panels[0].set_ylabel("pairs")

    text = "; ".join(
        f"{post.replace('_', ' ')}s: median {np.median(counts):.0f} tokens, 95 % have at most "
        f"{np.percentile(counts, 95):.0f}, the longest {max(counts)}; {lengths.cut[post]} of {len(counts)} are cut"
        for post, counts in lengths.tokens.items()
    )
    return Figure("lengths", f"Tokens of posts; the dashed line is the cut at {lengths.max_length}", text, draw, 3.0)


def _by_epoch(name: str, title: str, what: str, lines: Mapping[str, list[tuple[float, float]]]) -> Figure:
    known = {label: points for label, points in lines.items() if points}

    def draw(canvas: Any) -> None:
        panel = canvas.subplots()
        for place, (label, points) in enumerate(known.items()):
            # A point of each step would be a band.
            marker = MARKS[place] if len(points) <= 30 else None
            style = {"color": COLOURS[place], "linestyle": _DASHES[place], "marker": marker}
            panel.plot(*zip(*points, strict=True), **style, markersize=4, label=label)
        panel.set(xlabel="epoch", ylabel=what)
        panel.grid(alpha=0.3)
        if known:
            legend_above(panel, columns=len(known))

    said = [
        f"{label}: {points[0][1]:.3f} at epoch {points[0][0]:.2g}, {points[-1][1]:.3f} at epoch {points[-1][0]:.2g}"
        for label, points in known.items()
    ]
    return Figure(name, title, "; ".join(said) or "nothing was noted", draw, 3.2)
