"""Whether groups differ in the empathy that they communicate, with a correction for many comparisons."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from ..files.data_base import quoted
from .clustered import independent, least_squares
from .coefficients import estimate_of
from .estimates import Estimate
from .figures import points
from .scored_table import ScoredTable
from .section import Section
from .settings import MEAN_LEVEL, Settings, indicators


FIXED = ", length and questions fixed"
_MOST_GROUPS = 20


def groups(table: ScoredTable, settings: Settings) -> Section:
    """The section."""
    section = Section("groups", "Groups", "Do groups differ in the empathy that they communicate?")
    if not settings.groups:
        section.left_out.append("No group was named: --group gender, for instance.")
        return section
    adjustments: dict[str, Mapping[str, str]] = {"": {}}
    if table.lengths:
        adjustments[FIXED] = table.lengths
    for place, name in enumerate(settings.groups):
        large = _large_groups(table, f"group_{place}", name, section, settings)
        if len(large) < 2:
            section.left_out.append(f"{name}: fewer than two groups have {settings.fewest} responders.")
            continue
        for said, fixed in adjustments.items():
            section.add(*_compared(table, f"group_{place}", name, large, fixed, said, settings, section))
    if section.estimates:
        section.figures.append(points("groups", "Differences of mean levels between groups", section.estimates))
        section.notes.append(
            "Each p-value is corrected for how many comparisons there are of its group and adjustment (Holm), and "
            "decides with the intervals, each of which is of its own comparison."
        )
    return section


def _large_groups(table: ScoredTable, column: str, name: str, section: Section, settings: Settings) -> list[str]:
    found = table.connection.execute(
        f"SELECT {column}, count(DISTINCT responder) FROM scored WHERE {column} IS NOT NULL GROUP BY 1 "
        "ORDER BY count(*) DESC, 1"
    ).fetchall()
    small = [f"{value} ({responders})" for value, responders in found if responders < settings.fewest]
    if small:
        shown = ", ".join(small[:5]) + (f" and {len(small) - 5} more" if len(small) > 5 else "")
        section.left_out.append(f"{name}: fewer than {settings.fewest} responders in {shown}.")
    large = [value for value, responders in found if responders >= settings.fewest]
    if len(large) > _MOST_GROUPS:
        section.left_out.append(f"{name}: of {len(large)} groups the {_MOST_GROUPS} largest are compared.")
    return large[:_MOST_GROUPS]


def _compared(
    table: ScoredTable,
    column: str,
    name: str,
    large: Sequence[str],
    fixed: Mapping[str, str],
    said: str,
    settings: Settings,
    section: Section,
) -> list[Estimate]:
    reference, *others = large
    listed = ", ".join(map(quoted, large))
    dummies = {f"is_{place}": f"{column} = {quoted(value)}" for place, value in enumerate(others)}
    found, tests = [], []
    for code in table.summary.mechanisms:
        moments = table.moments({**indicators(code), **dummies, **fixed}, f"{column} IN ({listed})")
        kept = [key for key in independent(moments, [*dummies, *fixed]) if key not in dummies]
        fitted = least_squares(moments, ["weak", "strong"], [*dummies, *kept])
        if fitted is None:
            section.left_out.append(f"{name}, {code}{said}: it can't be estimated.")
            continue
        for key, value in zip(dummies, others, strict=True):
            contrast = f"{name}: {value}, less {reference}{said}"
            found.append(estimate_of(fitted, key, code, settings, section.name, "difference of mean levels", contrast))
            tests.append(fitted.of(key, MEAN_LEVEL[1:]).p())
    return [replace(one, p=p) for one, p in zip(found, holm(tests), strict=True)]


def holm(tests: Sequence[float]) -> list[float]:
    """p-values corrected for their number (Holm 1979)."""
    order = sorted(range(len(tests)), key=lambda place: tests[place])
    corrected, highest = [0.0] * len(tests), 0.0
    for rank, place in enumerate(order):
        highest = max(highest, min(1.0, tests[place] * (len(tests) - rank)))
        corrected[place] = highest
    return corrected
