"""Figures of an analysis: bars, courses of time and points, with their intervals."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ..files.svg_figures import COLOURS, MARKS, Figure, legend_above
from ..model.mechanisms import ABBREVIATIONS
from .estimates import Estimate


NAMES = {code: name.replace("_", " ") for name, code in ABBREVIATIONS.items()}
_MOST_POINTS = 24
_ALL = "all responses"


def bars(name: str, title: str, estimates: Sequence[Estimate], outcomes: Sequence[str]) -> Figure:
    """Estimates of all responses, a group of bars for each mechanism."""
    shown = [one for one in estimates if one.outcome in outcomes and one.contrast == _ALL]
    codes = list(dict.fromkeys(one.mechanism for one in shown))

    def draw(canvas: Any) -> None:
        panel = canvas.subplots()
        for place, outcome in enumerate(outcomes):
            found = [one for one in shown if one.outcome == outcome]
            positions = [codes.index(one.mechanism) + (place - (len(outcomes) - 1) / 2) * 0.36 for one in found]
            heights = [one.estimate for one in found]
            panel.bar(positions, heights, 0.34, yerr=_errors(found), color=COLOURS[place], label=outcome, capsize=3)
        panel.set_xticks(range(len(codes)), [NAMES[code] for code in codes])
        panel.set_ylabel("share of responses")
        legend_above(panel)

    text = "; ".join(f"{NAMES[one.mechanism]}, {one.outcome} {with_interval(one)}" for one in shown)
    return Figure(name, title, text, draw)


def by_month(name: str, title: str, estimates: Sequence[Estimate]) -> Figure:
    """Mean levels by month of the platform (`month 1` and so on), a line for each mechanism."""
    lines: dict[str, list[Estimate]] = {}
    for one in estimates:
        lines.setdefault(one.mechanism, []).append(one)

    def draw(canvas: Any) -> None:
        panels = canvas.subplots(len(lines), 1, sharex=True, sharey=True, squeeze=False)[:, 0]
        for place, (panel, (code, found)) in enumerate(zip(panels, lines.items(), strict=True)):
            months = [int(one.contrast.removeprefix("month ")) for one in found]
            low, high = [one.low for one in found], [one.high for one in found]
            panel.plot(months, [one.estimate for one in found], color=COLOURS[place])
            panel.fill_between(months, low, high, color=COLOURS[place], alpha=0.25, linewidth=0)
            panel.set(title=NAMES[code], ylabel="mean level")
        panels[0].set_ylim(bottom=0)
        panels[-1].set_xlabel("month of the platform")

    said = [
        f"{NAMES[code]}: " + ", ".join(f"{with_interval(one)} in {one.contrast}" for one in (found[0], found[-1]))
        for code, found in lines.items()
    ]
    return Figure(name, title, "; ".join(said), draw, height=0.8 + 1.8 * len(lines))


def curves(
    name: str, title: str, by: str, bins: Sequence[str], naive: Sequence[Estimate], within: Sequence[Estimate]
) -> Figure:
    """The naive course of time beside that of the same responders.

    Args:
        name: Of the figure's files.
        title: Its title.
        by: What the course is by.
        bins: What its bins are called, in their order.
        naive: Mean levels of all responses, by bin.
        within: Changes since the first bin.
    """
    start = naive[0].estimate if naive[0].contrast == bins[0] else 0.0

    def draw(canvas: Any) -> None:
        panel = canvas.subplots()
        lines = ((naive, 0.0, "all responses (naive)"), (within, start, "the same responders"))
        for place, (found, moved, label) in enumerate(lines):
            places = [list(bins).index(one.contrast) + 0.1 * (place - 0.5) for one in found]
            values = [one.estimate + moved for one in found]
            style: dict[str, Any] = {"color": COLOURS[place], "marker": MARKS[place], "capsize": 3, "label": label}
            panel.errorbar(places, values, _errors(found), **style)
        panel.axhline(start, color="grey", linewidth=0.8, linestyle="--")
        panel.set_xticks(range(len(bins)), bins, rotation=30, ha="right")
        panel.set(xlabel=by, ylabel="mean level")
        legend_above(panel)

    text = (
        f"All responses: {with_interval(naive[0])} at {naive[0].contrast}, {with_interval(naive[-1])} at "
        f"{naive[-1].contrast}. The same responders change by {with_interval(within[-1])} until {within[-1].contrast}."
    )
    return Figure(name, title, text, draw)


def points(name: str, title: str, estimates: Sequence[Estimate]) -> Figure:
    """Estimates that are compared with something, one below the other; with the corrected ones beside them."""
    compared = [one for one in estimates if one.null is not None]
    shown = compared[:_MOST_POINTS]
    if len(shown) < len(compared):
        title += f" (the first {_MOST_POINTS} of {len(compared)})"

    def draw(canvas: Any) -> None:
        panel = canvas.subplots()
        for place, one in enumerate(shown):
            first = place == 0
            label = "as the classifier said" if first else None
            panel.plot([one.low, one.high], [place, place], color=COLOURS[0])
            panel.plot(one.estimate, place, MARKS[0], color=COLOURS[0], label=label)
            if one.corrected is not None:
                below, label = place + 0.28, "its errors taken out" if first else None
                panel.plot([one.corrected_low, one.corrected_high], [below, below], color=COLOURS[1])
                panel.plot(one.corrected, below, MARKS[1], color=COLOURS[1], markersize=4, label=label)
        for null in {one.null for one in shown}:
            panel.axvline(null, color="grey", linewidth=0.8, linestyle="--")
        panel.set_yticks(
            range(len(shown)), [f"{one.mechanism}, {one.contrast}" for one in shown], fontsize=8, parse_math=False
        )
        panel.invert_yaxis()
        legend_above(panel)

    text = "; ".join(f"{one.outcome}, {one.mechanism}, {one.contrast}: {with_interval(one)}" for one in shown)
    return Figure(name, title, text, draw, height=1.2 + 0.36 * len(shown))


def with_interval(one: Estimate) -> str:
    """An estimate as a sentence has it."""
    return f"{one.estimate:.3f} ({one.low:.3f} to {one.high:.3f})"


def _errors(found: Sequence[Estimate]) -> list[list[float]]:
    # A percentile of few draws may lie on the other side of the estimate.
    return [
        [max(one.estimate - one.low, 0.0) for one in found],
        [max(one.high - one.estimate, 0.0) for one in found],
    ]
