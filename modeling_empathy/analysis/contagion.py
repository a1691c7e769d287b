"""Whether supporters who received empathy answer with more of it, beside others of the same history.

After Chen & Xu (2021): who once asked and was answered also answers others. What was received in the week of the first
answers divides those who were shown a mechanism from those who were not; compared are their own next responses, among
supporters who had answered as often and as empathically before, in the same year.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from .classifier_error import values_of_predictions
from .clustered import percentiles
from .estimates import NO_BAND, Band, Estimate
from .scored_table import ScoredTable
from .section import Section
from .settings import MEAN_LEVEL, Settings


_NEXT = 10  # own responses that are looked at
_TOGETHER = 7 * 86400  # seconds in which answers count as received at once
_YEAR = 365.25 * 86400


def contagion(table: ScoredTable, settings: Settings) -> Section:
    """The section."""
    section = Section(
        "contagion", "Passing it on", "Does a supporter who received an empathic answer answer more empathically?"
    )
    if "seeker_id" not in table.summary.columns:
        section.left_out.append("The rows have no seeker_id.")
        return section
    both = table.one("SELECT count(DISTINCT s.seeker) FROM scored s JOIN scored r ON r.responder_id = s.seeker")
    if both < settings.fewest:
        section.left_out.append(f"{both} people have both asked and answered: too few.")
        return section
    for code in table.summary.mechanisms:
        _add(section, table, code, settings)
    if section.estimates:
        section.notes.append(
            "Who was shown the mechanism in the week of their first answers, less who was not: their next "
            f"{_NEXT} own responses, among people who had given as many responses before (0, 1, 2 to 4, 5 and more) "
            "with as high a mean level (0, up to 1, above 1) in the same year. What else differs between the two is "
            "not seen here. Answers taken for another level bring the two nearer to each other: of what was received, "
            "the classifier's errors are not taken out."
        )
    return section


def _add(section: Section, table: ScoredTable, code: str, settings: Settings) -> None:
    people = _people(table, code)
    shown = people["received"] > 0
    stratum = _strata(people)
    matched = [place for place in np.unique(stratum) if len(np.unique(shown[stratum == place])) == 2]
    kept = np.isin(stratum, matched)
    counts = int((shown & kept).sum()), int((~shown & kept).sum())
    if min(counts) < settings.fewest:
        section.left_out.append(
            f"{code}: {counts[0]} people received it and {counts[1]} of the same history did not: too few."
        )
        return
    after = np.stack([people[f"after_{level}"] for level in range(3)], axis=1)[kept]
    shares, own = after / after.sum(1, keepdims=True), (shown[kept], stratum[kept])
    generator = settings.generator()
    weights = generator.poisson(1.0, (settings.replicates, len(shares))).astype(float)
    centre, drawn = difference(shares, *own, np.ones((1, len(shares))))[0], difference(shares, *own, weights)
    corrected: Band = NO_BAND
    if (rates := settings.rates.get(code)) is not None:
        values = values_of_predictions(rates.stable_draws(settings.replicates, generator), MEAN_LEVEL)
        best = values_of_predictions(rates.matrix, MEAN_LEVEL)
        corrected = (float(centre @ best), *percentiles((drawn * values).sum(1)))
    section.add(
        Estimate(
            section.name,
            "difference of later mean levels",
            code,
            "received it, less did not",
            float(centre @ MEAN_LEVEL),
            *percentiles(drawn @ MEAN_LEVEL),
            int(after.sum()),
            sum(counts),
            0.0,
            *corrected,
        )
    )


def _people(table: ScoredTable, code: str) -> Mapping[str, np.ndarray]:
    """Who both asked and answered: what they received first, and what they answered before and behind that week."""
    return table.columns(
        f"""
        WITH first AS (SELECT seeker, min(created) AS since FROM scored WHERE seeker IS NOT NULL GROUP BY 1),
        got AS (
            SELECT f.seeker, f.since, max({code}) AS received FROM first f JOIN scored s ON s.seeker = f.seeker
            WHERE s.created <= f.since + {_TOGETHER} GROUP BY ALL
        ),
        -- Behind the week, so that no response counts that was written before all of it was received.
        answers AS (
            SELECT g.*, s.{code} AS level, s.created <= g.since AS before, s.created > g.since + {_TOGETHER} AS later,
                row_number() OVER (
                    PARTITION BY g.seeker, s.created > g.since + {_TOGETHER} ORDER BY s.created, s.number
                ) AS place
            FROM got g JOIN scored s ON s.responder_id = g.seeker
        )
        SELECT seeker, any_value(received) AS received, any_value(since) AS since,
            count(*) FILTER (before) AS before, coalesce(avg(level) FILTER (before), 0) AS level_before,
            {", ".join(f"count(*) FILTER (later AND place <= {_NEXT} AND level = {v}) AS after_{v}" for v in range(3))}
        FROM answers GROUP BY seeker HAVING count(*) FILTER (later) > 0
        ORDER BY seeker
        """
    )


def _strata(people: Mapping[str, np.ndarray]) -> np.ndarray:
    """People of one number have the same history."""
    if not len(people["since"]):
        return np.zeros(0, dtype=int)
    year = np.floor(people["since"] / _YEAR).astype(int)
    often, level = np.digitize(people["before"], [1, 2, 5]), people["level_before"]
    high = np.where(level == 0, 0, np.where(level <= 1, 1, 2))
    return np.unique(np.stack([year, often, high]), axis=1, return_inverse=True)[1].ravel()


def difference(shares: np.ndarray, shown: np.ndarray, stratum: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """The difference of shares between who was shown it and who was not, the mean of strata by how many were shown it.

    Args:
        shares: Of each person's levels, `(person, level)`.
        shown: Who was, `(person,)`.
        stratum: `(person,)`.
        weights: How often each is drawn, `(replicate, person)`.

    Returns:
        `(replicate, level)`.
    """
    total, sum_weights = np.zeros((len(weights), shares.shape[1])), np.zeros(len(weights))
    for place in np.unique(stratum):
        one, other = (stratum == place) & shown, (stratum == place) & ~shown
        of_one, of_other = weights[:, one].sum(1), weights[:, other].sum(1)
        both = (of_one > 0) & (of_other > 0)
        with np.errstate(divide="ignore", invalid="ignore"):
            found = (
                weights[:, one] @ shares[one] / of_one[:, None] - weights[:, other] @ shares[other] / of_other[:, None]
            )
        total[both] += (found * of_one[:, None])[both]
        sum_weights[both] += of_one[both]
    with np.errstate(divide="ignore", invalid="ignore"):
        return total / sum_weights[:, None]
