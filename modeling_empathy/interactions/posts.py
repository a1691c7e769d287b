"""Posts of conversations, one after the other, from ConvoKit corpora, Reddit dumps and tables."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, NamedTuple

from ..errors import InputError, RowError
from ..files.input_files import InputFile
from ..files.json_members import json_members
from ..files.row import OnError, Row
from ..files.rows import check_columns, read_rows


class Post(NamedTuple):
    """What somebody wrote.

    Attributes:
        id: Its own, of all posts alone.
        reply_to: The id of the post that it answers; None of one that begins a conversation.
        conversation_id: Of the conversation that it is part of, if that is known.
        author: Who wrote it; None where that is not known.
        created_at: Seconds since 1970, in UTC; None where that is not known.
        text: What it says; empty of one that was removed.
        upvotes: Votes for it less those against it; None where there are none.
        more: Further columns, by name.
        pair_id: Of a table of pairs, what the pair is called there.
        seeker_replied: Of the response of such a pair, whether the seeker answered it, if the table says so.
    """

    id: str
    reply_to: str | None
    conversation_id: str | None
    author: str | None
    created_at: float | None
    text: str
    upvotes: int | None
    more: Mapping[str, Any]
    pair_id: str | None = None
    seeker_replied: bool | None = None


# Of a table of posts, and of one of pairs; `--column` names what they are called there.
PAIR_COLUMNS = (
    "id",
    "seeker_post",
    "response_post",
    "seeker_id",
    "responder_id",
    "conversation_id",
    "created_at",
    "seeker_replied",
    "upvotes",
)
POST_COLUMNS = ("id", "reply_to", "conversation_id", "author", "created_at", "text", "upvotes")
_NEEDED = ("id", "reply_to", "author", "text")
_NEEDED_OF_PAIRS = ("seeker_post", "response_post", "responder_id")


@dataclass(frozen=True)
class TableColumns:
    """Where the rows of a table have the parts of a post or a pair.

    Attributes:
        sources: Column of ours, one of `POST_COLUMNS` or `PAIR_COLUMNS`, to the table's; one that is not named is
            called as ours.
        more: Further columns that are kept.
    """

    sources: Mapping[str, str] = field(default_factory=dict)
    more: Sequence[str] = ()

    @property
    def are_of_pairs(self) -> bool:
        """Whether a column is named that tables of pairs alone have."""
        return bool(self.sources.keys() - set(POST_COLUMNS))

    def of(self, ours: str) -> str:
        """The table's column for one of ours."""
        return self.sources.get(ours, ours)


def posts_of_table(file: InputFile, columns: TableColumns, on_error: OnError) -> Iterator[Post]:
    """The posts of a table: with a row for each, as forums and Twitter export them, or with a row for each pair.

    Raises:
        InputError: If the file can't be read or lacks a column.
        RowError: From `on_error`.
    """
    has_pairs = columns.are_of_pairs

    def needed(header: Sequence[str], name: str) -> Sequence[str]:
        nonlocal has_pairs
        has_pairs = has_pairs or {"seeker_post", "response_post"} <= set(header)
        ours_of_all, ours_needed = (PAIR_COLUMNS, _NEEDED_OF_PAIRS) if has_pairs else (POST_COLUMNS, _NEEDED)
        known = [columns.of(ours) for ours in ours_of_all if columns.of(ours) in header]
        wanted = [columns.of(ours) for ours in (*ours_needed, *columns.sources)] + list(columns.more)
        return check_columns(list(dict.fromkeys([*known, *wanted])), header, name)

    for row in read_rows(file, needed, on_error=on_error):
        try:
            # JSON lines have no header: each row says what it is.
            if has_pairs or {"seeker_post", "response_post"} <= row.values.keys():
                yield from _posts_of_pair(row, columns, file.name)
            else:
                yield _post_of_row(row, columns)
        except RowError as error:
            on_error(error)


def _optional(row: Row, column: str) -> str | None:
    return None if row.values.get(column) in (None, "") else row.identifier(column)


