"""What is given to be scored, whatever form it has, as pairs of two texts; or an error that names the pair."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from itertools import zip_longest
from typing import Any, NamedTuple, TypeVar

from .mechanisms import POSTS


# How transformers' `KeyPairDataset` names the two texts of a pair.
_TEXT_PAIR = ("text", "text_pair")
# In the place of what a column that has ended lacks; None may stand in a column.
_MISSING = object()

T = TypeVar("T")


class PostPair(NamedTuple):
    """A seeker post and a response, each of them a text that says something.

    Attributes:
        seeker_post: What the seeker wrote.
        response_post: What was answered.
        position: Where it stands among the pairs that it was given with, from 0; None where it came alone.
    """

    seeker_post: str
    response_post: str
    position: int | None = None


def read_pairs(inputs: Any, first: int = 0) -> PostPair | list[PostPair] | Iterator[PostPair]:
    """Reads what the pipeline and the engine are given.

    Args:
        inputs: One pair: a mapping with `seeker_post` and `response_post` (or `text` and `text_pair`; further keys are
            ignored), or a tuple or list of two strings. Or pairs: a list or tuple of them, or another iterable, such
            as a generator or a data set. Or two columns of these names: a mapping of them, or a table such as a
            `pandas.DataFrame`.
        first: The position of the first of several pairs.

    Returns:
        One pair for one. A list for a list or tuple of pairs, and for a mapping of two lists: all of them are checked.
        An iterator for the rest, which checks each pair when its turn comes.

    Raises:
        ValueError: If something is no pair, or a post is no text, blank, or has characters that UTF-8 lacks. Names the
            pair by its position, from 0, and shows the value.
    """
    columns = _columns_of(inputs)
    if columns is not None:
        pairs = _pairs_of_columns(*columns, first)
        return list(pairs) if all(isinstance(column, list) for column in columns) else pairs
    # What begins with a string is one pair (or none, if it does not end with another), and not two of them.
    if isinstance(inputs, (list, tuple)) and not (inputs and isinstance(inputs[0], str)):
        return [checked_pair(pair, position) for position, pair in enumerate(inputs, first)]
    if isinstance(inputs, Iterable) and not isinstance(inputs, (list, tuple, Mapping, str, bytes)):
        return (checked_pair(pair, position) for position, pair in enumerate(inputs, first))
    # Data sets of torch need not be iterable.
    if hasattr(inputs, "__getitem__") and hasattr(inputs, "__len__") and not isinstance(inputs, Iterable):
        return (checked_pair(inputs[index], first + index) for index in range(len(inputs)))
    return checked_pair(inputs)


def checked_pair(pair: Any, position: int | None = None) -> PostPair:
    """The two texts of one pair.

    Args:
        pair: A pair in one of the forms of [`read_pairs`].
        position: Where it stands among others.

    Raises:
        ValueError: As of [`read_pairs`].
    """
    if isinstance(pair, Mapping):
        # The posts' names first: a data set may well have a column `text` beside them.
        names = _TEXT_PAIR if all(name in pair for name in _TEXT_PAIR) and POSTS[0] not in pair else POSTS
        missing = [name for name in names if name not in pair]
        if missing:
            has = ", ".join(map(repr, pair)) or "no keys"
            raise _error(position, f"a pair lacks {', '.join(missing)}; it has {has}.")
        seeker_post, response_post = (pair[name] for name in names)
    elif isinstance(pair, (tuple, list)) and len(pair) == len(POSTS):
        seeker_post, response_post = pair
    else:
        raise _error(
            position,
            "a pair is a dict with 'seeker_post' and 'response_post', or a tuple or list of the two; "
            f"got {type(pair).__name__}: {_shortened(pair)}.",
        )
    for name, post in zip(POSTS, (seeker_post, response_post), strict=True):
        if problem := _problem(post):
            raise _error(position, f"the {name} of a pair {problem}: {_shortened(post)}.")
    return PostPair(seeker_post, response_post, position)


def in_chunks(items: Iterable[T], size: int) -> Iterator[list[T]]:
    """Takes so many at a time. What `items` raises comes out behind a chunk of all that it gave before."""
    chunk: list[T] = []
    raised = None
    try:
        for item in items:
            chunk.append(item)
            if len(chunk) == size:
                yield chunk
                chunk = []
    except Exception as error:
        raised = error
    if chunk:
        yield chunk
    if raised is not None:
        raise raised


def _columns_of(inputs: Any) -> tuple[Any, Any] | None:
    """The columns of the two posts; None where the input has no columns."""
    # A table's rows have no names: what iterating over it gives is its columns. Data sets, which have `column_names`,
    # give rows.
    if hasattr(inputs, "columns") and not hasattr(inputs, "column_names") and not isinstance(inputs, Mapping):
        names = list(inputs.columns)
        # Of two columns of one name pandas gives a table.
        if any(names.count(name) != 1 for name in POSTS):
            raise ValueError(f"A table has one column for each of {', '.join(POSTS)}; this one has {names}.")
        return inputs[POSTS[0]], inputs[POSTS[1]]
    if isinstance(inputs, Mapping):
        for first, second in (POSTS, _TEXT_PAIR):
            if first in inputs and second in inputs:
                columns = inputs[first], inputs[second]
                return columns if all(map(_is_column, columns)) else None
    return None


def _is_column(value: Any) -> bool:
    return isinstance(value, Iterable) and not isinstance(value, (str, bytes, Mapping))


def _pairs_of_columns(seeker_posts: Any, response_posts: Any, first: int) -> Iterator[PostPair]:
    if hasattr(seeker_posts, "__len__") and hasattr(response_posts, "__len__"):
        counts = len(seeker_posts), len(response_posts)
        if counts[0] != counts[1]:
            raise ValueError(f"There are {counts[0]} seeker posts and {counts[1]} responses; each needs the other.")

    def pairs() -> Iterator[PostPair]:
        for position, pair in enumerate(zip_longest(seeker_posts, response_posts, fillvalue=_MISSING), first):
            for name, post in zip(POSTS, pair, strict=True):
                if post is _MISSING:
                    raise _error(position, f"there is no {name}: its column ends before the other.")
            yield checked_pair(pair, position)

    # The lengths are checked now, and not when the first pair is asked for.
    return pairs()


def _problem(post: Any) -> str | None:
    """What is wrong with a post; None if nothing is."""
    if not isinstance(post, str):
        return f"is not a string but {type(post).__name__}"
    if not post or post.isspace():
        return "is blank"
    try:
        post.encode()
    except UnicodeEncodeError:
        return "is no text that UTF-8 can hold (it has half of a surrogate pair)"
    return None


def _error(position: int | None, problem: str) -> ValueError:
    if position is None:
        return ValueError(problem[0].upper() + problem[1:])
    return ValueError(f"Pair {position} (counting from 0): {problem}")


def _shortened(value: Any, longest: int = 80) -> str:
    text = str(value)
    return repr(text if len(text) <= longest else f"{text[:longest]}…")
