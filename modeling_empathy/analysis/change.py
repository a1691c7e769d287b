"""Whether supporters change with time, or only those who stay differ from those who leave."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from .clustered import Moments, independent, least_squares
from .coefficients import add_coefficient
from .figures import NAMES, by_month, curves
from .levels import of_bins
from .mixed_models import add_mixed_models
from .scored_table import ScoredTable
from .section import Section
from .settings import MEAN_LEVEL, Settings, indicators


NAIVE, WITHIN, ADJUSTED = "all responses, naive", "within responders", "within responders, length and questions fixed"
PER_YEAR, PER_DOUBLING = "change per year of tenure", "change per doubling of responses"
# How time is counted: its name to an expression of SQL.
CLOCKS = {PER_YEAR: "tenure / 12", PER_DOUBLING: "log2(nth)"}
# What a responder begins with is the mean of so many; their change is that of the others, or who happened to begin
# high would be seen to fall.
_FIRST = 3
_STAYS = 10
_MOST_MONTHS = 600


class Course(NamedTuple):
    """A course of time in bins.

    Attributes:
        name: In the outcomes.
        bins: A number from 0, as an expression of SQL.
        named: What the bins are called.
    """

    name: str
    bins: str
    named: Sequence[str]


COURSES = (
    Course(
        "response number",
        "least(ceil(log2(nth)), 7)",
        ("1", "2", "3 to 4", "5 to 8", "9 to 16", "17 to 32", "33 to 64", "65 and more"),
    ),
    Course(
        "months since the first response",
        "CASE WHEN tenure < 1 THEN 0 WHEN tenure < 3 THEN 1 WHEN tenure < 6 THEN 2 WHEN tenure < 12 THEN 3 "
        "WHEN tenure < 24 THEN 4 ELSE 5 END",
        ("below 1", "1 to 3", "3 to 6", "6 to 12", "12 to 24", "24 and more"),
    ),
)


def change(table: ScoredTable, settings: Settings) -> Section:
    """The section."""
    section = Section(
        "change", "Change over time", "Do supporters communicate more or less empathy the longer they take part?"
    )
    repeated = table.one("SELECT count(DISTINCT responder) FROM scored WHERE total > 1")
    if repeated < settings.fewest:
        section.left_out.append(f"{repeated} responders have more than one response: too few to see a change.")
        return section
    if not table.one("SELECT max(tenure) FROM scored"):
        section.left_out.append("All responses of a responder have the same time.")
        return section
    _add_months(section, table, settings)
    for code in table.summary.mechanisms:
        for course in COURSES:
            _add_course(section, table, code, settings, course)
        _add_slopes(section, table, code, settings)
        _add_beginnings(section, table, code, settings)
        _add_who_stays(section, table, code, settings)
    add_mixed_models(section, table, settings, PER_YEAR)
    section.notes += [
        "The naive rows compare all responses: who left is missing among the later ones, so that they show who stays "
        "as much as who changes. The rows within responders compare each responder's later responses with their own "
        "earlier ones.",
        "A responder's tenure and the calendar grow together. A change of the platform, as a new rule, can't be told "
        "from learning within responders; the row of newcomers' first responses shows whether it was there for those "
        "who could not have learned.",
    ]
    return section


def _add_months(section: Section, table: ScoredTable, settings: Settings) -> None:
    months = int(table.one("SELECT max(month) + 1 FROM scored"))
    if not 2 <= months <= _MOST_MONTHS:
        section.left_out.append(f"By month of the platform: the dates cover {months} months.")
        return
    names = [f"month {month + 1}" for month in range(months)]
    outcome = "mean level by month of the platform"
    for code in table.summary.mechanisms:
        found = table.level_counts(code, "month", months)
        section.add(*of_bins(found, names, code, settings, section.name, {outcome: MEAN_LEVEL}))
    if section.estimates:
        section.figures.append(by_month("months", outcome.capitalize(), section.estimates))
    for code in table.summary.mechanisms:
        first = table.moments({**indicators(code), "years": "month / 12.0"}, "nth = 1")
        fitted = least_squares(first, ["weak", "strong"], ["years"])
        add_coefficient(
            section, fitted, "years", code, settings, "change per year of the platform", "first responses of newcomers"
        )


def _add_course(section: Section, table: ScoredTable, code: str, settings: Settings, course: Course) -> None:
    found = table.level_counts(code, course.bins, len(course.named))
    naive = of_bins(found, course.named, code, settings, section.name, {f"mean level by {course.name}": MEAN_LEVEL})
    there = [place for place in range(1, len(course.named)) if found.responders[place] >= settings.fewest]
    columns = indicators(code) | {f"bin_{place}": f"({course.bins}) = {place}" for place in there}
    moments = table.moments(columns, f"({course.bins}) IN ({', '.join(map(str, [0, *there]))})", within=True)
    fitted = least_squares(moments, ["weak", "strong"], [f"bin_{place}" for place in there]) if there else None
    section.add(*naive)
    if fitted is None:
        section.left_out.append(f"{code}, the same responders by {course.name}: too few have several responses.")
        return
    before = len(section.estimates)
    for place in there:
        add_coefficient(
            section,
            fitted,
            f"bin_{place}",
            code,
            settings,
            f"change since the first response by {course.name}",
            course.named[place],
        )
    within = section.estimates[before:]
    if naive and within:
        name = f"change_{code}_by_{course.name.replace(' ', '_')}"
        title = f"{NAMES[code].capitalize()}: mean level by {course.name}"
        section.figures.append(curves(name, title, course.name, course.named, naive, within))


def _add_slopes(section: Section, table: ScoredTable, code: str, settings: Settings) -> None:
    for name, clock in CLOCKS.items():
        columns = {**indicators(code), "time": clock}
        rows: list[tuple[str, Moments, Mapping[str, str]]] = [
            (NAIVE, table.moments(columns), {}),
            (WITHIN, table.moments(columns, within=True), {}),
        ]
        if table.lengths:
            rows.append((ADJUSTED, table.moments({**columns, **table.lengths}, within=True), table.lengths))
        for contrast, moments, fixed in rows:
            # The time comes first: what says the same is left out, be it all that is held fixed.
            regressors = ["time", *(key for key in independent(moments, ["time", *fixed]) if key != "time")]
            fitted = least_squares(moments, ["weak", "strong"], regressors)
            add_coefficient(section, fitted, "time", code, settings, name, contrast)


def _add_beginnings(section: Section, table: ScoredTable, code: str, settings: Settings) -> None:
    """By terciles of how responders began; who began alike is together, so that they are not always thirds."""
    table.connection.execute(
        "CREATE OR REPLACE TEMP TABLE initial AS WITH means AS (SELECT responder, "
        f"avg({code}) AS mean FROM scored WHERE nth <= {_FIRST} AND total > {_FIRST} + 1 GROUP BY 1), "
        "cuts AS (SELECT quantile_disc(mean, 1 / 3) AS first, quantile_disc(mean, 2 / 3) AS second FROM means) "
        "SELECT responder, mean, CAST(mean > first AS INTEGER) + CAST(mean > second AS INTEGER) AS tercile "
        "FROM means, cuts"
    )
    terciles = table.connection.execute(
        "SELECT tercile, min(mean), max(mean) FROM initial GROUP BY 1 ORDER BY 1"
    ).fetchall()
    for tercile, low, high in terciles:
        where = f"nth > {_FIRST} AND responder IN (SELECT responder FROM initial WHERE tercile = {tercile})"
        moments = table.moments({**indicators(code), "time": "tenure / 12"}, where, within=True)
        fitted = least_squares(moments, ["weak", "strong"], ["time"])
        began = f"began at {low:.2f}" + (f" to {high:.2f}" if high > low else "")
        add_coefficient(section, fitted, "time", code, settings, PER_YEAR, f"{WITHIN}, {began}")


def _add_who_stays(section: Section, table: ScoredTable, code: str, settings: Settings) -> None:
    smaller = table.one(
        f"SELECT min(people) FROM (SELECT count(DISTINCT responder) AS people FROM scored GROUP BY total > {_STAYS})"
    )
    if smaller < settings.fewest or not table.differs(f"total > {_STAYS}"):
        section.left_out.append(f"{code}, who stays: fewer than {settings.fewest} people are on one side.")
        return
    moments = table.moments({**indicators(code), "stays": f"total > {_STAYS}"}, f"nth <= {_FIRST}")
    fitted = least_squares(moments, ["weak", "strong"], ["stays"])
    add_coefficient(
        section,
        fitted,
        "stays",
        code,
        settings,
        f"difference in the first {_FIRST} responses",
        f"who writes more than {_STAYS} responses, less who writes fewer",
    )
