"""What all sections of an analysis share."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from .classifier_error import ErrorRates


# What mean levels, and shares of levels, count the levels 0, 1 and 2 as.
MEAN_LEVEL = np.array([0.0, 1.0, 2.0])
SHARES = {
    "share of any": np.array([0.0, 1.0, 1.0]),
    "share of weak": np.array([0.0, 1.0, 0.0]),
    "share of strong": np.array([0.0, 0.0, 1.0]),
}
# What is held fixed where a response's length and its questions are: expressions of SQL.
LENGTH = {"words": "ln(words + 1)", "questions": "ln(questions + 1)"}


@dataclass(frozen=True)
class Settings:
    """How an analysis is done.

    Attributes:
        rates: Mechanism's code to the classifier's errors, where they are known.
        outcomes: Names of the outcomes, in the order of `outcome_0` and so on.
        groups: Names of the groups, likewise.
        replicates: Of the bootstrap.
        seed: Of what is drawn.
        fewest: Responders below whom nothing is said.
        modelled_rows: Rows that the models of statsmodels get: of a larger table, those of some responders; 0 leaves
            these models out.
        wanted: Half the width of the interval, in levels, for which the labels are planned.
    """

    rates: Mapping[str, ErrorRates] = field(default_factory=dict)
    outcomes: tuple[str, ...] = ()
    groups: tuple[str, ...] = ()
    replicates: int = 1000
    seed: int = 0
    fewest: int = 20
    modelled_rows: int = 20_000
    wanted: float = 0.05

    def generator(self) -> np.random.Generator:
        """Draws the same each time, whatever other sections draw."""
        return np.random.default_rng(self.seed)


def indicators(code: str) -> dict[str, str]:
    """A mechanism's levels 1 and 2 as columns of SQL: what is linear in them can be corrected for wrong levels."""
    return {"weak": f"{code} = 1", "strong": f"{code} = 2"}
