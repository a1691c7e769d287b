"""What windows cost and say: groups by length, joined responses, and shares that are counted by hand."""

import pytest

from benchmarks.windows import CUT, PARTS, WINDOWS, by_length, by_parts, highest, joined, length_groups, summaries
from modeling_empathy import MECHANISMS, ScoringEngine
from tests.model.test_pipeline_empathy import LONG_RESPONSE, PAIRS
from tests.tiny_models import tiny_model
from tests.tokenizers_for_tests import wordpiece_tokenizer


def results_of(*levels: int) -> list[dict]:
    return [{name: {"level": level} for name in MECHANISMS} for level in levels]


def engine() -> ScoringEngine:
    return ScoringEngine.of_model(tiny_model("bert", max_post_length=24), wordpiece_tokenizer())


def test_lengths_are_in_quarters_and_the_longest_once_more():
    assert length_groups([9, 3, 5, 7, 30, 40, 4, 8], limit=24) == {
        "quarter 1, 3 to 4 tokens": [1, 6],
        "quarter 2, 5 to 7 tokens": [2, 3],
        "quarter 3, 8 to 9 tokens": [7, 0],
        "quarter 4, 30 to 40 tokens": [4, 5],
        "above 24 tokens": [4, 5],
    }
    assert length_groups([5], limit=24) == {"quarter 4, 5 to 5 tokens": [0]}


def test_responses_are_joined_under_the_seeker_post_of_the_first():
    drawn = joined(PAIRS, 3, 50, seed=1)
    assert len(drawn) == 50 and drawn == joined(PAIRS, 3, 50, seed=1) != joined(PAIRS, 3, 50, seed=2)
    of_response = {response: seeker for seeker, response in PAIRS}
    for seeker, responses in drawn:
        assert of_response[responses[0]] == seeker and len(set(responses)) == 3
    # More parts than there are responses: each once.
    assert all(sorted(parts) == sorted(of_response) for _, parts in joined(PAIRS, 8, 5, seed=1))


def test_levels_are_summed_up_over_the_pairs_of_a_group():
    results = {CUT: results_of(0, 0, 1, 2), WINDOWS: results_of(2, 0, 1, 2)}
    [first, *others] = summaries(MECHANISMS, results, [0, 1, 3])
    assert first["pairs"] == 3 and len(others) == len(MECHANISMS) - 1
    assert first["mean_level"] == pytest.approx({CUT: 2 / 3, WINDOWS: 4 / 3})
    assert first["share_above_0"] == pytest.approx({CUT: 1 / 3, WINDOWS: 2 / 3})
    assert highest(MECHANISMS, results_of(0, 2, 1)) == results_of(2)[0]


def test_short_responses_are_scored_alike_and_long_ones_are_a_group_of_their_own():
    pairs = [*PAIRS[2:4], (PAIRS[0][0], LONG_RESPONSE)]
    rows = by_length(engine(), pairs, stride=6)
    assert {row["responses"] for row in rows} >= {"above 24 tokens"}
    short = [row for row in rows if row["responses"].startswith(("quarter 2", "quarter 3"))]
    assert len(short) == 2 * len(MECHANISMS)
    assert all(row["mean_level"][CUT] == row["mean_level"][WINDOWS] for row in short)


def test_a_single_part_is_its_own_highest():
    rows = by_parts(engine(), PAIRS, 6, [1, 4], 12, seed=0)
    assert [row["parts"] for row in rows] == [1] * len(MECHANISMS) + [4] * len(MECHANISMS)
    for row in rows[: len(MECHANISMS)]:
        assert row["pairs"] == 12 and row["mean_level"][PARTS] == row["mean_level"][WINDOWS]
