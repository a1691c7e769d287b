"""Pairs to be scored, from the rows of a file, whatever its columns are called."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, NamedTuple, TypeGuard

from ..errors import InputError, RowError
from ..files.row import Row
from ..files.rows import check_columns
from ..model.mechanisms import IDS, POSTS


# `--keep` of this keeps all that a row has.
ALL = "all"
_EXAMPLE = "--column seeker_post=question --column response_post=answer"


class InputPair(NamedTuple):
    """A pair to be scored.

    Attributes:
        id: What it is called in the output.
        seeker_post: What the seeker wrote.
        response_post: What was answered.
        kept: What its row has beside, by column.
    """

    id: str
    seeker_post: str
    response_post: str
    kept: Mapping[str, Any] = {}


@dataclass(frozen=True)
class InputColumns:
    """Where the rows of an input have what is scored.

    Attributes:
        sources: Column of ours (`id`, `seeker_post`, `response_post`) to those of the input; several have several
            responses. `answers.text` is what stands under `text` in the column `answers`. A column of ours that is
            not named is called as ours.
        keep: Further columns that go to the output as they are.
        keep_all: Whether all that there are do.
    """

    sources: Mapping[str, Sequence[str]] = field(default_factory=dict)
    keep: Sequence[str] = ()
    keep_all: bool = False

    @classmethod
    def parsed(cls, columns: Sequence[str], keep: Sequence[str]) -> InputColumns:
        """Those of `--column OURS=THEIRS` and `--keep NAME`.

        Raises:
            InputError: If one can't be read as that, or names no column of ours.
        """
        sources: dict[str, list[str]] = {}
        for given in columns:
            ours, equals, theirs = given.partition("=")
            if not equals or not theirs or ours not in ("id", *POSTS):
                raise InputError(
                    f"--column {given}: expected id, seeker_post or response_post and the input's column for it, as "
                    f"in {_EXAMPLE}."
                )
            sources.setdefault(ours, []).append(theirs)
        for ours in ("id", "seeker_post"):
            if len(sources.get(ours, ())) > 1:
                raise InputError(
                    f"--column {ours} is given more than once; only responses may stand in several columns."
                )
        return cls(sources, tuple(name for name in dict.fromkeys(keep) if name != ALL), ALL in keep)

    def of(self, ours: str) -> Sequence[str]:
        """The input's columns for one of ours."""
        return self.sources.get(ours, (ours,))

    def needed(self, header: Sequence[str], name: str) -> Sequence[str]:
        """Which columns of a header are read.

        Args:
            header: The columns that there are.
            name: What errors call the file.

        Raises:
            InputError: If one is missing or there twice; with an example of what is understood.
        """
        posts = [_column_of(source, header) for ours in POSTS for source in self.of(ours)]
        if any(column not in header for column in posts) and not self.sources:
            shown = ", ".join(map(repr, header)) or "nothing"
            missing = [column for column in posts if column not in header]
            raise InputError(
                f"{name}: the column {', '.join(map(repr, missing))} is missing; the header has {shown}. What it is "
                f"called here is said with --column, as in {_EXAMPLE}."
            )
        named = [_column_of(source, header) for source in self.of("id")] if "id" in self.sources else []
        ids = named or [column for column in ("id", *IDS) if column in header]
        keep = [column for column in header if self.is_kept(column)] if self.keep_all else self.keep
        # Of Parquet these alone are read: a corpus may have columns that are larger than its posts.
        return check_columns(list(dict.fromkeys([*ids, *posts, *keep])), header, name)

    def is_kept(self, column: str) -> bool:
        """Whether a column of the input goes to the output as it is."""
        if column in self.keep:
            return True
        return self.keep_all and column not in self._scored

    @cached_property
    def _scored(self) -> set[str]:
        """The input's columns whose content has columns of its own in the output."""
        return {source.split(".")[0] for ours in ("id", *POSTS) for source in self.of(ours)} | set(IDS)

    def pairs(self, row: Row) -> list[InputPair]:
        """The pairs of a row: one, or one for each of its responses, with the response's number behind the id.

        Raises:
            RowError: If something is missing or no text; names row, column and value.
        """
        [seeker_source] = self.of("seeker_post")
        seeker_post = _at(row, seeker_source).text(seeker_source)
        responses, are_many = self._responses(row)
        row_id = self._id(row)
        kept = {column: value for column, value in row.values.items() if self.is_kept(column)} if self._keeps else {}
        if not are_many:
            return [InputPair(row_id, seeker_post, responses[0], kept)]
        return [
            InputPair(f"{row_id}-{number}", seeker_post, response, kept)
            for number, response in enumerate(responses, start=1)
        ]

    @property
    def _keeps(self) -> bool:
        return bool(self.keep) or self.keep_all

    def _responses(self, row: Row) -> tuple[list[str], bool]:
        sources = self.of("response_post")
        rows = [(source, _at(row, source)) for source in sources]
        if len(sources) == 1 and not _is_list(rows[0][1].values.get(sources[0])):
            return [rows[0][1].text(sources[0])], False
        found: list[str] = []
        for source, at_source in rows:
            value = at_source.values.get(source)
            for response in value if _is_list(value) else [value]:
                # A row has as many responses as somebody gave.
                if response is None or (isinstance(response, str) and not response.strip()):
                    continue
                one = Row(row.place, row.number, row.line, {**row.values, source: response})
                found.append(one.text(source, _EXPECTED_RESPONSES))
        if not found:
            raise rows[0][1].error(sources[0], "expected at least one response")
        return found, True

    def _id(self, row: Row) -> str:
        if "id" in self.sources:
            [source] = self.of("id")
            return _at(row, source).identifier(source)
        # The original's ids are the two posts' with an underscore between them.
        of_posts = row.values.get("id") in ("", None) and all(column in row.values for column in IDS)
        if of_posts:
            return "_".join(row.identifier(column) for column in IDS)
        # Of a file without ids, the place.
        return row.identifier("id") if "id" in row.values else row.place


_EXPECTED_RESPONSES = (
    "expected text, or a list of texts (of what stands in objects, as in --column response_post=answers.text)"
)


def read_pairs(
    rows: Iterator[Row], columns: InputColumns, on_error: Callable[[RowError], None]
) -> Iterator[InputPair]:
    """The pairs of rows.

    Args:
        rows: The rows.
        columns: Where they have what is scored.
        on_error: Called with each row that can't be used; if it returns, the row is left out.

    Raises:
        RowError: From `on_error`; names file, row or line, column and value.
    """
    for row in rows:
        try:
            pairs = columns.pairs(row)
        except RowError as error:
            on_error(error)
        else:
            yield from pairs


def _is_list(value: Any) -> TypeGuard[list[Any]]:
    # Not of a key that stands twice in an object: nobody can say which of the two is meant.
    return type(value) is list


def _column_of(source: str, header: Sequence[str]) -> str:
    return source if source in header else source.split(".")[0]


def _at(row: Row, source: str) -> Row:
    """The row, in which the value that a source such as `answers.text` leads to stands under the source's name."""
    if source in row.values or "." not in source:
        return row
    column, *path = source.split(".")
    value = row.values.get(column)
    for part in path:
        value = [_part(element, part) for element in value] if _is_list(value) else _part(value, part)
    return Row(row.place, row.number, row.line, {**row.values, source: value})


def _part(value: Any, name: str) -> Any:
    return value.get(name) if isinstance(value, Mapping) else None
