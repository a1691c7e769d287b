"""Figures that stand in a page as SVG, drawn by matplotlib; each says in words what it shows."""

from __future__ import annotations

import io
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any


# Told apart by people who see few colours, and in grey (Okabe & Ito).
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7")
MARKS = ("o", "s", "^", "D")


@dataclass(frozen=True)
class Figure:
    """A figure.

    Attributes:
        name: Of its files, and of its place in a page.
        title: What it shows.
        text: The same in words, for who does not see it.
        draw: Draws it on the figure of matplotlib that it is given.
        height: In inches; all are as wide.
    """

    name: str
    title: str
    text: str
    draw: Callable[[Any], None]
    height: float = 4.0


def drawn(figure: Figure) -> Any:
    """The figure of matplotlib."""
    # Here, because matplotlib need not be installed. Not `pyplot`, which keeps every figure until it is closed.
    from matplotlib.figure import Figure as Canvas

    canvas = Canvas((7.2, figure.height), layout="constrained")
    figure.draw(canvas)
    return canvas


def as_svg(figure: Figure) -> str:
    """The figure as SVG to stand in a page; its letters stay letters, and the same figure has the same bytes."""
    import matplotlib

    file = io.StringIO()
    with matplotlib.rc_context({"svg.fonttype": "none", "svg.hashsalt": figure.name}):
        drawn(figure).savefig(file, format="svg", metadata={"Date": None, "Creator": None})
    svg = file.getvalue()
    # Its groups are called the same in each figure; ids that something refers to are hashed.
    return re.sub(r'<g id="[^"]*"', "<g", svg[svg.index("<svg") :])


def legend_above(panel: Any, columns: int = 2) -> None:
    """Puts a panel's legend above it, where it covers nothing."""
    panel.legend(frameon=False, loc="lower center", bbox_to_anchor=(0.5, 1.0), ncols=columns)
