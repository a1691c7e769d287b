"""Two models beside each other: what is counted as changed, and what as wrong."""

import json
from pathlib import Path
from types import SimpleNamespace

import pytest

from benchmarks.changed_levels import changes, judge, side_by_side
from modeling_empathy import ScoringEngine


def engine_of(*levels: tuple[int, int], score: float = 0.9):
    """An engine that gives these levels of two mechanisms, one pair after the other."""
    names = ("emotional_reactions", "explorations")
    results = [
        {name: {"level": level, "score": score} for name, level in zip(names, given, strict=True)} for given in levels
    ]
    engine = lambda pairs: iter(results[: len(pairs)])  # noqa: E731 - an attribute is set on it
    engine.config = SimpleNamespace(mechanisms=names)
    return engine


def row(**levels: int) -> dict:
    return {"seeker_post": "I failed.", "response_post": "Why?", **levels}


def test_changes_are_counted_by_mechanism_and_direction():
    before, after = engine_of((0, 1), (2, 0), (1, 0)), engine_of((1, 1), (1, 0), (0, 0))
    table = changes([before, after], [("I failed.", "Why?")] * 3)
    assert "| emotional reactions | 3 | 1.000 | 1 | 1 |" in table
    assert "| explorations | 0 | 0.000 | 0 | 0 |" in table


def test_what_differs_from_the_annotation_is_marked_and_certain_or_not():
    rows = [row(ER=1, EX=1), row(EX=0), row()]
    text = side_by_side([engine_of((0, 1), (2, 1), (1, 1)), engine_of((1, 1), (1, 1), (1, 1), score=0.7)], rows)
    assert "| I failed. | Why? | ER 0 (0.90) ✗, EX 1 (0.90) | ER 1 (0.70), EX 1 (0.70) |" in text
    assert "before: 1 of 3 right, 2 wrong above 0.8" in text and "after: 2 of 3 right, 0 wrong above 0.8" in text
    assert [[cell.is_right for cell in cells] for cells in judge(engine_of((0, 1), (2, 1)), rows[:2])] == [
        [False, True],
        [None, False],
    ]


@pytest.mark.parametrize(
    ("probe", "right", "confident_errors"),
    [("general_responses", 72, 6), ("stranger_lines", 108, 4), ("blind_lines", 112, 3)],
)
def test_the_model_in_the_package_survives_a_stranger(probe, right, confident_errors):
    """Some levels below what it reached when it was packed: 75 of 96, 112 of 120 and 116 of 120."""
    path = Path(__file__).parents[2] / "benchmarks" / f"{probe}.jsonl"
    rows = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    cells = [cell for cells in judge(ScoringEngine.from_pretrained(device="cpu"), rows) for cell in cells]
    assert sum(cell.is_right is True for cell in cells) >= right
    assert sum(cell.is_right is False and cell.probability > 0.8 for cell in cells) <= confident_errors
