"""The rows that statsmodels' models get: of some people all, where those of all people are too many."""

from __future__ import annotations

from collections.abc import Mapping
from importlib.util import find_spec
from typing import Any, NamedTuple

from .scored_table import ScoredTable
from .section import Section
from .settings import Settings


class ModelSample(NamedTuple):
    """Rows for a model.

    Attributes:
        frame: A `pandas.DataFrame`: `responder`, and the columns that were asked for, sorted by responder and time.
        responders: How many wrote them.
        said: What a contrast says of it; empty where everybody is in it.
    """

    frame: Any
    responders: int
    said: str


def model_sample(
    section: Section, table: ScoredTable, settings: Settings, what: str, columns: Mapping[str, str], where: str
) -> ModelSample | None:
    """Draws the rows; None, with the reason among what the section leaves out, where there are none to be had.

    Args:
        section: Of the report.
        table: The rows.
        settings: Of the analysis.
        what: The models, as a reason calls them.
        columns: Name to expression of SQL.
        where: Which rows may be drawn.
    """
    if not settings.modelled_rows:
        section.left_out.append(f"{what}: no rows were given to them (--modelled_rows 0).")
        return None
    if find_spec("statsmodels") is None:
        section.left_out.append(f"{what}: they need statsmodels, pip install 'modeling-empathy[analysis]'.")
        return None
    import pandas as pd

    rows, everyone = table.connection.execute(
        f"SELECT count(*), count(DISTINCT responder) FROM scored WHERE {where}"
    ).fetchone()
    part = min(1.0, settings.modelled_rows / max(rows, 1))
    drawn = f"hash(responder + {settings.seed}) % 1000000 < {round(part * 1_000_000)}"
    listed = ", ".join(f'{sql} AS "{name}"' for name, sql in columns.items())
    frame = pd.DataFrame(
        table.columns(f"SELECT responder, {listed} FROM scored WHERE {where} AND {drawn} ORDER BY responder, nth")
    )
    responders = int(frame["responder"].nunique())
    if responders < settings.fewest:
        section.left_out.append(f"{what}: {responders} people have enough responses.")
        return None
    said = "" if responders == everyone else f" (a sample: {responders:,} of {everyone:,} responders)"
    return ModelSample(frame, responders, said)
