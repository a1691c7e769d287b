"""Pairs to begin with, of the synthetic sample that comes with the package."""

from __future__ import annotations

from typing import NamedTuple

from ..corpus.provenance import sample_folder
from ..files.rows import check_columns, read_rows
from ..model.mechanisms import IDS, POSTS


class Example(NamedTuple):
    """A pair of the sample.

    Attributes:
        title: What its button says.
        seeker_post: What the seeker wrote.
        response_post: What was answered.
    """

    title: str
    seeker_post: str
    response_post: str


# Title to the pair's ids; the first is what the page opens with.
_CHOSEN = {
    "Warmth and understanding": ("s-0066", "r-0083"),
    "A question": ("s-0020", "r-0014"),
    "A similar experience": ("s-0028", "r-0020"),
    "Advice alone": ("s-0001", "r-0002"),
}


def examples() -> list[Example]:
    """Responses that differ in what they communicate, each with its post.

    Raises:
        InputError: If the sample can't be read.
    """
    path = sample_folder() / "emotional-reactions-sample.csv"
    rows = read_rows(path, lambda header, name: check_columns([*IDS, *POSTS], header, name))
    by_ids = {tuple(row.text(column) for column in IDS): [row.text(column) for column in POSTS] for row in rows}
    return [Example(title, *by_ids[ids]) for title, ids in _CHOSEN.items()]
