"""The mistakes that a model was most certain of, with annotated and predicted words."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from ..model.mechanisms import LEVELS
from .highlights import Part, parts_of


@dataclass(frozen=True)
class Mistake:
    """A pair whose level is wrong.

    Attributes:
        seeker_post: The post.
        annotated: The annotated level's name.
        predicted: The predicted one's.
        probability: What the predicted level has.
        annotated_parts: The response, its annotated rationales marked.
        predicted_parts: The response, what is shown of it marked.
    """

    seeker_post: str
    annotated: str
    predicted: str
    probability: float
    annotated_parts: list[Part]
    predicted_parts: list[Part]


def most_certain_mistakes(rows: Iterable[Mapping[str, Any]], mechanism: str, most: int) -> list[Mistake]:
    """The pairs with a wrong level, the most certain first.

    Args:
        rows: Of [`~modeling_empathy.evaluation.predictions.held_out_predictions`].
        mechanism: One of theirs.
        most: How many at most.
    """
    wrong = [row for row in rows if row[mechanism]["annotated_level"] not in (row[mechanism]["level"], -100)]
    # By the id where several are equally certain, so that the order of the rows plays no part.
    wrong.sort(key=lambda row: (-row[mechanism]["score"], row["rp_id"]))
    return [_mistake(row, row[mechanism]) for row in wrong[:most]]


def _mistake(row: Mapping[str, Any], result: Mapping[str, Any]) -> Mistake:
    response = row["response_post"]
    return Mistake(
        row["seeker_post"],
        LEVELS[result["annotated_level"]],
        LEVELS[result["level"]],
        result["score"],
        parts_of(response, result["annotated_rationales"]),
        parts_of(response, result["rationales"]),
    )
