"""The mistakes that a model was most certain of, with annotated and predicted words."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from ..model.mechanisms import LEVELS


class Piece(NamedTuple):
    """A part of a text, and whether it belongs to a rationale."""

    text: str
    is_marked: bool


@dataclass(frozen=True)
class Mistake:
    """A pair whose level is wrong.

    Attributes:
        seeker_post: The post.
        annotated: The annotated level's name.
        predicted: The predicted one's.
        probability: What the predicted level has.
        annotated_pieces: The response, its annotated rationales marked.
        predicted_pieces: The response, what is shown of it marked.
    """

    seeker_post: str
    annotated: str
    predicted: str
    probability: float
    annotated_pieces: list[Piece]
    predicted_pieces: list[Piece]


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


def pieces(text: str, spans: Sequence[Mapping[str, Any]]) -> list[Piece]:
    """Parts a text where rationales, which may overlap, begin and end; together the pieces are the text."""
    parts, place = [], 0
    for start, end in sorted((span["start"], span["end"]) for span in spans):
        start = max(start, place)
        if end > start:
            parts += [Piece(text[place:start], False), Piece(text[start:end], True)]
            place = end
    parts.append(Piece(text[place:], False))
    return [piece for piece in parts if piece.text]


def _mistake(row: Mapping[str, Any], result: Mapping[str, Any]) -> Mistake:
    response = row["response_post"]
    return Mistake(
        row["seeker_post"],
        LEVELS[result["annotated_level"]],
        LEVELS[result["level"]],
        result["score"],
        pieces(response, result["annotated_rationales"]),
        pieces(response, result["rationales"]),
    )
