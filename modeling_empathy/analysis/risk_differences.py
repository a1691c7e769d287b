"""Risk differences of an outcome by a linear model of all rows, whose sums can be freed of the classifier's errors."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from .clustered import INTERCEPT, are_singular, independent, percentiles, resampled_sums
from .estimates import NO_BAND, Band, Estimate
from .scored_table import ScoredTable
from .section import Section
from .settings import Settings
from .yes_or_no import Outcome


RISK_DIFFERENCE = "risk difference"


def add_risk_differences(
    section: Section, table: ScoredTable, outcome: Outcome, fixed: Mapping[str, str], settings: Settings
) -> None:
    """Adds those of each level against 0, of each mechanism with the others and `fixed` held fixed."""
    levels = {
        f"{code} {level}": f"{code} = {level}"
        for code in table.summary.mechanisms
        for level in (1, 2)
        if table.differs(f"CAST({code} = {level} AS INTEGER)", outcome.known)
    }
    moments = table.moments({**levels, **fixed, "yes": outcome.condition}, outcome.known)
    kept = independent(moments, [*levels, *fixed])
    names = list(moments.names)
    regressors, yes = [names.index(key) for key in (INTERCEPT, *kept)], names.index("yes")
    generator = settings.generator()
    total, drawn = moments.products.sum(0)[None], resampled_sums(moments.products, settings.replicates, generator)
    estimates, replicates = (solved(sums, regressors, yes) for sums in (total, drawn))
    known = {code: rates for code, rates in settings.rates.items() if f"{code} 1" in levels and f"{code} 2" in levels}
    centre = annotated_moments(total, names, {code: rates.matrix[None] for code, rates in known.items()})
    draws = {code: rates.stable_draws(len(drawn), generator) for code, rates in known.items()}
    corrected = solved(centre, regressors, yes)
    corrected_drawn = solved(annotated_moments(drawn, names, draws), regressors, yes)
    people = {code: table.level_responders(code, outcome.known) for code in table.summary.mechanisms}
    for key in levels:
        code, level = key.split()
        if key not in kept or min(people[code][0], people[code][int(level)]) < settings.fewest:
            why = "it says what others say" if key not in kept else "too few people"
            section.left_out.append(f"{outcome.name}, adjusted risk difference of {code}, level {level}: {why}.")
            continue
        place = 1 + kept.index(key)
        band: Band = NO_BAND
        if code in known:
            band = (float(corrected[0, place]), *percentiles(corrected_drawn[:, place]))
        section.add(
            Estimate(
                section.name,
                f"{RISK_DIFFERENCE} of {outcome.name}, adjusted",
                code,
                f"level {level} against 0",
                float(estimates[0, place]),
                *percentiles(replicates[:, place]),
                moments.rows,
                moments.responders,
                0.0,
                *band,
                is_correctable=code in known or code not in settings.rates,
            )
        )


def annotated_moments(moments: np.ndarray, names: Sequence[str], matrices: Mapping[str, np.ndarray]) -> np.ndarray:
    """Sums of products in which predicted levels stand, as they would be of annotated ones.

    A predicted level's indicator is, in the mean, a linear function of the annotated ones', whatever else is known of
    the response: what is expected of products with other columns follows. Of two indicators of one mechanism, the
    product is known without it.

    Args:
        moments: `(replicate, k, k)`.
        names: Of the columns; `ER 1` and `ER 2` are a mechanism's indicators.
        matrices: Mechanism's code to `P(predicted | annotated)`, `(replicate or 1, annotated, predicted)`.

    Returns:
        `(replicate, k, k)`.
    """
    names, width = list(names), len(names)
    one = names.index(INTERCEPT)
    transform = np.broadcast_to(np.eye(width), (len(moments), width, width)).copy()
    for code, matrix in matrices.items():
        places = [names.index(f"{code} 1"), names.index(f"{code} 2")]
        for level, place in enumerate(places, start=1):
            transform[:, place, one] = matrix[:, 0, level]
            for annotated, other in enumerate(places, start=1):
                transform[:, place, other] = matrix[:, annotated, level] - matrix[:, 0, level]
    inverse = np.linalg.inv(transform)
    found = inverse @ moments @ inverse.transpose(0, 2, 1)
    for code in matrices:
        first, second = names.index(f"{code} 1"), names.index(f"{code} 2")
        found[:, first, first], found[:, second, second] = found[:, first, one], found[:, second, one]
        found[:, first, second] = found[:, second, first] = 0.0
    return found


def solved(moments: np.ndarray, regressors: Sequence[int], outcome: int) -> np.ndarray:
    """The coefficients of least squares, `(replicate, regressor)`; NaN where there are none."""
    bread, meat = moments[:, regressors][:, :, regressors], moments[:, regressors, outcome]
    singular = are_singular(bread)
    bread[singular] = np.eye(len(regressors))
    found = np.linalg.solve(bread, meat[..., None])[..., 0]
    found[singular] = np.nan
    return found
