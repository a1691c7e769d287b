"""Rationale spans reach the right tokens and come back as whole words, whatever the tokenizer and the script."""

from __future__ import annotations

import doctest
import math
import unicodedata
from itertools import pairwise
from typing import NamedTuple

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from transformers import PreTrainedTokenizerFast

from modeling_empathy.model import rationale_spans
from modeling_empathy.model.rationale_spans import (
    IGNORE_INDEX,
    RationaleSpan,
    extend_to_words,
    spans_to_token_labels,
    token_scores_to_spans,
    truncated_spans,
)
from tests.tokenizers_for_tests import byte_level_bpe_tokenizer, unigram_tokenizer, wordpiece_tokenizer


TOKENIZERS = {
    "wordpiece": wordpiece_tokenizer,
    "byte_level_bpe": byte_level_bpe_tokenizer,
    "byte_level_bpe_untrimmed": lambda: byte_level_bpe_tokenizer(trim_offsets=False),
    "unigram": unigram_tokenizer,
}
FAMILY = "👨\u200d👩\u200d👧\u200d👦"
ENGLAND = "🏴\U000e0067\U000e0062\U000e0065\U000e006e\U000e0067\U000e007f"

# What people write between two white spaces, split by hand into the words and other units that no span may cut.
CHUNKS = [
    *["feel", "better", "don't", "you’re|,", "soon|.", "self-care|!", "24/7", "(|maybe|)", "“|unhappy|”", "why|?|?"],
    *["&|amp|;", "&|#|39|;", "wait|.|.|.", "anti_social", "@|you", "rock|—|solid", "'|cause", "friends|’"],
    *[FAMILY, "🇫🇷|🇯🇵", "👍🏽|👍", "❤️|!", "😀|😀", ENGLAND, "1️⃣", "🙂\u200d↔️", "ok|👩🏾\u200d⚕️"],
    *["cafe\u0301", "n\u0303o\u0308|?", "e\u0301|…", "l'e\u0301te\u0301", "ﬁne"],
    *["שָׁלוֹם", "צה״ל|,", "مَرْحَبًا|؟", "می\u200cخواهم", "नमस्ते", "안녕하세요", "привет-привет"],
    *["我|们", "心|配|。", "OK|我|2", "だ|い", "カ\u3099|ｶﾞ", "ที่"],
]
SPACES = [" ", " ", "  ", "\n", "\n\n", "\u00a0", " \t ", "\u3000"]

Interval = tuple[int, int]


class ComposedText(NamedTuple):
    text: str
    units: list[Interval]
    chunks: list[Interval]


@st.composite
def composed_texts(draw: st.DrawFn, last_chunk: str | None = None) -> ComposedText:
    """Texts whose words are known because they were put together from `CHUNKS`."""
    spaces = st.sampled_from(SPACES)
    text, units, chunks = draw(st.sampled_from(["", *SPACES])), [], []
    parts = draw(st.lists(st.sampled_from(CHUNKS), min_size=1, max_size=8)) + ([last_chunk] if last_chunk else [])
    for part in parts:
        text += draw(spaces) if chunks else ""
        start = len(text)
        for unit in part.split("|"):
            units.append((len(text), len(text) + len(unit)))
            text += unit
        chunks.append((start, len(text)))
    return ComposedText(text + ("" if last_chunk else draw(st.sampled_from(["", *SPACES]))), units, chunks)


def encode(tokenizer: PreTrainedTokenizerFast, text: str, **options: object) -> tuple[list[Interval], list[int]]:
    encoding = tokenizer(text, return_offsets_mapping=True, return_special_tokens_mask=True, **options)
    return encoding["offset_mapping"], encoding["special_tokens_mask"]


def characters_of(text: str, offsets: Interval) -> set[int]:
    """The characters a token stands for, one by one: without the white space around its words, if it has any."""
    indices = list(range(*offsets))
    if all(text[index].isspace() for index in indices):
        return set(indices)
    while text[indices[0]].isspace():
        del indices[0]
    while text[indices[-1]].isspace():
        del indices[-1]
    return set(indices)


def merged(text: str, parts: list[Interval]) -> list[Interval]:
    """Sorted parts, a single one where only white space or nothing is between them."""
    result: list[Interval] = []
    for start, end in parts:
        if result and all(character.isspace() for character in text[result[-1][1] : start]):
            start = result.pop()[0]
        result.append((start, end))
    return result


