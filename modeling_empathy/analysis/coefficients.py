"""Coefficients of mean levels as estimates: with the classifier's errors taken out where they are known."""

from __future__ import annotations

from .classifier_error import corrected_linear
from .clustered import Regression
from .estimates import NO_BAND, Band, Estimate
from .section import Section
from .settings import MEAN_LEVEL, Settings


def estimate_of(
    fitted: Regression, regressor: str, code: str, settings: Settings, section: str, outcome: str, contrast: str
) -> Estimate:
    """By how much the mean level changes with a regressor.

    Args:
        fitted: Of the shares of the levels 1 and 2, in this order.
        regressor: Whose coefficient.
        code: Of the mechanism.
        settings: Of the analysis.
        section: The section's name.
        outcome: What the coefficient is called.
        contrast: Of whom it is.
    """
    found = fitted.of(regressor, MEAN_LEVEL[1:])
    corrected: Band = NO_BAND
    if (rates := settings.rates.get(code)) is not None:
        mean, moves = fitted.vector(regressor)
        corrected = corrected_linear(mean, moves, found.freedom, MEAN_LEVEL, rates, settings.generator())
    return Estimate(
        section,
        outcome,
        code,
        contrast,
        found.estimate,
        *found.interval(),
        fitted.rows,
        fitted.responders,
        0.0,
        *corrected,
    )


def add_coefficient(
    section: Section,
    fitted: Regression | None,
    regressor: str,
    code: str,
    settings: Settings,
    outcome: str,
    contrast: str,
) -> None:
    """Adds such an estimate to a section, or says why there is none."""
    if fitted is None or fitted.responders < settings.fewest:
        who = "too few people differ to see it" if fitted is None else f"{fitted.responders} responders"
        section.left_out.append(f"{code}, {outcome}, {contrast}: {who}.")
    else:
        section.add(estimate_of(fitted, regressor, code, settings, section.name, outcome, contrast))
