"""The sentences of a report's summary: what numbers make them, and which word they have."""

import datasets
import pytest

from modeling_empathy.evaluation.measured_mechanism import measured_mechanisms
from modeling_empathy.evaluation.post_lengths import PostLengths
from modeling_empathy.evaluation.verdicts import Verdict, findings, headline
from tests.evaluation.pages import MECHANISM, good_rows, row
from tests.evaluation.test_run_page import ALL, CONTEXT, FAITHFULNESS


def said(rows, diagnostics=None, original=None, lengths=None, is_published_corpus=False):
    """Sentence to verdict, and the headline."""
    measured = measured_mechanisms(datasets.Dataset.from_list(rows), [MECHANISM], resamples=200)
    found = findings(measured, diagnostics or {}, original or {}, lengths, is_published_corpus=is_published_corpus)
    return {one.text: one.verdict for one in found}, headline(measured, found)


def verdict_of(sentences, word):
    [verdict] = [verdict for text, verdict in sentences.items() if word in text]
    return verdict


def test_a_model_that_is_right_is_good():
    sentences, (verdict, first) = said(good_rows())
    assert verdict is Verdict.GOOD and first == "Recognises explorations."
    assert verdict_of(sentences, "levels are recognised") is Verdict.GOOD
    assert Verdict.BAD not in sentences.values()


@pytest.mark.parametrize("level", [0, 2])
def test_a_model_that_always_says_the_same_does_not_work(level):
    rows = [row(n, 0 if n % 4 else 1 + n // 4 % 2, level, score=0.99) for n in range(240)]
    sentences, (verdict, first) = said(rows)
    assert verdict is Verdict.BAD and "no better than a guess" in first
    assert verdict_of(sentences, "levels are no better than a guess") is Verdict.BAD
    assert verdict_of(sentences, '"weak" is hardly recognised: 0 of 30') is Verdict.BAD


def test_few_pairs_are_called_few_and_a_level_that_hardly_occurs_unknown():
    sentences, (verdict, _) = said([row(n, n % 2, n % 2 if n % 5 else 0) for n in range(20)])
    assert verdict is Verdict.DOUBTFUL
    assert verdict_of(sentences, "there are few pairs (20)") is Verdict.DOUBTFUL
    assert verdict_of(sentences, '"strong" is annotated in 0 pairs') is Verdict.DOUBTFUL


def test_marking_everything_is_no_good_rationale():
    rows = good_rows()
    for one in rows:
        one[MECHANISM]["token_mask"] = [1, 1, 1]
    sentences, _ = said(rows)
    assert verdict_of(sentences, "rationales are no better than whole responses") is Verdict.DOUBTFUL
    for one in rows:
        one[MECHANISM]["token_mask"] = [0, 0, 1]
    assert verdict_of(said(rows)[0], "rationales are no better than whole responses") is Verdict.BAD
    assert verdict_of(said(good_rows())[0], "rationales are found") is Verdict.GOOD


@pytest.mark.parametrize(("error", "verdict"), [(0.03, "GOOD"), (0.08, "DOUBTFUL"), (0.3, "BAD")])
def test_calibration(error, verdict):
    calibration = {MECHANISM: {"temperature": 1.0, "ece_before": error, "ece": error}}
    assert verdict_of(said(good_rows(), {"calibration": calibration})[0], "calibration error").name == verdict
    # Of few pairs the error is large by chance.
    assert not [text for text in said(good_rows(60), {"calibration": calibration})[0] if "calibration" in text]


def test_random_words_that_matter_more_than_the_rationale_are_not_good():
    assert verdict_of(said(good_rows(), ALL)[0], "levels rest on the words shown") is Verdict.GOOD
    worse = {"faithfulness": {MECHANISM: FAITHFULNESS | {"comprehensiveness": 0.2}}}
    assert verdict_of(said(good_rows(), worse)[0], "do not rest on the words shown") is Verdict.BAD


def test_a_seeker_post_that_plays_no_part_is_said():
    assert verdict_of(said(good_rows(), ALL)[0], "the seeker post counts: ") is Verdict.GOOD
    in_vain = {"context_use": {MECHANISM: CONTEXT | {"macro_f1_lost_shuffled": -0.01}}}
    sentences, _ = said(good_rows(), in_vain)
    assert verdict_of(sentences, "10.0 % of levels change, and macro-F1 by +0.010") is Verdict.DOUBTFUL
    unmoved = CONTEXT | {"levels_changed_shuffled": 0.01, "macro_f1_lost_shuffled": 1e-9}
    ignored = {"context_use": {MECHANISM: unmoved}}
    [text] = [text for text in said(good_rows(), ignored)[0] if "the seeker post hardly counts" in text]
    assert text.endswith("1.0 % of levels change, and macro-F1 by +0.000.")


def test_weak_families_are_named_the_weakest_first():
    sentences, _ = said(good_rows(), ALL)
    assert verdict_of(sentences, "below .8 in 2 of 3 families: fit reaction, mock praise.") is Verdict.DOUBTFUL
    assert verdict_of(sentences, "0.704 of its 27 cells are right, 3 are confident errors") is Verdict.BAD


@pytest.mark.parametrize(
    ("macro_f1", "said_of_it", "verdict"),
    [
        (0.80, "above the paper", "GOOD"),
        (0.70, "about as the paper", "GOOD"),
        (0.60, "below the paper", "DOUBTFUL"),
        (0.30, "below the paper", "BAD"),
    ],
)
def test_the_paper_is_compared_by_its_own_definition(macro_f1, said_of_it, verdict):
    original = {f"{MECHANISM}_macro_f1": macro_f1}
    sentences, _ = said(good_rows(), original=original, is_published_corpus=True)
    assert verdict_of(sentences, said_of_it).name == verdict
    assert not [text for text in said(good_rows(), original=original)[0] if "paper" in text]


def test_posts_that_are_cut_are_counted():
    lengths = PostLengths({"seeker_post": [10] * 100, "response_post": [10] * 95 + [70] * 5}, 64, 3)
    sentences, _ = said(good_rows(), lengths=lengths)
    [cut] = [text for text in sentences if "longer than" in text]
    assert cut == "5 % are longer than the 64 tokens that are read. 3 rationales lost words by it."