def _posts_of_pair(row: Row, columns: TableColumns, name: str) -> Iterator[Post]:
    pair_id = _optional(row, columns.of("id")) or f"{name}:{row.number}"
    conversation = _optional(row, columns.of("conversation_id"))
    replied = row.values.get(columns.of("seeker_replied"))
    if replied not in (None, "", True, False, 0, 1, "0", "1", "true", "false", "True", "False"):
        raise row.error(columns.of("seeker_replied"), "expected true or false")
    seeker = Post(
        id=f"{pair_id} seeker",
        reply_to=None,
        conversation_id=conversation,
        author=_optional(row, columns.of("seeker_id")),
        created_at=None,
        text=row.text(columns.of("seeker_post"), may_be_blank=True),
        upvotes=None,
        more={},
        pair_id=pair_id,
    )
    yield seeker
    yield Post(
        id=f"{pair_id} response",
        reply_to=seeker.id,
        conversation_id=conversation,
        author=row.identifier(columns.of("responder_id")),
        created_at=_time(row, columns.of("created_at")),
        text=row.text(columns.of("response_post"), may_be_blank=True),
        upvotes=_count(row, columns.of("upvotes")),
        more={name: row.values.get(name) for name in columns.more},
        pair_id=pair_id,
        seeker_replied=None if replied in (None, "") else str(replied).lower() in ("true", "1"),
    )


def _post_of_row(row: Row, columns: TableColumns) -> Post:
    return Post(
        id=row.identifier(columns.of("id")),
        reply_to=_optional(row, columns.of("reply_to")),
        conversation_id=_optional(row, columns.of("conversation_id")),
        author=_optional(row, columns.of("author")),
        created_at=_time(row, columns.of("created_at")),
        text=row.text(columns.of("text"), may_be_blank=True) if row.values.get(columns.of("text")) is not None else "",
        upvotes=_count(row, columns.of("upvotes")),
        more={name: row.values.get(name) for name in columns.more},
    )


def posts_of_convokit(folder: Mapping[str, InputFile], more: Sequence[str], on_error: OnError) -> Iterator[Post]:
    """The posts of a ConvoKit corpus: `utterances.jsonl`, and of conversations and speakers what `more` asks for.

    Args:
        folder: Name to file of what the corpus' folder holds.
        more: Names under which the `meta` of an utterance, its conversation or its speaker has something to keep.
        on_error: Called with each utterance that can't be used.

    Raises:
        InputError: If a file can't be read, or no `meta` has a name.
    """
    meta = _ConvokitMeta(folder, more)
    for row in read_rows(folder["utterances.jsonl"], lambda header, name: header, on_error=on_error):
        try:
            yield _post_of_utterance(row, meta)
        except RowError as error:
            on_error(error)


class _ConvokitMeta:
    """What is kept of conversations and speakers, whose files may be as large as the utterances'."""

    def __init__(self, folder: Mapping[str, InputFile], more: Sequence[str]) -> None:
        self.more = more
        self._of: dict[str, dict[str, dict[str, Any]]] = {}
        for name in ("conversations.json", "speakers.json", "users.json") if more else ():
            if name not in folder:
                continue
            kept: dict[str, dict[str, Any]] = {}
            for key, value in json_members(folder[name]):
                # Older corpora have the meta itself in the place of what holds it.
                found = value.get("meta", value) if isinstance(value, dict) else {}
                if wanted := {part: found[part] for part in more if part in found}:
                    kept[key] = wanted
            self._of["conversation" if name.startswith("conv") else "speaker"] = kept

    def values(self, utterance: Mapping[str, Any], conversation: str | None, speaker: str) -> dict[str, Any]:
        """What is kept with an utterance: of its own meta, else of its conversation's, else of its speaker's."""
        of_conversation = self._of.get("conversation", {}).get(conversation or "", {})
        of_speaker = self._of.get("speaker", {}).get(speaker, {})
        found = {**of_speaker, **of_conversation, **utterance}
        return {name: found.get(name) for name in self.more}


