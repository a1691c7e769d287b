"""What was found, in plain sentences that say no more than the intervals."""

from __future__ import annotations

from collections.abc import Callable

from .change import ADJUSTED, NAIVE, PER_YEAR, WITHIN
from .estimates import DOWN, UNDECIDED, UP, Estimate
from .figures import NAMES
from .groups import FIXED
from .levels import ALL, ANY
from .risk_differences import RISK_DIFFERENCE
from .section import Section


_MORE = {UP: "more", DOWN: "less"}
_DIFFERS = {UP: "a difference", DOWN: "a difference", UNDECIDED: "no difference that can be told from chance"}
_SHOWS = {UP: "a rise", DOWN: "a fall", UNDECIDED: "no change that can be told from chance"}


def summary(section: Section) -> list[str]:
    """What a section found."""
    return _SENTENCES.get(section.name, _none)(section)


def _none(section: Section) -> list[str]:
    return []


def _levels(section: Section) -> list[str]:
    said = []
    for one in _found(section, ANY, ALL):
        text = f"{_name(one)} are in {one.estimate:.0%} of the responses ({one.low:.0%} to {one.high:.0%}"
        if one.corrected is not None and one.corrected_low is not None and one.corrected_high is not None:
            text += f"; corrected {one.corrected:.0%}, {one.corrected_low:.0%} to {one.corrected_high:.0%}"
        said.append(f"{text}).")
    return said


def _change(section: Section) -> list[str]:
    said = []
    for one in _found(section, PER_YEAR, WITHIN):
        if one.conclusion == UNDECIDED:
            text = "whether supporters change the longer they take part is undecided"
        else:
            text = f"supporters communicate {_MORE[one.conclusion]} of them the longer they take part"
        said.append(f"{_name(one)}: {text}, {_number(one, ' levels a year')}.{_beside(section, one)}")
    return said


def _beside(section: Section, within: Estimate) -> str:
    """What the adjusted and the naive rows say otherwise."""
    text = ""
    for one in _found(section, PER_YEAR, ADJUSTED, within.mechanism):
        if one.conclusion != within.conclusion:
            text += f" With length and questions held fixed there is {_SHOWS[one.conclusion]}: {_number(one)}."
    for one in _found(section, PER_YEAR, NAIVE, within.mechanism):
        if one.conclusion != within.conclusion:
            text += f" All responses together would have shown {_SHOWS[one.conclusion]}, {_number(one)}:"
            text += " they mix who stays with who changes."
    return text


def _outcomes(section: Section) -> list[str]:
    said = []
    for one in section.estimates:
        if not (one.outcome.startswith("risk ratio") and one.contrast.startswith("strong")):
            continue
        name = one.outcome.removeprefix("risk ratio of ")
        than = f"where {NAMES[one.mechanism]} are strong than where there are none"
        if one.conclusion == UNDECIDED:
            text = f"Whether {name} is more frequent {than} is undecided"
        else:
            text = f"{name} is {_MORE[one.conclusion]} frequent {than}"
        text += f": the ratio is {_number(one)}."
        for other in _found(section, f"{RISK_DIFFERENCE} of {name}, adjusted", "level 2 against 0", one.mechanism):
            if other.conclusion != one.conclusion:
                text += f" With length, time and the rest held fixed there is {_DIFFERS[other.conclusion]}: "
                text += f"{_number(other)} of the responses."
        said.append(text)
    return said


def _groups(section: Section) -> list[str]:
    fixed = {
        (one.mechanism, one.contrast.removesuffix(FIXED)): one
        for one in section.estimates
        if one.contrast.endswith(FIXED)
    }
    plain = [one for one in section.estimates if not one.contrast.endswith(FIXED)]
    said = []
    for one in plain:
        if one.conclusion == UNDECIDED:
            continue
        text = f"{_name(one)}, {one.contrast}: a difference of {_number(one, ' levels')}"
        other = fixed.get((one.mechanism, one.contrast))
        if other is not None and other.conclusion != one.conclusion:
            text += f"; with length and questions held fixed there is {_DIFFERS[other.conclusion]}: {_number(other)}"
        said.append(f"{text}.")
    if left := sum(one.conclusion == UNDECIDED for one in plain):
        said.append(f"{left} of {len(plain)} differences between groups can't be told from chance.")
    return said


def _contagion(section: Section) -> list[str]:
    said = []
    for one in section.estimates:
        mechanism = NAMES[one.mechanism]
        if one.conclusion == UNDECIDED:
            text = f"Whether people who received {mechanism} later show more of them is undecided"
        else:
            text = f"People who received {mechanism} later show {_MORE[one.conclusion]} of them"
        said.append(f"{text}, beside others of the same history: {_number(one, ' levels')}.")
    return said


_SENTENCES: dict[str, Callable[[Section], list[str]]] = {
    "levels": _levels,
    "change": _change,
    "outcomes": _outcomes,
    "groups": _groups,
    "contagion": _contagion,
}


def _found(section: Section, outcome: str, contrast: str, mechanism: str | None = None) -> list[Estimate]:
    return [
        one
        for one in section.estimates
        if (one.outcome, one.contrast) == (outcome, contrast) and mechanism in (None, one.mechanism)
    ]


def _name(one: Estimate) -> str:
    return NAMES[one.mechanism].capitalize()


def _number(one: Estimate, unit: str = "") -> str:
    """The number with its interval, and corrected for the classifier's errors where it was. A ratio has no sign."""
    form = "{:.2f}" if one.null == 1 else "{:+.3f}"
    text = f"{form}{unit} ({form} to {form}".format(one.estimate, one.low, one.high)
    if one.corrected is None or one.corrected_low is None or one.corrected_high is None:
        return f"{text})"
    corrected = f"{form}, {form} to {form}".format(one.corrected, one.corrected_low, one.corrected_high)
    return f"{text}; corrected {corrected})"
