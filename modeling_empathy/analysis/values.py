"""Single values of scored rows, as people write them: ids, dates, levels, outcomes and groups."""

from __future__ import annotations

import math
import re
from datetime import UTC, date, datetime
from typing import Any

from ..files.row import Row
from ..model.mechanisms import LEVELS


_YES, _NO = {"true", "yes", "1", "1.0", "t", "y"}, {"false", "no", "0", "0.0", "f", "n"}
_QUESTION = re.compile(r"[?？؟]+")
# Numbers above are milliseconds, micro- or nanoseconds: as seconds they would be in the year 5138 and later. Numbers
# below are years, days, or seconds since something else: as seconds they would be before March 1973.
_LATEST_SECOND, _EARLIEST_SECOND = 1e11, 1e8


def identifier_of(row: Row, column: str) -> str | None:
    """An id as text, in which 7, "7" and 7.0, as a column with gaps becomes in pandas, are the same; None of a gap."""
    value = row.values.get(column)
    if _is_missing(value) or value == "":
        return None
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    text = row.identifier(column).strip()
    whole = text.removesuffix(".0")
    return whole if whole.isdecimal() else text


def level_of(row: Row, column: str) -> int:
    """A level: 0, 1 or 2."""
    value = row.values.get(column)
    if isinstance(value, str):
        text = value.strip().removesuffix(".0")
        value = int(text) if text.isdecimal() else value
    if isinstance(value, int | float) and not isinstance(value, bool) and value in range(len(LEVELS)):
        return int(value)
    raise row.error(column, "expected a level, 0, 1 or 2")


def number_of(row: Row, column: str) -> float | None:
    """A number; None of a gap."""
    value = row.values.get(column)
    if _is_missing(value) or (isinstance(value, str) and not value.strip()):
        return None
    try:
        number = float(value)  # type: ignore[arg-type]
    except (TypeError, ValueError):
        raise row.error(column, "expected a number") from None
    if not math.isfinite(number):
        raise row.error(column, "expected a finite number")
    return number


def outcome_of(row: Row, column: str) -> float | None:
    """Yes and no as 1 and 0, numbers as they are; None of a gap."""
    value = row.values.get(column)
    if isinstance(value, bool):
        return float(value)
    if isinstance(value, str) and (text := value.strip().lower()) in _YES | _NO:
        return float(text in _YES)
    return number_of(row, column)


def category_of(row: Row, column: str) -> str | None:
    """A group's name; None of a gap."""
    value = row.values.get(column)
    if _is_missing(value):
        return None
    text = str(int(value)) if isinstance(value, float) and value.is_integer() else str(value).strip()
    return text or None


def length_of(row: Row, column: str) -> tuple[int, int]:
    """How many words a text has, and how many questions: marks of question, several behind each other being one."""
    text = row.text(column, may_be_blank=True)
    return len(text.split()), len(_QUESTION.findall(text))


def seconds_of(row: Row, column: str) -> tuple[float, bool]:
    """Seconds since 1970, and whether the value says its time zone (UTC is taken else).

    Raises:
        RowError: If it is no date, as ISO 8601 writes it, and no number of seconds, milli-, micro- or nanoseconds.
    """
    value: Any = row.values.get(column)
    if isinstance(value, str):
        value = _parsed(value.strip())
    if isinstance(value, datetime):
        return (value if value.tzinfo else value.replace(tzinfo=UTC)).timestamp(), value.tzinfo is not None
    if isinstance(value, date):
        return datetime(value.year, value.month, value.day, tzinfo=UTC).timestamp(), False
    if isinstance(value, bool) or not isinstance(value, int | float) or not _EARLIEST_SECOND <= value < math.inf:
        raise row.error(column, "expected a date, as 2020-01-31T12:00:00Z, or seconds since 1970")
    seconds = float(value)
    while seconds > _LATEST_SECOND:
        seconds /= 1000
    return seconds, True


def _parsed(text: str) -> Any:
    # A year, or a day without its dashes, is a number too, and no second of 1970.
    for form in ("%Y", "%Y%m%d"):
        if re.fullmatch(r"\d{4}|\d{8}", text):
            try:
                return datetime.strptime(text, form)
            except ValueError:
                continue
    for read in (float, datetime.fromisoformat):
        try:
            return read(text)
        except ValueError:
            continue
    return None


def _is_missing(value: Any) -> bool:
    return value is None or (isinstance(value, float) and math.isnan(value))
