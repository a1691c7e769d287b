"""What the page computes: what the pipeline says, and a message where a text can't be used."""

import pytest

from modeling_empathy import EmpathyPipeline
from modeling_empathy.demo.limits import Limits
from modeling_empathy.demo.scoring import PageScorer
from modeling_empathy.errors import InputError


PAIRS = [("I failed again and feel useless.", "I'm so sorry. What happened?"), ("Nobody writes.", "Same here. " * 90)]


@pytest.fixture(scope="module")
def scorer() -> PageScorer:
    return PageScorer(limits=Limits(characters=1000, seconds=100), device="cpu")


def test_the_page_says_what_the_pipeline_says(scorer):
    pipeline = EmpathyPipeline.default(device="cpu")
    assert scorer.score(PAIRS) == [pipeline(pair) for pair in PAIRS]
    options = {"abstain_below": 0.95, "return_all_scores": True}
    [result] = scorer.score(PAIRS[:1], **options)
    assert result == pipeline(PAIRS[0], **options)
    assert any(result[mechanism]["label"] is None for mechanism in scorer.mechanisms)


def test_a_file_is_scored_as_one_pair_is(scorer):
    for one, many in zip(scorer.score(PAIRS), scorer.score_many(PAIRS), strict=True):
        for mechanism in scorer.mechanisms:
            assert one[mechanism]["label"] == many[mechanism]["label"]
            assert one[mechanism]["score"] == pytest.approx(many[mechanism]["score"], abs=1e-4)


@pytest.mark.parametrize(
    ("pair", "message"),
    [
        (("", "Hello"), "What the seeker wrote is empty"),
        (("Hello", " \n"), "The response is empty"),
        (("Hello", "a" * 1001), "The response has 1,001 characters"),
        (("Hello", "half \ud800 of a pair"), "UTF-8"),
        ((None, "Hello"), "What the seeker wrote is empty"),
    ],
)
def test_what_cannot_be_used_is_said(scorer, pair, message):
    with pytest.raises(InputError, match=message):
        scorer.score([pair])


def test_an_option_that_cannot_be_used_is_said(scorer):
    with pytest.raises(InputError, match="abstain_below"):
        scorer.score(PAIRS, abstain_below=2)


def test_what_takes_too_long_ends_with_a_message(scorer):
    in_no_time = PageScorer(limits=Limits(seconds=-1), device="cpu")
    with pytest.raises(InputError, match="0 of 2 rows were scored"):
        list(in_no_time.score_many(PAIRS))