def examples(number: int) -> settings:
    # No deadline: the first example of a tokenizer pays for loading it, and slow machines would fail.
    return settings(max_examples=number, deadline=None)


@pytest.fixture(params=TOKENIZERS, scope="module")
def tokenizer(request: pytest.FixtureRequest) -> PreTrainedTokenizerFast:
    return TOKENIZERS[request.param]()


# Properties over texts in many scripts.


@examples(120)
@given(data=st.data())
def test_labels_are_those_of_a_character_by_character_count(
    tokenizer: PreTrainedTokenizerFast, data: st.DataObject
) -> None:
    text = data.draw(composed_texts().map(lambda composed: composed.text) | st.text(min_size=1, max_size=40))
    indices = st.integers(0, len(text) - 1)
    spans = [
        (start, data.draw(st.integers(start + 1, len(text))))
        for start in data.draw(st.lists(indices, min_size=1, max_size=3))
    ]
    in_spans = {index for span in spans for index in range(*span)}
    offsets, special = encode(tokenizer, text, padding="max_length", max_length=40)

    labels = spans_to_token_labels(text, offsets, special, spans)

    assert len(labels) == len(offsets) >= 40
    for label, token, is_special in zip(labels, offsets, special, strict=True):
        expected = IGNORE_INDEX if is_special else int(bool(characters_of(text, token) & in_spans))
        assert label == expected


@examples(120)
@given(data=st.data())
def test_words_come_back_from_their_labels(tokenizer: PreTrainedTokenizerFast, data: st.DataObject) -> None:
    # Holds for spans of whole words between white spaces, each with at least one token, known or unknown: spans that
    # only white space parts come back as one, all others exactly as they were.
    text, _, chunks = data.draw(composed_texts())
    chosen = data.draw(st.lists(st.booleans(), min_size=len(chunks), max_size=len(chunks)).filter(any))
    spans = [chunk for chunk, is_chosen in zip(chunks, chosen, strict=True) if is_chosen]
    offsets, special = encode(tokenizer, text)

    labels = spans_to_token_labels(text, offsets, special, spans)
    rationales = token_scores_to_spans(text, offsets, special, [float(label) for label in labels])

    assert [(span.start, span.end) for span in rationales] == merged(text, spans)


@examples(120)
@given(data=st.data())
def test_every_word_with_a_passing_token_is_in_a_span_and_no_other(
    tokenizer: PreTrainedTokenizerFast, data: st.DataObject
) -> None:
    text, units, _ = data.draw(composed_texts())
    offsets, special = encode(tokenizer, text)
    token_characters = [
        set() if is_special else characters_of(text, token) for token, is_special in zip(offsets, special, strict=True)
    ]
    for unit in units:
        assert any(characters & set(range(*unit)) for characters in token_characters), (
            f"no token for {text[slice(*unit)]!r}"
        )
    visible = [
        index for index, characters in enumerate(token_characters) if any(not text[i].isspace() for i in characters)
    ]
    scores = data.draw(
        st.lists(st.floats(0, 1).map(lambda score: round(score, 3)), min_size=len(offsets), max_size=len(offsets))
    )
    # At least one token passes, so that no example is about nothing.
    scores[data.draw(st.sampled_from(visible))] = 0.75

    rationales = token_scores_to_spans(text, offsets, special, scores, threshold=0.6)

    passed = set().union(
        *(characters for characters, score in zip(token_characters, scores, strict=True) if score >= 0.6)
    )
    expected = merged(text, [unit for unit in units if passed & set(range(*unit))])
    assert expected
    assert [(span.start, span.end) for span in rationales] == expected
    for span in rationales:
        covered = set(range(span.start, span.end))
        inside = [score for characters, score in zip(token_characters, scores, strict=True) if characters & covered]
        assert span.text == text[span.start : span.end] == span.text.strip() != ""
        assert span.score == pytest.approx(sum(inside) / len(inside))