def _post_of_utterance(row: Row, meta: _ConvokitMeta) -> Post:
    def first(*names: str) -> str:
        return next((name for name in names if name in row.values), names[0])

    speaker = row.identifier(first("speaker", "user"))
    reply_to = row.values.get(first("reply-to", "reply_to"))
    conversation = row.values.get(first("conversation_id", "root"))
    own = row.values.get("meta")
    own = own if isinstance(own, dict) else {}
    text = row.values.get("text")
    votes = own.get("score")
    return Post(
        id=row.identifier("id"),
        reply_to=None if reply_to in (None, "") else str(reply_to),
        conversation_id=None if conversation in (None, "") else str(conversation),
        author=speaker,
        created_at=_time(row, "timestamp"),
        text="" if text is None else row.text("text", may_be_blank=True),
        upvotes=votes if type(votes) is int else None,
        more=meta.values(own, None if conversation is None else str(conversation), speaker),
    )


def posts_of_reddit(file: InputFile, more: Sequence[str], on_error: OnError) -> Iterator[Post]:
    """The submissions or comments of a Reddit dump: JSON lines, one of either a line.

    Raises:
        InputError: If the file can't be read.
        RowError: From `on_error`, where a line is neither a submission nor a comment.
    """
    for row in read_rows(file, lambda header, name: header, on_error=on_error):
        try:
            yield _post_of_reddit(row, more)
        except RowError as error:
            on_error(error)


def _post_of_reddit(row: Row, more: Sequence[str]) -> Post:
    short = row.identifier("id")
    author = row.identifier("author") if row.values.get("author") else None
    votes = row.values.get("score")
    common: dict[str, Any] = {
        "author": author,
        "created_at": _time(row, "created_utc"),
        "upvotes": votes if type(votes) is int else None,
        "more": {name: row.values.get(name) for name in more},
    }
    if "body" in row.values:
        return Post(
            id=f"t1_{short}",
            # Of a comment that answers a submission `t3_`, of one that answers a comment `t1_` and its id.
            reply_to=row.identifier("parent_id"),
            conversation_id=row.identifier("link_id"),
            text=row.text("body", may_be_blank=True),
            **common,
        )
    if "title" in row.values:
        title = row.text("title", may_be_blank=True).strip()
        body = row.text("selftext", may_be_blank=True).strip() if row.values.get("selftext") else ""
        return Post(
            id=f"t3_{short}",
            reply_to=None,
            conversation_id=f"t3_{short}",
            # Of a post that was removed the title stays, and says little.
            text=body if body in REMOVED else "\n\n".join(filter(None, (title, body))),
            **common,
        )
    raise row.error("body", "expected a comment with 'body', or a submission with 'title'")


# What stands in the place of a text that its author or a moderator took away.
REMOVED = ("[deleted]", "[removed]", "[deleted by user]")
_EXPECTED_TIME = "expected seconds since 1970, or a time as 2026-11-28T12:00:00"
_DATE = re.compile(r"\d{4}-\d{2}-\d{2}")


def _time(row: Row, column: str) -> float | None:
    """Seconds since 1970: of a number of them, of a time, or of a text in ISO 8601; without a zone, in UTC."""
    value = row.values.get(column)
    if value in (None, ""):
        return None
    if isinstance(value, str):
        try:
            value = datetime.fromisoformat(value) if _DATE.match(value) else float(value)
        except ValueError:
            raise row.error(column, _EXPECTED_TIME) from None
        if isinstance(value, float):
            return value
    if isinstance(value, datetime):
        return (value if value.tzinfo else value.replace(tzinfo=UTC)).timestamp()
    if isinstance(value, bool) or not isinstance(value, (int, float)) or value != value:
        raise row.error(column, _EXPECTED_TIME)
    return float(value)


def _count(row: Row, column: str) -> int | None:
    value = row.values.get(column)
    if value in (None, ""):
        return None
    try:
        if isinstance(value, bool):
            raise ValueError
        return int(value)
    except (TypeError, ValueError):
        raise row.error(column, "expected a whole number") from None


def check_more(more: Sequence[str], taken: Sequence[str]) -> None:
    """Refuses further columns that are called as one that the table has.

    Raises:
        InputError: Names them.
    """
    if double := [name for name in more if name in taken]:
        raise InputError(f"--keep {', '.join(double)}: the table has a column of that name already.")
