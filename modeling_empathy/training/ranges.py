"""What numbers an argument may be, and what is said of any other."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from math import inf
from typing import NamedTuple

from ..errors import InputError


class Range(NamedTuple):
    """What a number may be.

    Attributes:
        contains: Whether a number is in it. NaN fails every comparison, and so is in none.
        words: The same in words.
    """

    contains: Callable[[float], bool]
    words: str


COUNT = Range(lambda value: value >= 1, "a whole number from 1")
COUNT_OR_NONE = Range(lambda value: value >= 0, "a whole number from 0")
NOT_NEGATIVE = Range(lambda value: 0 <= value < inf, "a number from 0")
POSITIVE = Range(lambda value: 0 < value < inf, "a number above 0")
SHARE = Range(lambda value: 0 <= value <= 1, "a share from 0 to 1")
SHARE_BELOW_1 = Range(lambda value: 0 <= value < 1, "a share from 0 to below 1")
SHARE_BETWEEN = Range(lambda value: 0 < value < 1, "a share between 0 and 1")
SEED = Range(lambda value: 0 <= value < 2**32, "a whole number from 0 to below 2**32")
# The original's tokenizers and most others put one special token at either end.
TOKENS = Range(lambda value: value >= 3, "at least 3, of which two are special tokens")


def check_ranges(arguments: object, ranges: Mapping[str, Range]) -> None:
    """Checks attributes that are numbers; None is no number and may be.

    Raises:
        InputError: Names the first that is out of its range, its value and the range.
    """
    for name, range_of_name in ranges.items():
        value = getattr(arguments, name)
        if value is not None and not range_of_name.contains(value):
            raise InputError(f"{name}={value}: {range_of_name.words}.")