@examples(120)
@given(data=st.data())
def test_spans_of_any_text_are_sorted_apart_trimmed_and_start_at_no_mark(
    tokenizer: PreTrainedTokenizerFast, data: st.DataObject
) -> None:
    # Characters at which spans may not be cut, in every order.
    nasty = st.text(alphabet="e\u0301\u200d🇫👍🏽' -.我 \n", max_size=20)
    text = data.draw(st.text(max_size=20)) + "a" + data.draw(nasty)
    offsets, special = encode(tokenizer, text)
    scores = data.draw(st.lists(st.sampled_from([0.0, 1.0]), min_size=len(offsets), max_size=len(offsets)))
    # A letter that surely is marked, or many examples would have no span to look at.
    the_a = text.index("a")
    for index, (start, end) in enumerate(offsets):
        if start <= the_a < end and not special[index]:
            scores[index] = 1.0

    rationales = token_scores_to_spans(text, offsets, special, scores)

    assert any(span.start <= the_a < span.end for span in rationales)
    for span in rationales:
        assert span.text == text[span.start : span.end] == span.text.strip() != ""
        for edge in {span.start, span.end} - {0, len(text)}:
            if not text[edge - 1].isspace():
                assert unicodedata.category(text[edge])[0] != "M"
                assert not (text[edge - 1].isalpha() and text[edge].isalpha() and text[edge - 1 : edge + 1].isascii())
    for before, after in pairwise(rationales):
        assert text[before.end : after.start].strip()


@examples(120)
@given(data=st.data())
def test_truncated_spans_are_those_with_characters_after_the_last_token(
    tokenizer: PreTrainedTokenizerFast, data: st.DataObject
) -> None:
    text, units, chunks = data.draw(composed_texts(last_chunk="tomorrow"))
    full_length = len(encode(tokenizer, text)[0])
    max_length = data.draw(st.integers(2, full_length - 1))
    offsets, special = encode(tokenizer, text, truncation=True, max_length=max_length)
    kept = [range(*token) for token, is_special in zip(offsets, special, strict=True) if not is_special]
    after = set(range(max((index for token in kept for index in token), default=-1) + 1, len(text)))

    cut = truncated_spans(offsets, special, units + chunks)

    assert cut == [span for span in units + chunks if after & set(range(*span))]
    assert chunks[-1] in cut
    if max_length == 2:  # room for the special tokens only
        assert cut == units + chunks
    # A span that lies after the cut is lost; the labels cannot show it.
    for span in cut:
        if span[0] in after:
            assert 1 not in spans_to_token_labels(text, offsets, special, [span])


# Cases worked out by hand.


@pytest.mark.parametrize("offsets", [[(0, 4), (4, 9)], [(0, 4), (5, 9)]], ids=["gpt2", "roberta"])
def test_the_space_before_a_word_belongs_to_no_span(offsets: list[Interval]) -> None:
    assert spans_to_token_labels("stay safe", offsets, [0, 0], [(0, 5)]) == [1, 0]
    assert spans_to_token_labels("stay safe", offsets, [0, 0], [(5, 9)]) == [0, 1]
    assert token_scores_to_spans("stay safe", offsets, [0, 0], [0.0, 1.0]) == [RationaleSpan(5, 9, "safe", 1.0)]


def test_white_space_tokens_keep_their_offsets_and_empty_tokens_overlap_nothing() -> None:
    offsets = [(0, 1), (1, 2), (2, 2), (2, 4)]  # a, Ġ, an empty token, Ġb
    assert spans_to_token_labels("a  b", offsets, [0] * 4, [(0, 4)]) == [1, 1, 0, 1]
    assert spans_to_token_labels("a  b", offsets, [0] * 4, [(3, 4)]) == [0, 0, 0, 1]


def test_every_byte_of_an_emoji_is_labelled_and_any_of_them_brings_the_whole_emoji_back() -> None:
    text = f"love {FAMILY} 🇫🇷🇯🇵"
    offsets, special = encode(byte_level_bpe_tokenizer(), text)
    # Each byte is a token of its own.
    assert len(offsets) > len(text)
    end = 5 + len(FAMILY)
    tokens = [index for index, (start, stop) in enumerate(offsets) if start >= 5 and 5 < stop <= end]
    labels = spans_to_token_labels(text, offsets, special, [(5, end)])
    assert [index for index, label in enumerate(labels) if label == 1] == tokens
    for index in tokens:
        scores = [float(token == index) for token in range(len(offsets))]
        assert [span.text for span in token_scores_to_spans(text, offsets, special, scores)] == [FAMILY]
    scores = [float(start == len(text) - 3) for start, _ in offsets]  # the second half of the first flag
    assert [span.text for span in token_scores_to_spans(text, offsets, special, scores)] == ["🇫🇷"]


