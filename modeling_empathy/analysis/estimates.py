"""What an analysis finds: estimates with their intervals, one a row."""

from __future__ import annotations

from dataclasses import asdict, dataclass, fields
from typing import Any


# Of all intervals.
COVERAGE = 0.95
# A corrected number with the ends of its interval, or none.
Band = tuple[float | None, float | None, float | None]
NO_BAND: Band = (None, None, None)
UP, DOWN, UNDECIDED = "up", "down", "undecided"


@dataclass(frozen=True)
class Estimate:
    """One number with its interval.

    Attributes:
        section: Of the report.
        outcome: What is estimated, as `mean level` or `change per year of tenure`.
        mechanism: Whose levels, by its code; empty where it is of none.
        contrast: Of whom, or between whom.
        estimate: The number, from the levels that the classifier gave.
        low: Lower end of its interval.
        high: Upper end.
        n: Rows that it is of.
        responders: How many wrote them.
        null: What stands for no difference: 0, for ratios 1; None where nothing is compared.
        corrected: The number with the classifier's errors taken out; None where that was not done.
        corrected_low: Lower end of its interval, which also holds what is not known of the errors.
        corrected_high: Upper end.
        is_correctable: Whether the errors, where they are known, explain no more than there is: if they do,
            `corrected` is None, and nothing is decided.
        p: Of the difference from `null`, corrected for the number of tests; None where there is one test or none.
    """

    section: str
    outcome: str
    mechanism: str
    contrast: str
    estimate: float
    low: float
    high: float
    n: int
    responders: int
    null: float | None = None
    corrected: float | None = None
    corrected_low: float | None = None
    corrected_high: float | None = None
    is_correctable: bool = True
    p: float | None = None

    def __post_init__(self) -> None:
        # The last digits of a sum are of the order in which threads made it: so the same rows give the same numbers.
        for name, value in asdict(self).items():
            if isinstance(value, float):
                object.__setattr__(self, name, round(float(f"{value:.9g}"), 12))

    @property
    def conclusion(self) -> str:
        """`up` or `down` of what stands for no difference, if all intervals and the test say so; else `undecided`."""
        if self.null is None:
            return ""
        sides = {_side(self.low, self.high, self.null)}
        if self.corrected_low is not None and self.corrected_high is not None:
            sides.add(_side(self.corrected_low, self.corrected_high, self.null))
        if not self.is_correctable or (self.p is not None and self.p > 1 - COVERAGE):
            sides.add(UNDECIDED)
        return sides.pop() if len(sides) == 1 else UNDECIDED

    def to_row(self) -> dict[str, Any]:
        """As a row of `estimates.csv`."""
        return asdict(self) | {"conclusion": self.conclusion}


COLUMNS = (*(field.name for field in fields(Estimate)), "conclusion")


def _side(low: float, high: float, null: float) -> str:
    if low > null:
        return UP
    return DOWN if high < null else UNDECIDED
