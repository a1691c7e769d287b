"""The mechanisms of empathy, the levels at which they are communicated, and what the columns of a pair are called."""

from typing import NamedTuple


class Mechanism(NamedTuple):
    """A mechanism by its names.

    Attributes:
        name: In configurations, results and columns.
        code: The abbreviation in the original's files, columns and options: `ER_label`, `--IP_model_path`.
        file_stem: How the word begins by which a file's name speaks of it: `explorations-reddit.csv`.
    """

    name: str
    code: str
    file_stem: str


# A further mechanism is a further record; the order is that of logits and tables, and of the paper.
_RECORDS = (
    Mechanism("emotional_reactions", "ER", "emotional"),
    Mechanism("interpretations", "IP", "interpret"),
    Mechanism("explorations", "EX", "explor"),
)

MECHANISMS = tuple(record.name for record in _RECORDS)
ABBREVIATIONS = {record.name: record.code for record in _RECORDS}
FILE_STEMS = {record.name: record.file_stem for record in _RECORDS}

# A level is its index here, as in the original's label columns.
LEVELS = ("no", "weak", "strong")

# Columns of a pair, in every file and data set: its two posts, and their ids.
POSTS = ("seeker_post", "response_post")
IDS = ("sp_id", "rp_id")