def test_half_a_word_is_completed_and_its_score_is_the_mean_of_its_tokens() -> None:
    offsets = [(0, 0), (0, 2), (2, 7), (8, 10), (10, 13), (13, 14), (0, 0), (0, 0)]
    special = [1, 0, 0, 0, 0, 0, 1, 1]
    scores = [math.nan, 0.2, 0.7, 0.1, 0.2, 0.4, math.nan, math.nan]
    assert token_scores_to_spans("unhappy today.", offsets, special, scores) == [
        RationaleSpan(0, 7, "unhappy", pytest.approx(0.45))
    ]


def test_spans_merge_over_white_space_only() -> None:
    text = "I'm sorry  \n for you, so sorry"
    words = [(0, 3), (4, 9), (13, 16), (17, 20), (20, 21), (22, 24), (25, 30)]
    rationales = token_scores_to_spans(text, words, [0] * 7, [1, 1, 1, 0, 0, 1, 1])
    assert [span.text for span in rationales] == ["I'm sorry  \n for", "so sorry"]
    rationales = token_scores_to_spans(text, words, [0] * 7, [1, 1, 1, 1, 0, 1, 1])
    assert [span.text for span in rationales] == ["I'm sorry  \n for you", "so sorry"]


def test_a_run_of_tokens_is_one_span_over_characters_that_the_tokenizer_drops() -> None:
    text = "so \x00 sorry"
    offsets, special = encode(wordpiece_tokenizer(), text)
    # BERT's normalizer drops the control character.
    assert (3, 4) not in offsets
    [span] = token_scores_to_spans(text, offsets, special, [1.0] * len(offsets))
    assert span == RationaleSpan(0, 10, text, 1.0)


def test_tokens_may_come_in_any_order() -> None:
    rationales = token_scores_to_spans("so sorry, dear", [(10, 14), (3, 8), (0, 2), (8, 9)], [0] * 4, [1, 1, 1, 0])
    assert [span.text for span in rationales] == ["so sorry", "dear"]


def test_thresholds_zero_and_one() -> None:
    text, offsets = "so sorry.", [(0, 2), (3, 8), (8, 9)]
    assert token_scores_to_spans(text, offsets, [0] * 3, [0.0, 0.0, 0.0], 0) == [RationaleSpan(0, 9, text, 0.0)]
    assert token_scores_to_spans(text, offsets, [0] * 3, [0.99, 1.0, 0.0], 1) == [RationaleSpan(3, 8, "sorry", 1.0)]


def test_a_word_cut_by_truncation_comes_back_whole() -> None:
    assert truncated_spans([(0, 2), (3, 5)], [0, 0], [(0, 2), (3, 8), (9, 12)]) == [(3, 8), (9, 12)]
    assert token_scores_to_spans("so sorry now", [(0, 2), (3, 5)], [0, 0], [0, 1])[0].text == "sorry"
    assert truncated_spans([(0, 0), (0, 0)], [1, 1], [(0, 1)]) == [(0, 1)]


@pytest.mark.parametrize("text", ["", "  \n "])
def test_a_text_without_words_has_no_rationale(tokenizer: PreTrainedTokenizerFast, text: str) -> None:
    offsets, special = encode(tokenizer, text, padding="max_length", max_length=8)
    assert len(offsets) == 8
    labels = spans_to_token_labels(text, offsets, special, [])
    assert labels == [IGNORE_INDEX if is_special else 0 for is_special in special]
    assert token_scores_to_spans(text, offsets, special, [1.0] * 8) == []


@pytest.mark.parametrize("convert", [np.array, torch.tensor])
def test_arrays_and_tensors_give_plain_numbers(convert: type) -> None:
    offsets, special, spans = convert([[0, 0], [0, 2], [3, 8]]), convert([1, 0, 0]), convert([[3, 8]])
    labels = spans_to_token_labels("so sorry", offsets, special, spans)
    [span] = token_scores_to_spans("so sorry", offsets, special, convert([0.0, 0.25, 0.75]))
    [cut] = truncated_spans(offsets[:2], special[:2], spans)
    assert (labels, span, cut) == ([IGNORE_INDEX, 0, 1], (3, 8, "sorry", 0.75), (3, 8))
    assert {type(value) for value in (*labels, *cut, *span[:2])} == {int}
    assert type(span.score) is float


