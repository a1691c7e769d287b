"""Results as the page shows them: what stands where, made into HTML by templates that escape every text."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from ..evaluation.highlights import Part, parts_of
from ..files.templates import templates_of
from ..model.mechanisms import ABBREVIATIONS, POSTS
from .explanations import PAPER, meaning_of, question_of
from .limits import Limits


_TEMPLATES = templates_of("modeling_empathy.demo", autoescape=True)
_POST_NAMES = dict(zip(POSTS, ("seeker post", "response"), strict=True))
# Rows of a file that are shown; its scores have all of them.
ROWS_SHOWN = 50
TITLE = "How does a response show empathy?"


class Shown(NamedTuple):
    """What a response shows of one mechanism.

    Attributes:
        when: Before or after an edit; empty where there is one version.
        level: Its name, or `unsure`.
        probability: Of the most probable level.
        most_probable: That level's name.
        levels: Each level's name and probability.
        parts: The response, parted.
        words: What is marked in it.
        meaning: What a response of the level does.
    """

    when: str
    level: str
    probability: float
    most_probable: str
    levels: Sequence[tuple[str, float]]
    parts: Sequence[Part]
    words: Sequence[str]
    meaning: str


class OfMechanism(NamedTuple):
    """One mechanism, of one response or of two versions of it.

    Attributes:
        code: Its abbreviation, after which its colour is called.
        name: Its name.
        question: What it asks of a response.
        versions: The response, or before and after.
        change: How the level changed; empty where there is one version.
    """

    code: str
    name: str
    question: str
    versions: Sequence[Shown]
    change: str


def result_html(responses: Sequence[str], results: Sequence[Mapping[str, Any]], mechanisms: Sequence[str]) -> str:
    """What the page shows of a response, or of one before and after an edit.

    Args:
        responses: One text, or two.
        results: What the pipeline says of each, with all scores.
        mechanisms: Of the model, in its order.
    """
    times = ("",) if len(responses) == 1 else ("Before", "After")
    shown = [_of_mechanism(mechanism, times, responses, results) for mechanism in mechanisms]
    truncated = [_POST_NAMES[post] for post, is_cut in results[-1]["truncated"].items() if is_cut]
    return _TEMPLATES.get_template("result.html").render(mechanisms=shown, truncated=truncated)


def _of_mechanism(
    mechanism: str, times: Sequence[str], responses: Sequence[str], results: Sequence[Mapping[str, Any]]
) -> OfMechanism:
    versions = [
        _shown(mechanism, when, response, result[mechanism])
        for when, response, result in zip(times, responses, results, strict=True)
    ]
    first, last = versions[0].level, versions[-1].level
    change = "" if len(versions) == 1 else f"{first} → {last}" if first != last else f"still {last}"
    return OfMechanism(ABBREVIATIONS.get(mechanism, ""), _named(mechanism), question_of(mechanism), versions, change)


def _shown(mechanism: str, when: str, response: str, found: Mapping[str, Any]) -> Shown:
    levels = list(found["scores"].items())
    most_probable = max(levels, key=lambda level: level[1])[0]
    level = found["label"] or "unsure"
    parts = parts_of(response, found["rationales"])
    words = [part.text for part in parts if part.is_marked]
    meaning = meaning_of(mechanism, found["label"]) if found["label"] else ""
    return Shown(when, level, found["score"], most_probable, levels, parts, words, meaning)


def table_html(
    name: str,
    rows: Sequence[tuple[str, str, str]],
    results: Sequence[Mapping[str, Any]],
    mechanisms: Sequence[str],
    unsure_below: float,
) -> str:
    """The first pairs of a file as a table.

    Args:
        name: The file's.
        rows: Of each pair its id, seeker post and response; all of the file.
        results: What the pipeline says of each, with all scores.
        mechanisms: Of the model, in its order.
        unsure_below: At which probability the table says that the model is unsure.
    """
    codes = [(ABBREVIATIONS.get(mechanism, ""), _named(mechanism)) for mechanism in mechanisms]
    shown = [
        (row, [_shown(mechanism, "", row[2], result[mechanism]) for mechanism in mechanisms])
        for row, result in zip(rows[:ROWS_SHOWN], results[:ROWS_SHOWN], strict=True)
    ]
    template = _TEMPLATES.get_template("table.html")
    return template.render(name=name, codes=codes, rows=shown, total=len(rows), unsure_below=unsure_below)


def head_html() -> str:
    """What stands above all: what the page does, and what it is not."""
    return _TEMPLATES.get_template("head.html").render(title=TITLE)


def foot_html(model_label: str, is_own: bool, limits: Limits) -> str:
    """What stands below all: what is kept, which model answers, under which licence.

    Args:
        model_label: What the model is called.
        is_own: Whether it is the one that comes with the package.
        limits: Of the page.
    """
    template = _TEMPLATES.get_template("foot.html")
    return template.render(model=model_label, is_own=is_own, limits=limits, paper=PAPER)


def _named(mechanism: str) -> str:
    return mechanism.replace("_", " ").capitalize()
