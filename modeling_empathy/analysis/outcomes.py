"""What empathy brings: whether seekers reply, like and follow more where a response shows more of it."""

from __future__ import annotations

import numpy as np

from .classifier_error import ErrorRates
from .clustered import percentiles, resampled_sums
from .estimates import NO_BAND, Band, Estimate
from .figures import points
from .odds_ratios import add_odds_ratios
from .risk_differences import add_risk_differences
from .scored_table import ScoredTable
from .section import Section
from .settings import Settings
from .yes_or_no import Outcome


RATIOS = {"weak against none": 1, "strong against none": 2}


def outcomes(table: ScoredTable, settings: Settings) -> Section:
    """The section."""
    section = Section("outcomes", "What it brings", "Do responses that show more empathy get more in return?")
    if not settings.outcomes:
        section.left_out.append("No outcome was named: --outcome seeker_replied, for instance.")
        return section
    for place, name in enumerate(settings.outcomes):
        outcome = _as_yes_or_no(table, place, name, section)
        if outcome is None:
            continue
        if "seeker_id" in table.summary.columns:
            table.set_history(outcome.condition, outcome.known)
        for code in table.summary.mechanisms:
            _add_rates(section, table, code, outcome, settings)
        _add_adjusted(section, table, outcome, settings)
    if section.estimates:
        section.notes.append(
            "These are associations: who writes a strong response may differ from who does not, and posts that invite "
            "empathy may be replied to more often anyway."
        )
        ratios = [one for one in section.estimates if one.outcome.startswith("risk ratio")]
        if ratios:
            section.figures.append(points("outcomes", "Risk ratios, against responses without the mechanism", ratios))
    return section


def _as_yes_or_no(table: ScoredTable, place: int, name: str, section: Section) -> Outcome | None:
    column = f"outcome_{place}"
    known, distinct, low, high, median = table.connection.execute(
        f"SELECT count({column}), count(DISTINCT {column}), min({column}), max({column}), median({column}) FROM scored"
    ).fetchone()
    if not known:
        section.left_out.append(f"{name}: no response has a value.")
        return None
    if distinct < 2:
        section.left_out.append(f"{name}: all values are {low:g}.")
        return None
    if known < table.rows:
        section.notes.append(f"{name}: {table.rows - known:,} responses have no value and are not among these.")
    if (low, high, distinct) == (0, 1, 2):
        return Outcome(column, f"{column} = 1", name)
    # More than usual: means of counts are those of a few famous responses.
    if high > median:
        section.notes.append(f"{name} is a number: it counts as yes where it is above its median, {median:g}.")
        return Outcome(column, f"{column} > {median!r}", f"{name} above {median:g}")
    section.notes.append(f"{name} is a number, mostly {high:g}, its highest value, which counts as yes.")
    return Outcome(column, f"{column} = {high!r}", f"{name} of {high:g}")


def _add_rates(section: Section, table: ScoredTable, code: str, outcome: Outcome, settings: Settings) -> None:
    # The bins are no and yes.
    counts = table.level_counts(code, f"CASE WHEN {outcome.condition} THEN 1 ELSE 0 END", 2, outcome.known).counts
    people = table.level_responders(code, outcome.known)
    generator = settings.generator()
    drawn = resampled_sums(counts, settings.replicates, generator)
    total = counts.sum(0)
    rates, rates_drawn = total[1] / np.maximum(total.sum(0), 1), _rates(drawn)
    corrected, corrected_drawn = _corrected(total, drawn, settings.rates.get(code), generator)
    for level in range(3):
        if people[level] < settings.fewest:
            section.left_out.append(f"{outcome.name}, {code}: {people[level]} responders have level {level}.")
            continue
        section.add(
            Estimate(
                section.name,
                f"rate of {outcome.name}",
                code,
                f"level {level}",
                float(rates[level]),
                *percentiles(rates_drawn[:, level]),
                int(total[:, level].sum()),
                int(people[level]),
                None,
                *_within_a_share(corrected, corrected_drawn, level),
            )
        )
    for contrast, level in RATIOS.items():
        responders = int(min(people[level], people[0]))
        if responders < settings.fewest:
            continue
        with np.errstate(divide="ignore", invalid="ignore"):
            estimate, ratios = rates[level] / rates[0], rates_drawn[:, level] / rates_drawn[:, 0]
        found = _ratio(corrected, corrected_drawn, level)
        section.add(
            Estimate(
                section.name,
                f"risk ratio of {outcome.name}",
                code,
                contrast,
                float(estimate),
                *percentiles(ratios),
                int(total[:, [0, level]].sum()),
                responders,
                1.0,
                *found,
                is_correctable=corrected is None or found[0] is not None,
            )
        )


def _add_adjusted(section: Section, table: ScoredTable, outcome: Outcome, settings: Settings) -> None:
    """Adds what is left with length, questions, time and the seeker's history held fixed.

    Two models, because neither does both: odds ratios, which people know, of a sample where rows are many; and risk
    differences of all rows, of which the classifier's errors can be taken out.
    """
    fixed = {"time": "month / 12.0", **table.lengths}
    if "seeker_id" in table.summary.columns:
        fixed |= {
            "answers before": "ln(coalesce(seeker_posts, 0) + 1)",
            "their outcomes": "(coalesce(seeker_yes, 0) + 0.5) / (coalesce(seeker_known, 0) + 1)",
        }
    fixed = {key: sql for key, sql in fixed.items() if table.differs(sql, outcome.known)}
    add_risk_differences(section, table, outcome, fixed, settings)
    add_odds_ratios(section, table, outcome, fixed, settings)
    note = f"{outcome.name}, adjusted: held fixed are {', '.join(['the other mechanisms', *fixed])}."
    if settings.rates:
        note += " Of the odds ratios, the classifier's errors are not taken out; of the risk differences they are."
    section.notes.append(note)


def _rates(counts: np.ndarray) -> np.ndarray:
    """`(replicate, level)` of counts `(replicate, no or yes, level)`."""
    with np.errstate(divide="ignore", invalid="ignore"):
        return counts[:, 1] / counts.sum(1)


def _corrected(
    total: np.ndarray, drawn: np.ndarray, known: ErrorRates | None, generator: np.random.Generator
) -> tuple[np.ndarray | None, np.ndarray | None]:
    """The rates by annotated level: predicted counts are turned back into annotated ones, of yes and of no apart."""
    if known is None:
        return None, None
    centre = total @ np.linalg.inv(known.matrix)
    inverses = np.linalg.inv(known.stable_draws(len(drawn), generator))
    with np.errstate(divide="ignore", invalid="ignore"):
        return centre[1] / centre.sum(0), _rates(drawn @ inverses)


def _within_a_share(corrected: np.ndarray | None, drawn: np.ndarray | None, level: int) -> Band:
    if corrected is None or drawn is None or not np.isfinite(corrected[level]):
        return NO_BAND
    values = (corrected[level], *percentiles(drawn[:, level]))
    one, low, high = (float(np.clip(value, 0, 1)) for value in values)
    return one, low, high


def _ratio(corrected: np.ndarray | None, drawn: np.ndarray | None, level: int) -> Band:
    """None where the errors explain more than there is."""
    if corrected is None or drawn is None or corrected[0] <= 0 or corrected[level] < 0:
        return NO_BAND
    # A rate below 0 is none: no outcomes are left of it, and whatever is divided by it is without end.
    above, below = np.maximum(drawn[:, level], 0), drawn[:, 0]
    ratios = np.where(below > 0, above / np.where(below > 0, below, 1.0), np.inf)
    return float(corrected[level] / corrected[0]), *percentiles(ratios)
