"""Label noise: which pairs occur again, and how far their annotations agree."""

import pytest

from benchmarks.label_noise import agreement, repeated


def row(response: str, level: int, *spans: tuple[int, int], seeker: str = "I failed") -> dict:
    rationales = [{"start": start, "end": end} for start, end in spans]
    return {
        "seeker_post": seeker,
        "response_post": response,
        "explorations": {"level": level, "rationales": rationales},
    }


def test_pairs_are_the_same_but_for_case_and_white_space():
    rows = [
        row("So sorry. Why?", 1),
        row("so  sorry.\nWhy?", 2),
        row("So sorry", 0),
        row("So sorry. Why?", 1, seeker="ok"),
    ]
    assert [(rows.index(first), rows.index(second)) for first, second in repeated(rows)] == [(0, 1)]
    three = [row("ok", level) for level in range(3)]
    assert len(list(repeated(three))) == 3


def test_agreement_is_that_of_levels_and_of_marked_characters():
    pairs = [
        (row("So sorry. Why?", 2, (10, 14)), row("so  sorry. why?", 2, (11, 15))),
        (row("ab cd", 1, (0, 5)), row("ab cd", 2, (0, 2))),
        (row("ab cd", 1, (0, 5)), row("ab cd", 0)),
    ]
    agreed = agreement(pairs, "explorations")
    assert agreed["equal"] == [1.0, 0.0, 0.0]
    # All four characters of one, and half of the four that are marked in either.
    assert agreed["token_f1"] == pytest.approx([1.0, 2 / 3])
    assert agreed["iou_f1"] == [1.0, 1.0]
