"""Mixed models of change: a random intercept and a random slope for each responder, by statsmodels."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np

from .classifier_error import DRAWS, ErrorRates, values_of_predictions
from .clustered import interval
from .estimates import NO_BAND, Band, Estimate
from .model_samples import model_sample
from .scored_table import ScoredTable
from .section import Section
from .settings import MEAN_LEVEL, Settings


MIXED = "mixed model"
_FEWEST_RESPONSES = 3
# Each responder's time is taken from their own mean, which stands beside it: without that, the slope would also hold
# how those who stay long differ from those who do not (Mundlak 1978).
_FORMULA = "value ~ years + mean_years"
# The others of statsmodels end before the maximum in most of these models.
_OPTIMIZER = "powell"


def add_mixed_models(section: Section, table: ScoredTable, settings: Settings, outcome: str) -> None:
    """Adds each mechanism's mean change per year of tenure; of a large table, that of a sample of its responders."""
    codes = list(table.summary.mechanisms)
    columns = {code: code for code in codes} | {"years": "tenure / 12"}
    sample = model_sample(section, table, settings, "The mixed models", columns, f"total >= {_FEWEST_RESPONSES}")
    if sample is None:
        return
    frame, responders = sample.frame, sample.responders
    frame["mean_years"] = frame.groupby("responder")["years"].transform("mean")
    frame["years"] -= frame["mean_years"]
    for code in codes:
        found = _slope(frame, MEAN_LEVEL, code)
        if found is None:
            section.left_out.append(f"{code}, mixed model: it can't be fitted to these responses.")
            continue
        corrected: Band = NO_BAND
        if (rates := settings.rates.get(code)) is not None:
            corrected = _corrected(frame, code, rates, responders, settings)
        section.add(
            Estimate(
                section.name,
                outcome,
                code,
                f"{MIXED}{sample.said}",
                found[0],
                *interval(*found, responders),
                len(frame),
                responders,
                0.0,
                *corrected,
                is_correctable=corrected != NO_BAND or code not in settings.rates,
            )
        )


def _slope(frame: Any, of_levels: np.ndarray, code: str) -> tuple[float, float] | None:
    """The mean slope and its standard error, where a level counts `of_levels`."""
    import statsmodels.formula.api as formulas

    data = frame[["responder", "years", "mean_years"]].assign(value=of_levels[frame[code].to_numpy()])
    if min(data[name].nunique() for name in ("value", "years", "mean_years")) < 2:
        return None
    with warnings.catch_warnings():
        # Of variances at their border, which are a result here, and of steps on the way.
        warnings.simplefilter("ignore")
        try:
            fitted = formulas.mixedlm(_FORMULA, data, groups="responder", re_formula="~years").fit(method=_OPTIMIZER)
        except (np.linalg.LinAlgError, ValueError):
            return None
    slope, error = float(fitted.params["years"]), float(fitted.bse["years"])
    return (slope, error) if fitted.converged and np.isfinite(error) and error > 0 else None


def _corrected(frame: Any, code: str, rates: ErrorRates, responders: int, settings: Settings) -> Band:
    """The slope of what each predicted level counts so that means are those of annotated ones."""
    values = values_of_predictions(rates.matrix, MEAN_LEVEL)
    found = _slope(frame, values, code)
    if found is None:
        return NO_BAND
    # What is not known of the errors: how the slope moves with what a level counts, by that of each level alone.
    slopes = np.array([_pooled_slope(frame, frame[code].to_numpy() == level) for level in range(3)])
    draws = values_of_predictions(rates.stable_draws(DRAWS, settings.generator()), MEAN_LEVEL)
    error = float(np.hypot(found[1], (draws @ slopes).std()))
    return (found[0], *interval(found[0], error, responders))


def _pooled_slope(frame: Any, values: np.ndarray) -> float:
    """Of least squares within responders."""
    return float((frame["years"] * values).sum() / (frame["years"] ** 2).sum())
