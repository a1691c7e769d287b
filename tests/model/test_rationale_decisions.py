"""Rationales decided by the clause: where clauses end, what their tokens get, and that one always belongs."""

import pytest

from modeling_empathy import EmpathyPipeline
from modeling_empathy.model.rationale_decisions import clauses_of_tokens, unit_scores
from tests.tiny_models import tiny_model
from tests.tokenizers_for_tests import byte_level_bpe_tokenizer, wordpiece_tokenizer


def clauses_in(text: str) -> list[str]:
    """The text of each clause, by a token for each character."""
    offsets = [(index, index + 1) for index in range(len(text))]
    numbers = clauses_of_tokens(text, offsets, [0] * len(text))
    assert numbers == sorted(numbers)
    return [
        "".join(text[index] for index in range(len(text)) if numbers[index] == number) for number in sorted({*numbers})
    ]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("I'm so sorry, really. Why?", ["I'm so sorry, ", "really. ", "Why?"]),
        ("no end", ["no end"]),
        ('"What happened?" he said... bye', ['"What happened?" ', "he said... ", "bye"]),
        ("It costs 3.5 at 5:30", ["It costs 3.5 at 5:30"]),
        ("one\ntwo\n\nthree", ["one\n", "two\n\n", "three"]),
        ("ok!!! (sure.) yes", ["ok!!! ", "(sure.) ", "yes"]),
        ("つらいね。大丈夫？", ["つらいね。", "大丈夫？"]),
    ],
)
def test_clauses_end_where_a_reader_would_end_them(text, expected):
    assert clauses_in(text) == expected


@pytest.mark.parametrize("make_tokenizer", [wordpiece_tokenizer, byte_level_bpe_tokenizer])
def test_every_token_is_in_the_clause_of_its_word_whatever_the_tokenizer(make_tokenizer):
    text = "Sorry, friend. What now?"
    encoding = make_tokenizer()(text, return_offsets_mapping=True, return_special_tokens_mask=True)
    offsets, special = encoding["offset_mapping"], encoding["special_tokens_mask"]
    numbers = clauses_of_tokens(text, offsets, special)
    clauses_seen = set()
    for (start, end), is_special, number in zip(offsets, special, numbers, strict=True):
        if is_special:
            assert number == -1
        elif start < end:
            clauses_seen.add(number)
            assert number == sum(end > len(before) for before in ("Sorry, ", "Sorry, friend. "))
    assert clauses_seen == {0, 1, 2}


def decided(probabilities: list[float], threshold: float) -> tuple[list[float], float]:
    # Three clauses: three tokens, three tokens, one.
    text, offsets = "a b, c d. e", [(0, 0), (0, 1), (2, 3), (3, 4), (5, 6), (7, 8), (8, 9), (10, 11), (0, 0)]
    clauses = clauses_of_tokens(text, offsets, [1, 0, 0, 0, 0, 0, 0, 0, 1])
    scores, highest = unit_scores("clause", probabilities, clauses)
    return scores, min(threshold, highest)


def test_tokens_that_are_decided_each_by_itself_keep_their_probability():
    scores, highest = unit_scores("token", [0.9, 0.1, 0.3], [-1, 0, 0])
    assert scores == [0.9, 0.1, 0.3] and highest == float("inf")


def test_tokens_get_the_mean_of_their_clause_and_padding_keeps_its_own():
    # The last two are padding, behind the tokens; the first and the ninth special tokens.
    scores, threshold = decided([0.9, 0.9, 0.3, 0.6, 0.1, 0.2, 0.3, 0.4, 0.9, 0.7, 0.8], 0.5)
    assert scores == pytest.approx([0.9, 0.6, 0.6, 0.6, 0.2, 0.2, 0.2, 0.4, 0.9, 0.7, 0.8])
    assert threshold == 0.5


def test_where_no_clause_reaches_the_threshold_the_best_one_does():
    scores, threshold = decided([0.9, 0.1, 0.1, 0.1, 0.1, 0.2, 0.3, 0.4, 0.9], 0.5)
    assert [score >= threshold for score in scores[1:-1]] == [False] * 6 + [True]
    assert scores[7] == threshold == 0.4, "the score of the clause is not raised"


def test_the_pipeline_shows_whole_clauses_where_the_model_decides_by_clause():
    text = "I am so sorry, friend. It sounds hard to carry. What happened?"
    ends = {len("I am so sorry,"), len("I am so sorry, friend."), text.index(" What"), len(text)}
    starts = {0, text.index("friend"), text.index("It"), text.index("What")}
    shown = 0
    for seed in range(6):
        model = tiny_model("bert", seed=seed, rationale_unit="clause", rationale_thresholds=[0.6] * 3)
        result = EmpathyPipeline(model=model, tokenizer=wordpiece_tokenizer())(("I feel alone.", text))
        for mechanism in model.config.mechanisms:
            described = result[mechanism]
            assert bool(described["rationales"]) == (described["level"] > 0)
            for span in described["rationales"]:
                shown += 1
                assert span["start"] in starts and span["end"] in ends
    assert shown > 3
