"""A labelled part of the rows: means that lean on its labels, and how many labels a wanted interval needs.

Prediction-powered inference (Angelopoulos et al. 2023), with the weight of the predictions chosen as in PPI++
(Angelopoulos et al. 2024): the mean of all predictions, less what they are off by on the labelled rows. Its interval
holds whatever the classifier does, and is narrower than that of the labels alone where the classifier is any good. The
published package takes rows for independent; here responders are drawn, with all their rows, labelled and not.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from scipy import stats

from ..errors import InputError
from ..files.rows import check_columns, read_rows
from .classifier_error import LEVELS, ErrorRates
from .clustered import percentiles, resampled_sums
from .estimates import COVERAGE, Estimate
from .scored_table import ScoredTable
from .section import Section
from .settings import MEAN_LEVEL, SHARES, Settings
from .values import identifier_of, level_of


_FEWEST_OF_A_LEVEL = 5


def add_gold(table: ScoredTable, path: Path) -> Mapping[str, ErrorRates | None]:
    """Lays annotated levels beside the rows of the same id, as `{code}_gold`.

    Args:
        table: The rows.
        path: Of the annotated ones: `id`, and `ER_label` and so on, the annotated levels.

    Returns:
        Mechanism's code to how often its levels were taken for others; None where too few of one were annotated.

    Raises:
        InputError: If the file can't be read, an id stands in it twice, or none is that of a row.
    """
    labels, codes = _read(table, path)
    columns = ", ".join(f"{code}_gold TINYINT" for code in codes)
    table.connection.execute(f"CREATE TEMP TABLE gold (id VARCHAR, {columns})")
    table.connection.executemany(
        f"INSERT INTO gold VALUES (?{', ?' * len(codes)})", [(key, *row.values()) for key, row in labels.items()]
    )
    repeated = table.connection.execute(
        "SELECT id FROM gold JOIN scored USING (id) GROUP BY id HAVING count(*) > 1 LIMIT 1"
    ).fetchone()
    if repeated:
        raise InputError(f"{path.name}: the id {repeated[0]!r} is that of more than one scored row.")
    matched = int(table.one("SELECT count(*) FROM gold JOIN scored USING (id)"))
    if not matched:
        there = table.one("SELECT min(id) FROM scored")
        raise InputError(
            f"{path.name}: none of its {len(labels):,} ids is that of a scored row; the first is "
            f"{next(iter(labels))!r}, and scored rows have ids as {there!r}."
        )
    for code in codes:
        table.connection.execute(f"ALTER TABLE scored ADD COLUMN {code}_gold TINYINT")
    listed = ", ".join(f"{code}_gold = gold.{code}_gold" for code in codes)
    table.connection.execute(f"UPDATE scored SET {listed} FROM gold WHERE gold.id = scored.id")
    table.connection.execute("DROP TABLE gold")
    if matched < len(labels):
        table.summary.notes.append(
            f"{path.name}: {len(labels) - matched:,} of {len(labels):,} ids are of no scored row."
        )
    return {code: _rates(table, code, path.name) for code in codes}


def gold_section(table: ScoredTable, settings: Settings, codes: Sequence[str]) -> Section:
    """The section of what labels say, and how many would be needed."""
    section = Section(
        "labels", "With annotated responses", "What do annotated responses say, and how many are needed?"
    )
    for code in codes:
        _add_means(section, table, code, settings)
    if not codes:
        section.left_out.append("No annotated responses were named: --gold annotated.csv.")
    if table.responders >= settings.fewest:
        for code, rates in settings.rates.items():
            _plan(section, table, code, rates, settings)
    return section


def _plan(section: Section, table: ScoredTable, code: str, rates: ErrorRates, settings: Settings) -> None:
    counts = table.level_counts(code, "0", 1).counts
    drawn = resampled_sums(counts, settings.replicates, settings.generator())[:, 0]
    error = float((drawn @ MEAN_LEVEL / drawn.sum(1)).std())
    section.planned[code] = labels_needed(rates, counts.sum((0, 1)) / table.rows, settings.wanted, error)
    alone, powered = section.planned[code].values()
    section.notes.append(
        f"{code}: for a mean level with an interval of plus and minus {settings.wanted:g}, {alone:,} responses have "
        f"to be annotated, or {powered:,} with these scores beside them: drawn at random, each of another person."
    )


def labels_needed(rates: ErrorRates, predicted: np.ndarray, half_width: float, error: float) -> dict[str, int]:
    """How many labels give the mean level an interval of plus and minus so much.

    Args:
        rates: Of the classifier's errors.
        predicted: Shares of the predicted levels, `(level,)`.
        half_width: What is wanted, in levels.
        error: Standard error of the mean predicted level.

    Returns:
        `"labels alone"`, and `"prediction-powered"`: as many where the predictions are of too few people to help.
    """
    annotated = np.clip(predicted @ np.linalg.inv(rates.matrix), 0, None)
    joint = (annotated / annotated.sum())[:, None] * rates.matrix
    y, f = joint.sum(1), joint.sum(0)
    of_y = float(y @ MEAN_LEVEL**2 - (y @ MEAN_LEVEL) ** 2)
    of_f = float(f @ MEAN_LEVEL**2 - (f @ MEAN_LEVEL) ** 2)
    covariance = float(MEAN_LEVEL @ joint @ MEAN_LEVEL - (y @ MEAN_LEVEL) * (f @ MEAN_LEVEL))
    # How much the predictions are leaned on: the more, the more of what they are uncertain by is there, whatever is
    # annotated.
    weights = np.linspace(0, 1, 101)
    room = (half_width / float(stats.norm.ppf((1 + COVERAGE) / 2))) ** 2 - (weights * error) ** 2
    spread = of_y - 2 * weights * covariance + weights**2 * of_f
    needed = np.ceil(spread[room > 0] / room[room > 0])
    return {"labels alone": int(needed[0]), "prediction-powered": int(needed.min())}


def powered_mean(sums: np.ndarray, of_levels: np.ndarray, tuning: float) -> np.ndarray:
    """The prediction-powered mean.

    Args:
        sums: How many rows have each predicted level, then each annotated and predicted one, `(replicate, 3 + 9)`.
        of_levels: What the levels count.
        tuning: How much the predictions are leaned on: 0 not at all, 1 wholly.

    Returns:
        `(replicate,)`.
    """
    every, gold = sums[:, :LEVELS], sums[:, LEVELS:].reshape(-1, LEVELS, LEVELS)
    labelled = gold.sum((1, 2))
    with np.errstate(divide="ignore", invalid="ignore"):
        annotated = gold.sum(2) @ of_levels / labelled
        predicted = gold.sum(1) @ of_levels / labelled
        return annotated + tuning * (every @ of_levels / every.sum(1) - predicted)


def _add_means(section: Section, table: ScoredTable, code: str, settings: Settings) -> None:
    columns = {f"f{level}": f"CAST({code} = {level} AS INTEGER)" for level in range(LEVELS)}
    for annotated in range(LEVELS):
        for level in range(LEVELS):
            columns[f"g{annotated}{level}"] = (
                f"CAST(coalesce({code}_gold = {annotated} AND {code} = {level}, false) AS INTEGER)"
            )
    sums = table.sums_by_block(columns)
    labelled = int(sums[:, LEVELS:].sum())
    responders = int(table.one(f"SELECT count(DISTINCT responder) FROM scored WHERE {code}_gold IS NOT NULL"))
    if responders < settings.fewest:
        section.left_out.append(f"{code}: the annotated responses are of {responders} responders.")
        return
    drawn = resampled_sums(sums, settings.replicates, settings.generator())
    for outcome, of_levels in {"mean level": MEAN_LEVEL, **SHARES}.items():
        tuning = _tuning(sums.sum(0), of_levels)
        for contrast, weight in (("annotated responses alone", 0.0), ("prediction-powered", tuning)):
            section.add(
                Estimate(
                    section.name,
                    outcome,
                    code,
                    contrast,
                    float(powered_mean(sums.sum(0)[None], of_levels, weight)[0]),
                    *percentiles(powered_mean(drawn, of_levels, weight)),
                    labelled,
                    responders,
                )
            )


def _tuning(sums: np.ndarray, of_levels: np.ndarray) -> float:
    """How much the predictions are leaned on: not at all where they say nothing of the labels."""
    every, gold = sums[:LEVELS], sums[LEVELS:].reshape(LEVELS, LEVELS)
    joint = gold / gold.sum()
    covariance = of_levels @ joint @ of_levels - (joint.sum(1) @ of_levels) * (joint.sum(0) @ of_levels)
    share = every / every.sum()
    variance = share @ of_levels**2 - (share @ of_levels) ** 2
    if variance <= 0:
        return 0.0
    return float(np.clip(covariance / variance, 0.0, 1.0))


def _read(table: ScoredTable, path: Path) -> tuple[dict[str, dict[str, int]], list[str]]:
    labels: dict[str, dict[str, int]] = {}
    codes: list[str] = []

    def check(header: Sequence[str], name: str) -> Sequence[str]:
        codes[:] = [code for code in table.summary.mechanisms if f"{code}_label" in header]
        if not codes:
            wanted = ", ".join(f"{code}_label" for code in table.summary.mechanisms)
            raise InputError(f"{name}: none of the columns {wanted}, the annotated levels, is there.")
        return check_columns(["id", *(f"{code}_label" for code in codes)], header, name)

    for row in read_rows(path, check):
        identifier = identifier_of(row, "id")
        if identifier is None:
            raise row.error("id", "expected the id of a scored row")
        if identifier in labels:
            raise InputError(f"{row.place}: the id {identifier!r} stands twice.")
        labels[identifier] = {code: level_of(row, f"{code}_label") for code in codes}
    if not labels:
        raise InputError(f"{path.name} has no rows.")
    return labels, codes


def _rates(table: ScoredTable, code: str, source: str) -> ErrorRates | None:
    counts = np.zeros((LEVELS, LEVELS), dtype=int)
    found = table.connection.execute(
        f"SELECT {code}_gold, {code}, count(*) FROM scored WHERE {code}_gold IS NOT NULL GROUP BY ALL"
    ).fetchall()
    for annotated, predicted, number in found:
        counts[annotated, predicted] = number
    rates = ErrorRates(counts.tolist(), source)
    return rates if counts.sum(1).min() >= _FEWEST_OF_A_LEVEL and rates.can_be_corrected else None
