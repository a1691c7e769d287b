"""Makes a table of interactions of posts: who answered whom, when, and what came of it; joined on the disk."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from ..errors import InputError, shortened
from ..files.data_base import data_base, quoted
from ..files.whole_files import whole_file
from ..model.pair_inputs import in_chunks
from .people import People
from .posts import Post


# The columns of the table; further ones stand behind them.
COLUMNS = (
    "id",
    "seeker_post",
    "response_post",
    "seeker_id",
    "responder_id",
    "conversation_id",
    "created_at",
    "response_number",
    "days_since_first",
    "seeker_replied",
    "upvotes",
)
_POST = pa.schema(
    {
        "number": pa.int64(),
        "id": pa.string(),
        "reply_to": pa.string(),
        "conversation_id": pa.string(),
        "author": pa.string(),
        "created_at": pa.float64(),
        "text": pa.string(),
        "upvotes": pa.int64(),
        "pair_id": pa.string(),
        "seeker_replied": pa.bool_(),
        "problem": pa.string(),
    }
)
_POSTS_AT_ONCE = 20_000
# Of what DuckDB may hold before it writes to the disk.
_MEMORY = "2GB"


@dataclass
class InteractionsSummary:
    """What became of posts.

    Attributes:
        posts: How many there are.
        interactions: Rows of the table.
        left_out: Answers that are not in it, by the reason.
    """

    posts: int = 0
    interactions: int = 0
    left_out: dict[str, int] = field(default_factory=dict)


def write_interactions(
    posts: Iterable[Post],
    output_path: Path,
    people: People,
    more: Sequence[str] = (),
    *,
    first_level_only: bool = False,
    memory: str = _MEMORY,
) -> InteractionsSummary:
    """Writes the table of interactions: a row for each answer to somebody else, sorted by time.

    The columns are `COLUMNS` and `more`: `id` is the two posts' with an underscore between them; `created_at` is the
    answer's; `response_number` counts the answers of a responder from 1 and `days_since_first` is the time since the
    first of them, both over all that are in the table; `seeker_replied` says whether the seeker answered the answer.

    Args:
        posts: The posts, in any order.
        output_path: A Parquet file, which appears whole or not at all.
        people: Who is left out, and how names are hidden.
        more: Further columns of posts.
        first_level_only: Whether answers to what begins a conversation alone are taken.
        memory: Of DuckDB, which writes to the disk what is more: `"2GB"`.

    Raises:
        InputError: If DuckDB is not installed, two posts have the same id, or no answer is left.
    """
    counts: Counter[str] = Counter()
    tables = data_base(output_path.parent, memory, extra="conversations")
    with whole_file(output_path) as temporary, tables as (connection, folder):
        path = folder / "posts.parquet"
        _write_posts(posts, path, people, more, counts)
        connection.execute(f"CREATE VIEW posts AS SELECT * FROM read_parquet({quoted(path)})")
        _check_ids(connection)
        summary = _join(connection, temporary, more, first_level_only)
        summary.posts = counts["posts"]
        if not summary.interactions:
            reasons = [f"{count} {reason}" for reason, count in summary.left_out.items()]
            shown = ", ".join(reasons) or "no post answers another"
            raise InputError(f"There is no interaction in {summary.posts} posts: {shown}.")
    return summary


def _write_posts(posts: Iterable[Post], path: Path, people: People, more: Sequence[str], counts: Counter[str]) -> None:
    schema = _POST
    for name in more:
        schema = schema.append(pa.field(f"more_{name}", pa.string()))
    with pq.ParquetWriter(path, schema) as writer:
        for chunk in in_chunks(posts, _POSTS_AT_ONCE):
            rows = []
            for post in chunk:
                row: dict[str, Any] = {name: getattr(post, name) for name in _POST.names if hasattr(post, name)}
                row["number"] = counts["posts"]
                row["problem"] = people.problem(post)
                row["author"] = None if post.author is None else people.hidden(post.author)
                for name in more:
                    value = post.more.get(name)
                    row[f"more_{name}"] = None if value is None else str(value)
                rows.append(row)
                counts["posts"] += 1
            writer.write_table(pa.Table.from_pylist(rows, schema=schema))


def _check_ids(connection: Any) -> None:
    double = connection.execute(
        "SELECT id, count(*) FROM posts GROUP BY id HAVING count(*) > 1 ORDER BY id LIMIT 1"
    ).fetchone()
    if double is not None:
        raise InputError(f"{double[1]} posts have the id {shortened(double[0])}: an answer could be to either.")


def _join(connection: Any, temporary: Path, more: Sequence[str], first_level_only: bool) -> InteractionsSummary:
    # Why an answer is left out, the first reason that holds.
    connection.execute(
        f"""
        CREATE TABLE answers AS
        SELECT r.number, r.id AS response, s.id AS seeker,
            CASE
                WHEN s.id IS NULL THEN 'answers to a post that is not there'
                WHEN {"s.reply_to IS NOT NULL" if first_level_only else "false"} THEN 'answers to answers'
                WHEN r.problem IS NOT NULL THEN 'answers: ' || r.problem
                WHEN s.problem IS NOT NULL THEN 'seeker posts: ' || s.problem
                WHEN r.author = s.author THEN 'answers to oneself'
            END AS reason
        FROM posts r LEFT JOIN posts s ON r.reply_to = s.id
        WHERE r.reply_to IS NOT NULL
        """
    )
    reasons = connection.execute(
        "SELECT reason, count(*) FROM answers WHERE reason IS NOT NULL GROUP BY reason ORDER BY count(*) DESC, reason"
    ).fetchall()
    kept = "".join(f', r."more_{_identifier(name)}" AS "{_identifier(name)}"' for name in more)
    connection.execute(
        f"""
        COPY (
            SELECT coalesce(r.pair_id, s.id || '_' || r.id) AS id, s.text AS seeker_post, r.text AS response_post,
                s.author AS seeker_id, r.author AS responder_id,
                coalesce(r.conversation_id, s.conversation_id, r.pair_id, s.id) AS conversation_id,
                to_timestamp(r.created_at) AS created_at,
                row_number() OVER tenure AS response_number,
                (r.created_at - first_value(r.created_at) OVER tenure) / 86400 AS days_since_first,
                CASE
                    WHEN r.pair_id IS NOT NULL THEN r.seeker_replied
                    ELSE EXISTS (SELECT 1 FROM posts b WHERE b.reply_to = r.id AND b.author = s.author)
                END AS seeker_replied,
                r.upvotes AS upvotes {kept}
            FROM answers a JOIN posts r ON r.number = a.number JOIN posts s ON s.id = a.seeker
            WHERE a.reason IS NULL
            WINDOW tenure AS (PARTITION BY r.author ORDER BY r.created_at, r.number)
            ORDER BY r.created_at, r.number
        ) TO {quoted(temporary)} (FORMAT parquet)
        """
    )
    [interactions] = connection.execute("SELECT count(*) FROM answers WHERE reason IS NULL").fetchone()
    return InteractionsSummary(interactions=interactions, left_out=dict(reasons))


def _identifier(name: str) -> str:
    return name.replace('"', '""')
