"""`empathy interactions`: the table of who answered whom, of conversations as people have them."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from ..errors import InputError
from .failures import reports_errors, say
from .options import OnBadRow, SkippedRows, renamed_columns


if TYPE_CHECKING:
    from ..errors import RowError
    from ..interactions.posts import Post


@reports_errors("empathy")
def interactions(
    input_path: Annotated[
        list[str],
        typer.Option(
            "--input_path",
            metavar="FILE_OR_DIR",
            help="A folder of a ConvoKit corpus; the submissions and comments of a Reddit dump (RS_….zst, RC_….zst); "
            "a table with a row for each post, or for each pair; given once or more often.",
        ),
    ],
    output_path: Annotated[
        Path, typer.Option("--output_path", metavar="FILE", help="The table of interactions, a .parquet file.")
    ],
    source: Annotated[
        Literal["convokit", "reddit", "table"] | None,
        typer.Option("--source", help="What the input is (default: by its names; else a table)."),
    ] = None,
    column: Annotated[
        list[str] | None,
        typer.Option(
            "--column",
            metavar="OURS=THEIRS",
            help="What id, reply_to, author, text, created_at, conversation_id or upvotes is called in a table of "
            "posts, as in reply_to=in_reply_to_status_id; of pairs, seeker_post, response_post, responder_id.",
        ),
    ] = None,
    keep: Annotated[
        list[str] | None,
        typer.Option(
            "--keep",
            metavar="NAME",
            help="A further column, as a group or an outcome: of a table or dump by its name, of a ConvoKit corpus "
            "from the meta of utterance, conversation or speaker.",
        ),
    ] = None,
    first_level_only: Annotated[
        bool | None,
        typer.Option(
            "--first_level_only/--all_levels",
            help="Whether answers to what begins a conversation alone are taken (default: of Reddit, yes).",
        ),
    ] = None,
    keep_names: Annotated[
        bool, typer.Option("--keep_names", help="Keep the names of people, which are hashed otherwise.")
    ] = False,
    salt: Annotated[
        str | None,
        typer.Option(
            "--salt", help="What names are hashed with, where two tables shall have the same (default: a random one)."
        ),
    ] = None,
    bots: Annotated[
        Path | None,
        typer.Option("--bots", metavar="FILE", help="Names of accounts that are programs, one a line, beside *bot."),
    ] = None,
    on_error: OnBadRow = "stop",
) -> None:
    """Make the table of interactions that `empathy score` reads.

    A row is an answer to somebody's post: id, seeker_post, response_post, seeker_id, responder_id, conversation_id,
    created_at, response_number and days_since_first of the responder, seeker_replied, upvotes, and what --keep names.
    Posts that were removed, those of bots, and answers to oneself are left out and counted.

        empathy interactions --input_path my-corpus/ --output_path interactions.parquet

        empathy interactions --input_path RS_2020-01.zst --input_path RC_2020-01.zst --output_path interactions.parquet

        empathy score --input_path interactions.parquet --keep all --output_path scores
    """
    from ..interactions.pairing import COLUMNS, write_interactions
    from ..interactions.people import People
    from ..interactions.posts import check_more

    if output_path.suffix != ".parquet":
        raise InputError(f"{output_path}: the table is written as Parquet: name a file that ends in .parquet.")
    if keep_names and salt is not None:
        raise InputError("--keep_names and --salt contradict each other: leave one out.")
    more = list(dict.fromkeys(keep or []))
    check_more(more, COLUMNS)
    skipped = SkippedRows(on_error)
    of = source or _source_of(input_path)
    posts = _posts(of, input_path, column or [], more, skipped)
    people = People(None if keep_names else salt or secrets.token_hex(16), _names(bots))
    only_first = of == "reddit" if first_level_only is None else first_level_only
    summary = write_interactions(posts, output_path, people, more, first_level_only=only_first)
    say(f"{summary.interactions} interactions of {summary.posts} posts: {output_path}")
    for reason, number in summary.left_out.items():
        say(f"  {number} {reason}: left out")
    skipped.say_first()


def _source_of(inputs: Sequence[str]) -> str:
    if any(Path(name, "utterances.jsonl").is_file() for name in inputs):
        return "convokit"
    return "reddit" if all(Path(name).name.startswith(("RS_", "RC_")) for name in inputs) else "table"


def _posts(
    source: str, inputs: Sequence[str], column: Sequence[str], more: Sequence[str], report: Callable[[RowError], None]
) -> Iterator[Post]:
    from ..files.input_files import find_files
    from ..interactions.posts import (
        PAIR_COLUMNS,
        POST_COLUMNS,
        TableColumns,
        posts_of_convokit,
        posts_of_reddit,
        posts_of_table,
    )

    if column and source != "table":
        raise InputError(f"--column is for tables: of {source}, the columns are known.")
    if source == "convokit":
        for name in inputs:
            if not Path(name, "utterances.jsonl").is_file():
                raise InputError(f"{name} is no ConvoKit corpus: it has no utterances.jsonl.")
            files = {file.name: file for file in find_files([f"{name}/*.json*"], "jsonl")}
            yield from posts_of_convokit(files, more, report)
        return
    if source == "reddit":
        for file in find_files(inputs, "jsonl"):
            yield from posts_of_reddit(file, more, report)
        return
    sources = renamed_columns(column, POST_COLUMNS + PAIR_COLUMNS, "reply_to=in_reply_to_status_id")
    for file in find_files(inputs):
        yield from posts_of_table(file, TableColumns(sources, more), report)


def _names(path: Path | None) -> list[str]:
    from ..files.input_files import InputFile
    from ..files.text_lines import read_lines

    if path is None:
        return []
    return [line.strip() for line in read_lines(InputFile.at(path, "txt")) if line.strip()]
