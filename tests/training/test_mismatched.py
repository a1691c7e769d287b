"""Responses beside a seeker post that they do not answer: which ones, and that nothing is shown there."""

import datasets
import pytest

from modeling_empathy import MECHANISMS
from modeling_empathy.corpus.annotated_files import row_features
from modeling_empathy.corpus.builder import load_epitome
from modeling_empathy.training.mismatched import mismatched_pairs


EXAM = ("exam", "I failed my chemistry exam again.")
DOG = ("dog", "Our beagle Pepper was put down on Saturday.")


def rows_of(*rows):
    """Rows of a seeker post, a response and the levels of the three mechanisms."""
    values = [
        {
            "sp_id": sp_id,
            "rp_id": f"r{number}",
            "seeker_post": seeker_post,
            "response_post": response,
            **{
                name: {"level": level, "rationales": [{"start": 0, "end": 4, "text": response[:4]}] if level else []}
                for name, level in zip(MECHANISMS, levels, strict=True)
            },
        }
        for number, ((sp_id, seeker_post), response, levels) in enumerate(rows)
    ]
    return datasets.Dataset.from_list(values, features=row_features(MECHANISMS))


def test_a_particular_response_shows_nothing_beside_another_post():
    rows = rows_of(
        (EXAM, "Which chemistry exam was it that you failed?", (0, 0, 2)),
        (DOG, "Was Pepper an old beagle?", (0, 0, 2)),
    )
    mismatched = mismatched_pairs(rows, MECHANISMS)
    assert list(mismatched["response_post"]) == list(rows["response_post"])
    assert list(mismatched["rp_id"]) == ["r0", "r1"]
    assert list(zip(mismatched["sp_id"], mismatched["seeker_post"], strict=True)) == [DOG, EXAM]
    assert mismatched.features == rows.features
    for row in mismatched:
        assert all(row[name] == {"level": 0, "rationales": []} for name in MECHANISMS)


@pytest.mark.parametrize(
    ("response", "levels"),
    [
        ("What happened to you?", (0, 0, 2)),
        ("Which chemistry exam was it?", (0, 0, 1)),
        ("I'm so sorry. Which chemistry exam was it?", (2, 0, 2)),
        ("Chemistry exams take three hours.", (0, 0, 0)),
    ],
    ids=["no common word", "weak", "warm as well", "shows nothing"],
)
def test_what_may_fit_another_post_is_left_alone(response, levels):
    kept = (DOG, "Was Pepper an old beagle?", (0, 0, 2))
    assert list(mismatched_pairs(rows_of((EXAM, response, levels), kept), MECHANISMS)["rp_id"]) == ["r1"]
    assert len(mismatched_pairs(rows_of((EXAM, response, levels)), MECHANISMS)) == 0


def test_a_post_with_a_word_in_common_is_no_other():
    rows = rows_of(
        (EXAM, "Which chemistry exam was it that you failed?", (0, 0, 2)),
        (("test", "My chemistry teacher left."), "Why?", (0, 0, 1)),
    )
    assert len(mismatched_pairs(rows, MECHANISMS)) == 0


def test_of_the_suite_no_response_comes_beside_its_own_post_and_the_choice_is_repeated(tmp_path):
    suite = load_epitome(source="contrast", cache_dir=str(tmp_path))["train"]
    own = set(zip(suite["sp_id"], suite["rp_id"], strict=True))
    mismatched = mismatched_pairs(suite, MECHANISMS)
    pairs = list(zip(mismatched["sp_id"], mismatched["rp_id"], strict=True))
    assert len(pairs) > 50 and not set(pairs) & own
    assert list(mismatched_pairs(suite, MECHANISMS)["sp_id"]) == list(mismatched["sp_id"])
    texts = dict(zip(suite["sp_id"], suite["seeker_post"], strict=True))
    assert all(texts[row["sp_id"]] == row["seeker_post"] for row in mismatched)


@pytest.mark.parametrize("mechanism", MECHANISMS)
def test_of_one_mechanism_its_strong_responses_are_mismatched_and_warmth_is_not(tmp_path, mechanism):
    suite = load_epitome(mechanism, source="contrast", cache_dir=str(tmp_path))["train"]
    mismatched = mismatched_pairs(suite, [mechanism])
    levels = dict(zip(suite["rp_id"], suite["level"], strict=True))
    assert {levels[name] for name in mismatched["rp_id"]} == (set() if mechanism == "emotional_reactions" else {2})
    assert not any(mismatched["level"]) and not any(mismatched["rationales"])
