"""A part of the report: what it estimates, shows and says."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from math import isfinite

from ..files.svg_figures import Figure
from .estimates import Estimate


@dataclass
class Section:
    """A part of the report.

    Attributes:
        name: In the files: `change`.
        title: In the report.
        question: What it asks.
        estimates: What was found.
        figures: What is shown.
        notes: What a reader must know to read it rightly.
        left_out: Why the section, or a part of it, is not there.
        planned: Mechanism's code to how many labels a wanted interval needs.
    """

    name: str
    title: str
    question: str
    estimates: list[Estimate] = field(default_factory=list)
    figures: list[Figure] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    left_out: list[str] = field(default_factory=list)
    planned: dict[str, dict[str, int]] = field(default_factory=dict)

    def add(self, *estimates: Estimate) -> None:
        """Adds estimates.

        One without a number, or with an interval without an end, is left out, which is said; where that is so of the
        corrected number alone, the estimate can't be corrected.
        """
        for one in estimates:
            corrected = [one.corrected, one.corrected_low, one.corrected_high]
            if not all(value is None or isfinite(value) for value in corrected):
                one = replace(one, corrected=None, corrected_low=None, corrected_high=None, is_correctable=False)
            if all(isfinite(value) for value in (one.estimate, one.low, one.high)):
                self.estimates.append(one)
            else:
                what = ", ".join(part for part in (one.mechanism, one.outcome, one.contrast) if part)
                self.left_out.append(f"{what}: there is too little to estimate it from.")