@pytest.mark.parametrize(
    ("marked", "expected"),
    [
        ("feel better so[o]n.", "soon"),
        ("feel better soon[.]", "."),
        ("I do[n]’t know", "don’t"),
        ("rock '[n]' roll", "n"),
        ("your friends[’] help", "’"),
        ("a well-kno[w]n thing", "well-known"),
        ("yes--n[o]", "no"),
        ("here 2[4]/7, and/or", "24/7"),
        ("and/o[r]", "or"),
        ("pay 1[0],000.50.", "10,000.50"),
        ("one.Two.Thr[e]e", "Three"),
        ("so cafe[\u0301]s close", "cafe\u0301s"),
        ("l[’]e\u0301te\u0301", "l’e\u0301te\u0301"),
        ("😀👍[🏽]😀", "👍🏽"),
        ("😀[👍]🏽😀", "👍🏽"),
        ("🇫🇷🇯[🇵]🇺🇸", "🇯🇵"),
        ("a ❤[\ufe0f]b", "❤\ufe0f"),
        (f"hi{ENGLAND[:3]}[{ENGLAND[3]}]{ENGLAND[4:]}!", ENGLAND),
        ("我[们]很好", "们"),
        ("私は[カ]\u3099スだ", "カ\u3099"),
        ("אמר שָׁל[וֹ]ם!", "שָׁלוֹם"),
        ("هل مَرْ[حَ]بًا؟", "مَرْحَبًا"),
        ("نمی\u200c[د]انم", "نمی\u200cدانم"),
        ("\u200f[ש]לום", "\u200fשלום"),
        ("cafe\u0301’[s]", "cafe\u0301’s"),
        ("don[’]\u2060t", "don’\u2060t"),
        ("मेरे दो[स]्त", "दोस्त"),
        ("1\ufe0f[\u20e3]!", "1\ufe0f\u20e3"),
        ("a \u0301[b] c", "\u0301b"),
        ("an[ ]end", " "),
        ("tw[o word]s", "two words"),
    ],
)
def test_spans_widen_to_the_word_around_them(marked: str, expected: str) -> None:
    before, inside = marked.split("[", 1)
    inside, after = inside.rsplit("]", 1)
    text = before + inside + after
    start, end = extend_to_words(text, len(before), len(before + inside))
    assert text[start:end] == expected
    assert start <= len(before) < len(before + inside) <= end


@pytest.mark.parametrize("spans", [[(0, 3), (4, 4)], [(5, 4)], [(-1, 2)], [(3, 9)]])
def test_spans_that_do_not_lie_in_the_text_are_named(spans: list[Interval]) -> None:
    named = rf"Span \({spans[-1][0]}, {spans[-1][1]}\)"
    with pytest.raises(ValueError, match=named):
        spans_to_token_labels("so sorry", [(0, 2)], [0], spans)
    with pytest.raises(ValueError, match=named):
        extend_to_words("so sorry", *spans[-1])
    if spans == [(3, 9)]:  # without the text its end is unknown
        assert truncated_spans([(0, 2)], [0], spans) == spans
    else:
        with pytest.raises(ValueError, match=named):
            truncated_spans([(0, 2)], [0], spans)


def test_encodings_that_do_not_fit_the_text_are_refused() -> None:
    with pytest.raises(ValueError, match="2 tokens, special_tokens_mask 1"):
        spans_to_token_labels("so sorry", [(0, 2), (3, 8)], [0], [])
    with pytest.raises(ValueError, match="2 tokens, special_tokens_mask 1"):
        truncated_spans([(0, 2), (3, 8)], [0], [])
    with pytest.raises(ValueError, match="1 scores for 2 tokens"):
        token_scores_to_spans("so sorry", [(0, 2), (3, 8)], [0, 0], [0.5])
    with pytest.raises(ValueError, match=r"Token 1 has offsets \(3, 9\) in a text of 8 characters"):
        spans_to_token_labels("so sorry", [(0, 2), (3, 9)], [0, 0], [])
    with pytest.raises(ValueError, match=r"Token 0 has offsets \(2, 1\)"):
        truncated_spans([(2, 1)], [0], [])
    with pytest.raises(ValueError, match=r"token at \(3, 8\) is NaN"):
        token_scores_to_spans("so sorry", [(0, 2), (3, 8)], [0, 0], [0.5, math.nan])
    with pytest.raises(ValueError, match="threshold is NaN"):
        token_scores_to_spans("so sorry", [(0, 2)], [0], [0.5], math.nan)


def test_the_examples_in_the_documentation_hold() -> None:
    results = doctest.testmod(rationale_spans)
    assert results.attempted >= 4
    assert results.failed == 0
