"""Values of options: of the right kind and in range, or an error that names the option and the value."""

from __future__ import annotations

from typing import Any


def whole_number(name: str, value: Any, least: int, most: float = float("inf")) -> int:
    """A whole number within a range.

    Args:
        name: What it is called.
        value: What was given; a scalar of numpy or torch is as good as a number of Python.
        least: The smallest that may be.
        most: The largest.

    Raises:
        ValueError: If it is none, or out of the range.
    """
    number = _scalar(value)
    if not isinstance(number, int) or isinstance(number, bool) or not least <= number <= most:
        up_to = "" if most == float("inf") else f" to {most}"
        raise ValueError(f"{name}={_shown(value)}: a whole number from {least}{up_to} is expected.")
    return number


def probability(name: str, value: Any) -> float:
    """A number from 0 to 1; see [`whole_number`].

    Raises:
        ValueError: If it is none.
    """
    number = _scalar(value)
    # NaN fails every comparison.
    if not isinstance(number, (int, float)) or isinstance(number, bool) or not 0 <= number <= 1:
        raise ValueError(f"{name}={_shown(value)}: a probability is expected, a number from 0 to 1.")
    return float(number)


def yes_or_no(name: str, value: Any) -> bool:
    """True or False; see [`whole_number`].

    Raises:
        ValueError: If it is neither: `"no"`, like all text, would count as True.
    """
    answer = _scalar(value)
    if not isinstance(answer, bool):
        raise ValueError(f"{name}={_shown(value)}: True or False is expected.")
    return answer


def names_among(name: str, value: Any, known: list[str]) -> list[str]:
    """One name, or some, each of them known and none twice.

    Raises:
        ValueError: If there are none or others.
    """
    try:
        given = [value] if isinstance(value, str) else list(value)
    except TypeError:
        given = []
    # Not by sets: what is given may be no name at all, and lists have no hash.
    if not given or any(one not in known for one in given) or any(given.count(one) > 1 for one in given):
        scored = ", ".join(known)
        raise ValueError(f"{name}={_shown(value)}: the model scores {scored}; name some of these, each once.")
    return given


def _scalar(value: Any) -> Any:
    """The number of Python in a scalar of numpy or torch, none of which this file may import; others as they are."""
    return value.item() if getattr(value, "ndim", None) == 0 and hasattr(value, "item") else value


def _shown(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 80 else f"{text[:80]}…"
