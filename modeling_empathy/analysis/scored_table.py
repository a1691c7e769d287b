"""Scored rows in a data base on the disk: in the order of time, with what came before each of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from ..errors import InputError
from ..files.data_base import quoted
from .clustered import INTERCEPT, Moments
from .scored_rows import ReadSummary
from .settings import LENGTH


_BLOCKS = 2000  # of responders, at most: a standard error from so many is off by 2 %
_MONTH = 365.25 * 86400 / 12  # seconds


class LevelCounts(NamedTuple):
    """How often each level is given, in bins of responses.

    Attributes:
        counts: `(block, bin, level)`, of blocks of responders.
        responders: How many have responses in each bin, `(bin,)`.
    """

    counts: np.ndarray
    responders: np.ndarray


class ScoredTable:
    """The table `scored`, a row for each response.

    Its columns: `responder` (a number from 0), `block` (of responders, from 0), `seeker`, `conversation`, `created`
    (seconds since 1970), `month` (of the platform, from 0 at the first response), `nth` (of the responder's responses,
    from 1), `tenure` (months since the responder's first), `total` (of the responder's responses), `words`,
    `questions`, `place` (in the conversation, from 1), for each mechanism its level under its code and
    `{code}_expected`, `outcome_0` and so on, `group_0` and so on; `seeker_posts`: how many answers to the same seeker
    came before.

    Args:
        connection: To the data base.
        summary: Of what was read.
    """

    def __init__(self, connection: Any, summary: ReadSummary) -> None:
        self.connection, self.summary = connection, summary
        self.rows, self.responders, self._blocks = connection.execute(
            "SELECT count(*), count(DISTINCT responder), max(block) + 1 FROM scored"
        ).fetchone()
        self.has_posts = "response_post" in summary.columns
        # What is held fixed where a response's length and its questions are; what is of one value can't be.
        self.lengths = {name: sql for name, sql in LENGTH.items() if self.has_posts and self.differs(sql)}

    def differs(self, expression: str, where: str = "true") -> bool:
        """Whether an expression of SQL has more than one value."""
        return bool(self.one(f"SELECT min({expression}) < max({expression}) FROM scored WHERE {where}"))

    def one(self, query: str) -> Any:
        """The single value of a query."""
        return self.connection.execute(query).fetchone()[0]

    def columns(self, query: str) -> dict[str, np.ndarray]:
        """The result of a query, by column; a number that is missing is NaN."""
        found = self.connection.execute(query).fetchnumpy()
        return {
            name: column.filled(np.nan if column.dtype.kind == "f" else 0) if np.ma.isMaskedArray(column) else column
            for name, column in found.items()
        }

    def moments(self, columns: Mapping[str, str], where: str = "true", within: bool = False) -> Moments:
        """Sums of products of expressions, over the rows that have all of them.

        Args:
            columns: Name to expression of SQL.
            where: Of which rows.
            within: Whether each responder's mean is taken off, of those with more than one row; else there is an
                intercept among the columns.
        """
        names = list(columns)
        listed = ", ".join(f"CAST({sql} AS DOUBLE) AS c{place}" for place, sql in enumerate(columns.values()))
        whole = " AND ".join(f"c{place} IS NOT NULL" for place in range(len(names)))
        source = f"(SELECT * FROM (SELECT responder, block, {listed} FROM scored WHERE {where}) WHERE {whole})"
        if within:
            moved = ", ".join(f"c{place} - avg(c{place}) OVER own AS c{place}" for place in range(len(names)))
            source = (
                f"(SELECT responder, block, {moved} FROM {source} WINDOW own AS (PARTITION BY responder) "
                "QUALIFY count(*) OVER own > 1)"
            )
        else:
            names, source = [*names, INTERCEPT], f"(SELECT *, 1.0::DOUBLE AS c{len(names)} FROM {source})"
        pairs = [(one, other) for one in range(len(names)) for other in range(one, len(names))]
        sums = ", ".join(f"sum(c{one} * c{other}) AS p{one}_{other}" for one, other in pairs)
        found = self.columns(
            f"SELECT block, count(*) AS n, count(DISTINCT responder) AS people, {sums} FROM {source} GROUP BY block "
            "ORDER BY block"
        )
        products = np.zeros((len(found["n"]), len(names), len(names)))
        for one, other in pairs:
            products[:, one, other] = products[:, other, one] = found[f"p{one}_{other}"]
        return Moments(names, products, int(found["n"].sum()), int(found["people"].sum()))

    def level_counts(self, code: str, bins: str, number: int, where: str = "true") -> LevelCounts:
        """How often each level is given in each bin.

        Args:
            code: Of the mechanism.
            bins: An expression of SQL, a number from 0; what is none of them is left out.
            number: How many bins there are.
            where: Of which rows.
        """
        source = (
            f"(SELECT responder, block, CAST({bins} AS INTEGER) AS bin, {code} AS level FROM scored WHERE {where}) "
            f"WHERE bin BETWEEN 0 AND {number - 1}"
        )
        found = self.columns(f"SELECT block, bin, level, count(*) AS n FROM {source} GROUP BY ALL")
        counts = np.zeros((self._blocks, number, 3))
        counts[found["block"], found["bin"], found["level"]] = found["n"]
        people = self.columns(f"SELECT bin, count(DISTINCT responder) AS people FROM {source} GROUP BY bin")
        responders = np.zeros(number, dtype=int)
        responders[people["bin"]] = people["people"]
        return LevelCounts(counts, responders)

    def level_responders(self, code: str, where: str = "true") -> np.ndarray:
        """How many responders have a response of each level, `(level,)`."""
        found = self.columns(
            f"SELECT {code} AS level, count(DISTINCT responder) AS people FROM scored WHERE {where} GROUP BY 1"
        )
        people = np.zeros(3, dtype=int)
        people[found["level"]] = found["people"]
        return people

    def set_history(self, condition: str, known: str) -> None:
        """Sets `seeker_known` and `seeker_yes`, of the answers that a seeker got before.

        They are how many of these it is known of whether they had an outcome, and how many had it.

        Args:
            condition: An expression of SQL, true where there was.
            known: One that is true where it is known.
        """
        self.connection.execute("ALTER TABLE scored ADD COLUMN IF NOT EXISTS seeker_known BIGINT")
        self.connection.execute("ALTER TABLE scored ADD COLUMN IF NOT EXISTS seeker_yes BIGINT")
        self.connection.execute(
            f"UPDATE scored SET seeker_known = h.known, seeker_yes = h.yes FROM (SELECT number, "
            f"count(*) FILTER ({known}) OVER before AS known, count(*) FILTER ({condition}) OVER before AS yes "
            "FROM scored WHERE seeker IS NOT NULL WINDOW before AS (PARTITION BY seeker ORDER BY created, number "
            "ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING)) h WHERE h.number = scored.number"
        )

    def sums_by_block(self, columns: Mapping[str, str], where: str = "true") -> np.ndarray:
        """Sums of expressions, `(block, column)`."""
        listed = ", ".join(f"sum({sql}) AS s{place}" for place, sql in enumerate(columns.values()))
        found = self.columns(f"SELECT block, {listed} FROM scored WHERE {where} GROUP BY block")
        sums = np.zeros((self._blocks, len(columns)))
        for place in range(len(columns)):
            sums[found["block"], place] = np.asarray(found[f"s{place}"], dtype=float)
        return sums


def scored_table(connection: Any, rows: Path, summary: ReadSummary, outcomes: int, groups: int) -> ScoredTable:
    """Makes the table of rows that [`~modeling_empathy.analysis.scored_rows.write_scored_rows`] wrote.

    Args:
        connection: To an empty data base.
        rows: Their file.
        summary: Of what was read; what stands twice is counted in it.
        outcomes: How many there are.
        groups: How many there are.

    Raises:
        InputError: If no row is left.
    """
    source = f"read_parquet({quoted(rows)})"
    there = [row[0] for row in connection.execute(f"DESCRIBE SELECT * FROM {source}").fetchall()]
    _fill(connection, source, there, summary)
    connection.execute(_scored_query(_carried(summary, there, outcomes, groups)))
    connection.execute("DROP TABLE rows")
    return ScoredTable(connection, summary)


def _fill(connection: Any, source: str, there: Sequence[str], summary: ReadSummary) -> None:
    same = ", ".join(name for name in there if name != "number")
    [before] = connection.execute(f"SELECT count(*) FROM {source}").fetchone()
    # A response that stands twice, as where two dumps overlap, is one; those without ids can't be told apart.
    connection.execute(
        f"CREATE TABLE rows AS SELECT min(number) AS number, {same} FROM {source} WHERE id IS NOT NULL "
        f"GROUP BY {same} UNION ALL SELECT number, {same} FROM {source} WHERE id IS NULL"
    )
    kept, named, distinct = connection.execute("SELECT count(*), count(id), count(DISTINCT id) FROM rows").fetchone()
    if before > kept:
        summary.left_out["rows that stand twice"] += before - kept
    if named > distinct:
        summary.notes.append(f"{named - distinct:,} rows have the id of another row with other values: both are kept.")
    summary.rows = kept
    if not kept:
        reasons = ", ".join(f"{count:,} {reason}" for reason, count in summary.left_out.items())
        raise InputError(f"There is no row to analyse: {reasons or 'the input has none'}.")


def _carried(summary: ReadSummary, there: Sequence[str], outcomes: int, groups: int) -> list[str]:
    names = [*summary.mechanisms, *(f"{code}_expected" for code in summary.mechanisms)]
    names += [f"outcome_{place}" for place in range(outcomes)] + [f"group_{place}" for place in range(groups)]
    return [name for name in names if name in there]


def _scored_query(carried: Sequence[str]) -> str:
    return f"""
        CREATE TABLE scored AS
        SELECT *, responder % {_BLOCKS} AS block FROM (
            SELECT number, id, dense_rank() OVER (ORDER BY responder) - 1 AS responder, responder AS responder_id,
                seeker, conversation, created,
                CAST(floor((created - min(created) OVER ()) / {_MONTH}) AS INTEGER) AS month,
                row_number() OVER own AS nth, count(*) OVER (PARTITION BY responder) AS total,
                (created - first_value(created) OVER own) / {_MONTH} AS tenure,
                words, questions, {", ".join(carried)},
                CASE WHEN conversation IS NOT NULL THEN row_number() OVER thread END AS place,
                CASE WHEN seeker IS NOT NULL THEN row_number() OVER history - 1 END AS seeker_posts
            FROM rows
            WINDOW own AS (PARTITION BY responder ORDER BY created, number),
                history AS (PARTITION BY seeker ORDER BY created, number),
                thread AS (PARTITION BY conversation ORDER BY created, number)
        )
        """
