"""Estimates of rows that are not independent: whose responders are drawn, and not their rows.

The data base reduces rows to sums of blocks, each of whole responders (of few responders, each is a block), and all
that is here works on these: memory grows neither with the number of rows nor with that of responders. Blocks of
independent responders are independent of each other, so that intervals over blocks are intervals over responders.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from scipy import stats

from .estimates import COVERAGE


INTERCEPT = "one"
# Condition number above which regressors are taken to say the same, as the month and the number of the response of
# those who answer once a month.
_WORST_CONDITION = 1e9


@dataclass(frozen=True)
class Moments:
    """Sums of products of columns, by block of responders.

    Attributes:
        names: Of the columns, `k` of them.
        products: `(block, k, k)`.
        rows: How many rows they are of.
        responders: How many wrote them.
    """

    names: Sequence[str]
    products: np.ndarray
    rows: int
    responders: int

    @classmethod
    def of_rows(cls, names: Sequence[str], blocks: np.ndarray, columns: np.ndarray, within: bool = False) -> Moments:
        """Of rows that are in memory, each responder a block: `blocks` are numbers from 0, `columns` are `(row, k)`.

        Args:
            names: Of the columns.
            blocks: Who wrote each row.
            columns: Their values.
            within: Whether the responder's own mean is taken off each value, in place of an intercept.
        """
        number = int(blocks.max()) + 1
        counts = np.bincount(blocks, minlength=number)
        if within:
            sums = np.zeros((number, columns.shape[1]))
            np.add.at(sums, blocks, columns)
            several = counts[blocks] > 1
            columns = (columns - (sums / np.maximum(counts, 1)[:, None])[blocks])[several]
            blocks = blocks[several]
        else:
            names, columns = [INTERCEPT, *names], np.column_stack([np.ones(len(columns)), columns])
        products = np.zeros((number, columns.shape[1], columns.shape[1]))
        np.add.at(products, blocks, columns[:, :, None] * columns[:, None, :])
        return cls(list(names), products, len(columns), len(np.unique(blocks)))


class Coefficient(NamedTuple):
    """A coefficient and how sure it is.

    Attributes:
        estimate: The number.
        error: Its standard error.
        freedom: Degrees of freedom of its t interval.
    """

    estimate: float
    error: float
    freedom: float

    def interval(self) -> tuple[float, float]:
        """Its ends."""
        return interval(*self)

    def p(self) -> float:
        """Of its difference from 0."""
        if not self.error:
            return 1.0
        return float(2 * stats.t.sf(abs(self.estimate) / self.error, self.freedom))


@dataclass(frozen=True)
class Regression:
    """Coefficients of several outcomes on the same regressors.

    Attributes:
        regressors: Their names.
        coefficients: `(regressor, outcome)`.
        without: By how much they move when a block is left out, `(block, regressor, outcome)`.
        rows: How many rows it is of.
        responders: How many wrote them.
    """

    regressors: Sequence[str]
    coefficients: np.ndarray
    without: np.ndarray
    rows: int
    responders: int

    def of(self, regressor: str, weights: np.ndarray) -> Coefficient:
        """The coefficient of a weighted sum of the outcomes."""
        mean, moves = self.vector(regressor)
        moved = moves @ weights
        blocks, squares = len(moved), float((moved**2).sum())
        error = float(np.sqrt((blocks - 1) / blocks * squares))
        # As many as blocks of equal weight would have: of normal moves of one variance, the number of blocks.
        freedom = 3 * squares**2 / float((moved**4).sum()) if squares else 1.0
        return Coefficient(float(mean @ weights), error, float(np.clip(freedom, 1.0, blocks - 1)))

    def vector(self, regressor: str) -> tuple[np.ndarray, np.ndarray]:
        """A regressor's coefficients of all outcomes, and how they move without each block, `(block, outcome)`."""
        place = list(self.regressors).index(regressor)
        return self.coefficients[place], self.without[:, place]


def least_squares(moments: Moments, outcomes: Sequence[str], regressors: Sequence[str]) -> Regression | None:
    """Least squares, and what leaving out each block of responders does to it (the jackknife; MacKinnon & White 1985).

    Of moments within responders, each responder has an intercept of its own, and who differs from whom plays no part:
    neither who stays longer nor who begins higher. Of the others, all have one.

    Returns:
        None where the regressors do not differ, say the same, or differ because of a single block.
    """
    names = list(moments.names)
    regressors = ([INTERCEPT] if INTERCEPT in names else []) + list(regressors)
    x, y = [names.index(name) for name in regressors], [names.index(name) for name in outcomes]
    of_x, of_xy = moments.products[:, x][:, :, x], moments.products[:, x][:, :, y]
    if len(of_x) < 2:
        return None
    total, total_xy = of_x.sum(0), of_xy.sum(0)
    others = np.concatenate([total[None], total - of_x])
    if are_singular(others).any():
        return None
    found = np.linalg.solve(others, np.concatenate([total_xy[None], total_xy - of_xy]))
    return Regression(regressors, found[0], found[1:] - found[0], moments.rows, moments.responders)


def are_singular(moments: np.ndarray) -> np.ndarray:
    """Whether a column says what others say, of each matrix of sums of products, whatever the units of its columns.

    Args:
        moments: `(matrix, k, k)`.

    Returns:
        `(matrix,)`.
    """
    scale = np.sqrt(np.maximum(np.diagonal(moments, axis1=1, axis2=2), 0))
    usable = (scale > 1e-9).all(1)
    scale[~usable] = 1.0
    scaled = moments / scale[:, :, None] / scale[:, None, :]
    usable &= np.isfinite(scaled).all((1, 2))
    return ~usable | (np.linalg.cond(np.nan_to_num(scaled)) > _WORST_CONDITION)


def independent(moments: Moments, columns: Sequence[str]) -> list[str]:
    """The columns without those that say what the ones before them, and the intercept where there is one, say."""
    names = list(moments.names)
    first = [INTERCEPT] if INTERCEPT in names else []
    kept = list(first)
    total = moments.products.sum(0)
    for column in columns:
        places = [names.index(name) for name in (*kept, column)]
        if not are_singular(total[np.ix_(places, places)][None])[0]:
            kept.append(column)
    return kept[len(first) :]


def interval(estimate: float, error: float, freedom: float) -> tuple[float, float]:
    """The t interval of an estimate."""
    half = float(stats.t.ppf((1 + COVERAGE) / 2, freedom)) * error
    return estimate - half, estimate + half


def resampled_sums(sums: np.ndarray, replicates: int, generator: np.random.Generator) -> np.ndarray:
    """Sums over blocks that are drawn anew, `(replicate, ...)` of `(block, ...)`.

    Each block is drawn as often as a Poisson variable of mean 1 says, which of many is the bootstrap.
    """
    weights = generator.poisson(1.0, (replicates, len(sums))).astype(np.float64)
    return (weights @ sums.reshape(len(sums), -1)).reshape(replicates, *sums.shape[1:])


def percentiles(replicates: np.ndarray) -> tuple[float, float]:
    """The interval of replicates.

    One without a value (NaN) may be anything: half of these count as below all, half as above. Where there are many,
    the ends of the interval are infinite.
    """
    tail = (1 - COVERAGE) / 2
    values = np.array(replicates, dtype=float)
    unknown = np.flatnonzero(np.isnan(values))
    values[unknown] = np.where(np.arange(len(unknown)) % 2, -np.inf, np.inf)
    low, high = np.quantile(values, [tail, 1 - tail], method="inverted_cdf")
    return float(low), float(high)
