"""The behaviour suite that comes along: synthetic pairs in families, of which half are trained on and half test.

Its files have the published columns and a few more. That families, and not rows, are split says whether what a model
learned of one kind of wording holds for another of the same kind (CheckList, Ribeiro et al. 2020; contrast sets,
Gardner et al. 2020).
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import NamedTuple

from ..errors import InputError
from ..files.rows import check_columns, read_rows
from .provenance import contrast_folder


# What a row has beside the published columns: its family, its minimal pair, and the rule that decides its levels.
MARKS = ("family", "contrast_id", "rule")
_FAMILIES = "families.csv"


class Family(NamedTuple):
    """A family of responses that show, or seem to show, the same in like ways.

    Attributes:
        family: Its name.
        kind: What it has in common with others; the families of a kind are in both halves.
        split: `train`; `development`, which is trained on too but when a recipe is chosen; or `test`.
        needs_seeker_post: Whether its responses occur twice, to a post that they fit and to one that they don't.
        about: What it holds.
    """

    family: str
    kind: str
    split: str
    needs_seeker_post: bool
    about: str


def families(folder: Path | None = None) -> dict[str, Family]:
    """The families of a suite, by name and in the order of the file.

    Args:
        folder: Where `families.csv` lies; that of the suite that comes along when left out.

    Raises:
        InputError: Names file, row, column and value.
    """
    path = (folder or contrast_folder()) / _FAMILIES
    read: dict[str, Family] = {}
    for row in read_rows(path, partial(check_columns, Family._fields), "csv"):
        values = {column: row.text(column) for column in Family._fields}
        for column, allowed in (
            ("split", ("train", "development", "test")),
            ("needs_seeker_post", ("yes", "no")),
        ):
            if values[column] not in allowed:
                raise row.error(column, f"expected one of {', '.join(allowed)}")
        if values["family"] in read:
            raise row.error("family", "expected a name that no other row has")
        needs_seeker_post = values.pop("needs_seeker_post") == "yes"
        read[values["family"]] = Family(**values, needs_seeker_post=needs_seeker_post)
    return read


def read_marks(path: Path, known: dict[str, Family]) -> list[dict[str, str]]:
    """What each row of a suite's file has in the columns `MARKS`.

    Raises:
        InputError: Names file, row, column and value; the family must be one of those that are known.
    """
    marks = []
    for row in read_rows(path, partial(check_columns, MARKS), "csv"):
        marks.append({column: row.text(column) for column in MARKS})
        if marks[-1]["family"] not in known:
            raise row.error("family", f"expected one of {_FAMILIES}")
    return marks


def splits_of(marks: Sequence[dict[str, str]], seekers: Sequence[str], known: dict[str, Family]) -> list[str]:
    """The split of each row, `train` or `test`, by its family.

    Args:
        marks: As of [`read_marks`].
        seekers: The `sp_id` of each row.
        known: As of [`families`].

    Raises:
        InputError: If a seeker post is in both halves: what was learned of it would help in the test.
    """
    splits = ["test" if known[mark["family"]].split == "test" else "train" for mark in marks]
    halves: dict[str, str] = {}
    for sp_id, split in zip(seekers, splits, strict=True):
        if halves.setdefault(sp_id, split) != split:
            raise InputError(f"The seeker post {sp_id!r} is in families that are trained on and in test families.")
    return splits
