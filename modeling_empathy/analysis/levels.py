"""How often each level is communicated, by length, questions and place: what else differs with them is seen first."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from .classifier_error import corrected_replicates, values_of_predictions
from .clustered import percentiles, resampled_sums
from .estimates import NO_BAND, Band, Estimate
from .figures import bars
from .scored_table import LevelCounts, ScoredTable
from .section import Section
from .settings import MEAN_LEVEL, SHARES, Settings


ALL = "all responses"
ANY = "share of any"
_LENGTHS = 5  # bins of as many responses each
_PLACES = ("first", "second", "third", "later")
_QUESTIONS = ("no question", "one question", "more questions")


def levels(table: ScoredTable, settings: Settings) -> Section:
    """The section."""
    section = Section("levels", "Levels", "How often is each mechanism communicated, and how strongly?")
    for code in table.summary.mechanisms:
        found = table.level_counts(code, "0", 1)
        section.add(*of_bins(found, [ALL], code, settings, section.name, {"mean level": MEAN_LEVEL, **SHARES}))
        section.add(*_expected(table, code, settings, section.name))
    _add_bins(section, table, settings)
    if section.estimates:
        title = "Share of responses with a weak and with a strong communication of each mechanism"
        section.figures.append(bars("levels", title, section.estimates, ("share of weak", "share of strong")))
    else:
        section.left_out.append(
            f"{table.responders} responders: fewer than {settings.fewest} are too few to draw from."
        )
    return section


def _expected(table: ScoredTable, code: str, settings: Settings, section: str) -> list[Estimate]:
    """The mean of the expected levels, which the probabilities say and no threshold decides."""
    column = f"{code}_expected"
    if column not in table.summary.expected:
        return []
    known = f"{column} IS NOT NULL"
    responders = int(table.one(f"SELECT count(DISTINCT responder) FROM scored WHERE {known}"))
    if responders < settings.fewest:
        return []
    sums = table.sums_by_block({"sum": column, "rows": "1"}, known)
    rows = int(sums[:, 1].sum())
    drawn = resampled_sums(sums, settings.replicates, settings.generator())
    low, high = percentiles(drawn[:, 0] / drawn[:, 1])
    return [
        Estimate(
            section,
            "mean expected level",
            code,
            ALL,
            float(sums[:, 0].sum() / rows),
            low,
            high,
            rows,
            responders,
        )
    ]


def _add_bins(section: Section, table: ScoredTable, settings: Settings) -> None:
    courses: list[tuple[str, str, Sequence[str]]] = []
    if table.has_posts:
        courses += [("length", *_lengths(table)), ("number of questions", "least(questions, 2)", _QUESTIONS)]
    else:
        section.left_out.append("By length and questions: the rows have no response_post.")
    if "conversation_id" in table.summary.columns:
        courses.append(("place in the conversation", "least(place, 4) - 1", _PLACES))
    for by, bins, named in courses:
        for code in table.summary.mechanisms:
            found = table.level_counts(code, bins, len(named))
            outcomes = {f"mean level by {by}": MEAN_LEVEL}
            section.add(*of_bins(found, named, code, settings, section.name, outcomes))


def _lengths(table: ScoredTable) -> tuple[str, Sequence[str]]:
    """Bins of length that hold as many responses each, as an expression of SQL, and what they are called."""
    parts = [place / _LENGTHS for place in range(1, _LENGTHS)]
    cuts = sorted(set(table.one(f"SELECT quantile_disc(words, {parts}) FROM scored")))
    bounds = [0, *(cut + 1 for cut in cuts)]
    named = [f"{low} to {high} words" for low, high in zip(bounds, cuts, strict=False)]
    return " + ".join(f"CAST(words > {cut} AS INTEGER)" for cut in cuts), [*named, f"{bounds[-1]} words and more"]


def of_bins(
    found: LevelCounts,
    names: Sequence[str],
    code: str,
    settings: Settings,
    section: str,
    outcomes: Mapping[str, np.ndarray],
) -> list[Estimate]:
    """Means of bins, with intervals over responders that are drawn anew; none of bins of too few responders.

    Args:
        found: The levels of each bin.
        names: Of the bins.
        code: Of the mechanism.
        settings: Of the analysis.
        section: The section's name.
        outcomes: What a mean is called, to what the levels count in it.
    """
    generator = settings.generator()
    replicates = resampled_sums(found.counts, settings.replicates, generator)
    totals = found.counts.sum(0)
    rates = settings.rates.get(code)
    estimates = []
    for place, name in enumerate(names):
        if found.responders[place] < settings.fewest:
            continue
        shares = totals[place] / totals[place].sum()
        with np.errstate(divide="ignore", invalid="ignore"):
            drawn = replicates[:, place] / replicates[:, place].sum(1, keepdims=True)
        for outcome, of_levels in outcomes.items():
            corrected: Band = NO_BAND
            if rates is not None:
                # A share lies between 0 and 1, a mean level between 0 and 2, also where the errors explain more.
                ends = (of_levels.min(), of_levels.max())
                centre = float(shares @ values_of_predictions(rates.matrix, of_levels))
                band = percentiles(corrected_replicates(drawn, of_levels, rates, generator))
                middle, low, high = (float(np.clip(value, *ends)) for value in (centre, *band))
                corrected = (middle, low, high)
            estimates.append(
                Estimate(
                    section,
                    outcome,
                    code,
                    name,
                    float(shares @ of_levels),
                    *percentiles(drawn @ of_levels),
                    int(totals[place].sum()),
                    int(found.responders[place]),
                    None,
                    *corrected,
                )
            )
    return estimates
