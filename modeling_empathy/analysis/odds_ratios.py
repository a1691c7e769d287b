"""Odds ratios of an outcome, by generalized estimating equations of statsmodels (Zeger & Liang 1986)."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from typing import Any

import numpy as np

from .clustered import Moments, independent
from .estimates import COVERAGE, Estimate
from .model_samples import model_sample
from .scored_table import ScoredTable
from .section import Section
from .settings import Settings
from .yes_or_no import Outcome


def add_odds_ratios(
    section: Section, table: ScoredTable, outcome: Outcome, fixed: Mapping[str, str], settings: Settings
) -> None:
    """Adds those of weak or strong against none, of each mechanism with the others and `fixed` held fixed."""
    codes = list(table.summary.mechanisms)
    columns = {code: f"CAST({code} > 0 AS DOUBLE)" for code in codes} | dict(fixed)
    columns["yes"] = f"CAST({outcome.condition} AS DOUBLE)"
    sample = model_sample(section, table, settings, f"{outcome.name}, odds ratios", columns, outcome.known)
    if sample is None:
        return
    frame = sample.frame
    wanted = [code for code in codes if _has_both(frame, code, settings.fewest)]
    if not wanted or frame["yes"].nunique() < 2:
        section.left_out.append(f"{outcome.name}, odds ratios: too few people have different responses.")
        return
    varied = [key for key in columns if key != "yes"]
    blocks = np.zeros(len(frame), dtype=int)
    varied = independent(Moments.of_rows(varied, blocks, frame[varied].to_numpy(dtype=float)), varied)
    found = _fitted(frame["yes"], frame[varied].astype(float), frame["responder"])
    if found is None:
        section.left_out.append(f"{outcome.name}, odds ratios: the model did not converge.")
        return
    for code in (code for code in wanted if code in varied):
        section.add(
            Estimate(
                section.name,
                f"odds ratio of {outcome.name}, adjusted",
                code,
                f"weak or strong against none{sample.said}",
                *found[code],
                len(frame),
                sample.responders,
                1.0,
            )
        )


def _has_both(frame: Any, code: str, fewest: int) -> bool:
    """Whether enough people have responses with the mechanism, and enough have some without it."""
    people = frame.groupby(code)["responder"].nunique()
    return len(people) == 2 and int(people.min()) >= fewest


def _fitted(yes: Any, regressors: Any, groups: Any) -> dict[str, tuple[float, float, float]] | None:
    """Odds ratios with their intervals, by regressor; None where the model did not arrive at any."""
    import statsmodels.api as models

    try:
        with warnings.catch_warnings():
            # Of steps on the way; whether it arrived is asked below.
            warnings.simplefilter("ignore")
            fitted = models.GEE(
                yes,
                models.add_constant(regressors - regressors.mean()),
                groups=groups,
                family=models.families.Binomial(),
                cov_struct=models.cov_struct.Exchangeable(),
            ).fit()
        intervals = np.exp(fitted.conf_int(1 - COVERAGE))
    except (np.linalg.LinAlgError, ValueError):
        return None
    if not fitted.converged or not np.isfinite(intervals.to_numpy()).all():
        return None
    return {
        name: (float(np.exp(value)), float(intervals.loc[name, 0]), float(intervals.loc[name, 1]))
        for name, value in fitted.params.items()
    }
