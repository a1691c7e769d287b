"""An annotated pair: of one mechanism as its file has it, and of several joined."""

from __future__ import annotations

from dataclasses import dataclass, field

from ..model.mechanisms import IDS, POSTS


TEXTS = (*IDS, *POSTS)
COLUMNS = (*TEXTS, "level", "rationales")


@dataclass
class AnnotatedPair:
    """A row of one mechanism's file.

    Attributes:
        row: Number of the row among the file's rows, from 1, the header not counted.
        line: Line of the file where the row begins, from 1.
        sp_id: Id of the seeker post.
        rp_id: Id of the response post.
        seeker_post: What the seeker wrote.
        response_post: What was answered.
        level: 0 no, 1 weak, 2 strong communication.
        rationales: The quoted words, as they stand in the file.
        spans: `[start, end)` of those rationales that were aligned, in characters of `response_post`.
    """

    row: int
    line: int
    sp_id: str
    rp_id: str
    seeker_post: str
    response_post: str
    level: int
    rationales: list[str]
    spans: list[tuple[int, int]] = field(default_factory=list)


@dataclass
class JoinedPair:
    """A pair with what was annotated for each mechanism.

    Attributes:
        sp_id: Id of the seeker post.
        rp_id: Id of the response post.
        seeker_post: The fullest of the files' copies.
        response_post: The fullest of the files' copies.
        annotations: Mechanism to level and spans; the spans are in characters of this `response_post`.
    """

    sp_id: str
    rp_id: str
    seeker_post: str
    response_post: str
    annotations: dict[str, tuple[int, list[tuple[int, int]]]]
