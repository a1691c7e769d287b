"""What the classifier's errors do to an estimate, and the estimate without them.

A classifier that takes some strong answers for weak ones draws what two groups differ by together. Where it is known
how often an annotated level is taken for which, `P(predicted | annotated)`, the shares of the annotated levels follow
from those of the predicted ones by the inverse of that matrix, and with them each number that is linear in them:
means, differences, slopes. That holds if the classifier errs as often in the text at hand as in the text it was
measured on, and in no group otherwise than in another.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from .clustered import percentiles


LEVELS = 3
DRAWS = 1000
# Added to each count, as though half a pair had been seen in each cell: none is impossible for not having been seen.
_PRIOR = 0.5


@dataclass(frozen=True)
class ErrorRates:
    """How often annotated levels are taken for others.

    Attributes:
        counts: Pairs by annotated level and predicted one, `(annotated, predicted)`.
        source: Where they were counted.
    """

    counts: Sequence[Sequence[int]]
    source: str

    @cached_property
    def matrix(self) -> np.ndarray:
        """`P(predicted | annotated)`, a row for each annotated level."""
        counts = np.asarray(self.counts, dtype=float) + _PRIOR
        return counts / counts.sum(1, keepdims=True)

    def draws(self, number: int, generator: np.random.Generator) -> np.ndarray:
        """Matrices that the counts leave possible, `(draw, annotated, predicted)`."""
        counts = np.asarray(self.counts, dtype=float) + _PRIOR
        gamma = generator.gamma(counts, size=(number, LEVELS, LEVELS))
        return gamma / gamma.sum(2, keepdims=True)

    def stable_draws(self, number: int, generator: np.random.Generator) -> np.ndarray:
        """The same; one in which two levels look alike says nothing, and is replaced by the best guess."""
        draws = self.draws(number, generator)
        draws[np.linalg.cond(draws) > _WORST_CONDITION] = self.matrix
        return draws

    @property
    def can_be_corrected(self) -> bool:
        """Whether each annotated level was seen, and the levels are told apart at all."""
        counts = np.asarray(self.counts, dtype=float)
        return counts.shape == (LEVELS, LEVELS) and bool((counts.sum(1) > 0).all()) and _is_told_apart(self.matrix)


def values_of_predictions(matrix: np.ndarray, of_levels: np.ndarray) -> np.ndarray:
    """What each predicted level is to count so that means are those of annotated levels.

    Args:
        matrix: `P(predicted | annotated)`, or many of them, `(..., annotated, predicted)`.
        of_levels: What the annotated levels count, `(level,)`.

    Returns:
        `(..., predicted)`.
    """
    return np.linalg.solve(matrix, np.broadcast_to(of_levels, matrix.shape[:-1])[..., None])[..., 0]


def corrected_linear(
    mean: np.ndarray,
    moves: np.ndarray,
    freedom: float,
    of_levels: np.ndarray,
    rates: ErrorRates,
    generator: np.random.Generator,
) -> tuple[float, float, float]:
    """A number that is linear in the shares of the levels, without the classifier's errors.

    Args:
        mean: Of the shares of the predicted levels 1 and 2: their difference between groups, their slope.
        moves: How that moves without each block of responders, `(block, 2)`.
        freedom: Degrees of freedom of its t distribution.
        of_levels: What the annotated levels count, `(level,)`.
        rates: Of the errors.
        generator: Draws what the interval is of.

    Returns:
        The number, and the ends of its interval.
    """
    covariance = (len(moves) - 1) / len(moves) * moves.T @ moves
    drawn = generator.multivariate_normal(np.zeros(len(mean)), covariance, DRAWS, method="eigh")
    drawn = mean + drawn / np.sqrt(generator.chisquare(freedom, (DRAWS, 1)) / freedom)
    values = values_of_predictions(rates.stable_draws(DRAWS, generator), of_levels)
    # The share of level 0 falls by what the others rise.
    replicates = (drawn * (values[:, 1:] - values[:, :1])).sum(1)
    centre = values_of_predictions(rates.matrix, of_levels)
    low, high = percentiles(replicates)
    return float(mean @ (centre[1:] - centre[0])), low, high


def corrected_replicates(
    shares: np.ndarray, of_levels: np.ndarray, rates: ErrorRates, generator: np.random.Generator
) -> np.ndarray:
    """The same for shares of the three predicted levels in many replicates, `(replicate, level)`: `(replicate,)`."""
    values = values_of_predictions(rates.stable_draws(len(shares), generator), of_levels)
    return (shares * values).sum(-1)


_WORST_CONDITION = 1e3


def _is_told_apart(matrix: np.ndarray) -> bool:
    return bool(np.linalg.cond(matrix) <= _WORST_CONDITION)
