"""What a mechanism and a level mean, in a sentence or two: after Sharma et al. (EMNLP 2020), section 3."""

from __future__ import annotations

from typing import NamedTuple

from ..model.mechanisms import LEVELS, MECHANISMS


PAPER = "https://aclanthology.org/2020.emnlp-main.425/"


class Explanation(NamedTuple):
    """What is said of a mechanism.

    Attributes:
        question: That it answers.
        levels: What a response of each level does, in the order of `LEVELS`.
    """

    question: str
    levels: tuple[str, str, str]


_EXPLANATIONS = {
    "emotional_reactions": Explanation(
        "Does the response express warmth, compassion or concern?",
        (
            "The response names no feeling of the one who answers. Advice alone does not count.",
            "The response alludes to a feeling of the one who answers without naming it, "
            "as in “Everything will be fine”.",
            "The response names what the one who answers feels, as in “I feel really sad for you”.",
        ),
    ),
    "interpretations": Explanation(
        "Does the response show an understanding of feelings and experiences?",
        (
            "The response does not say how the seeker might feel, or what it was like.",
            "The response says that it understands, and not what, as in “I understand how you feel”.",
            "The response says which feeling or experience it understands, as in “This must be terrifying”, "
            "or tells of a similar one.",
        ),
    ),
    "explorations": Explanation(
        "Does the response ask about what the post leaves unsaid?",
        (
            "The response asks nothing about the seeker's feelings or experiences.",
            "The response asks in general, as in “What happened?”.",
            "The response asks about a feeling or experience that it names, as in “Are you feeling alone right now?”.",
        ),
    ),
}


def question_of(mechanism: str) -> str:
    """What a mechanism asks of a response; nothing is said of one that the paper does not have."""
    return _EXPLANATIONS[mechanism].question if mechanism in _EXPLANATIONS else ""


def meaning_of(mechanism: str, label: str) -> str:
    """What a response of a level does."""
    return _EXPLANATIONS[mechanism].levels[LEVELS.index(label)] if mechanism in _EXPLANATIONS else ""


assert set(MECHANISMS) == set(_EXPLANATIONS)
