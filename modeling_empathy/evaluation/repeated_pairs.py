"""Pairs that were annotated more than once, and what annotators did not say alike: a bound on every figure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ..model.mechanisms import POSTS


@dataclass(frozen=True)
class RepeatedPair:
    """A seeker post and a response that occur more than once.

    Attributes:
        seeker_post: The post.
        response_post: The response.
        annotations: Mechanism to what was annotated each time: `annotated_level` and `annotated_rationales`.
    """

    seeker_post: str
    response_post: str
    annotations: dict[str, list[Mapping[str, Any]]]

    @property
    def other_levels(self) -> list[str]:
        """The mechanisms for which the levels differ."""
        return [name for name, found in self.annotations.items() if len({one["annotated_level"] for one in found}) > 1]

    @property
    def other_rationales(self) -> list[str]:
        """The mechanisms for which the rationales differ, be it by a word."""
        return [name for name, found in self.annotations.items() if len(set(map(_spans, found))) > 1]


def repeated_pairs(rows: Iterable[Mapping[str, Any]], mechanisms: Sequence[str]) -> list[RepeatedPair]:
    """Finds the pairs that occur more than once, whatever blanks they are written with.

    Args:
        rows: Of [`~modeling_empathy.evaluation.predictions.held_out_predictions`].
        mechanisms: Those that are annotated.

    Returns:
        Those whose levels differ first, then those whose rationales do.
    """
    groups: dict[tuple[str, ...], list[Mapping[str, Any]]] = {}
    for row in rows:
        groups.setdefault(tuple(" ".join(row[post].split()) for post in POSTS), []).append(row)
    found = [
        RepeatedPair(
            group[0]["seeker_post"],
            group[0]["response_post"],
            {name: [row[name] for row in group] for name in mechanisms},
        )
        for group in groups.values()
        if len(group) > 1
    ]
    return sorted(found, key=lambda pair: (not pair.other_levels, not pair.other_rationales))


def _spans(annotation: Mapping[str, Any]) -> tuple[tuple[int, int], ...]:
    return tuple((span["start"], span["end"]) for span in annotation["annotated_rationales"])
