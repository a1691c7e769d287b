"""Tokenized pairs: posts are cut as their tokenizer cuts them, and nothing is set on it."""

import copy

import pytest

from modeling_empathy import EmpathyConfig
from modeling_empathy.model.encoded_pairs import checked_lengths, encode_pairs
from modeling_empathy.model.pair_inputs import PostPair
from tests.model.test_pipeline_empathy import LONG_RESPONSE, PAIRS, TOKENIZERS
from tests.tokenizers_for_tests import byte_level_bpe_tokenizer


# Special tokens among the words, accents that are split, nothing but unknown characters, white space at the ends.
TEXTS = [
    *(post for pair in PAIRS for post in pair),
    *(LONG_RESPONSE, "[SEP] a [CLS] b " * 5, "</s><s> x" * 9 + " lead", " cafe\u0301 😀\n" * 7, "é" * 30, "x " * 40),
]
MAKERS = {**TOKENIZERS, "untrimmed": lambda: byte_level_bpe_tokenizer(trim_offsets=False)}


@pytest.mark.parametrize("family", MAKERS)
@pytest.mark.parametrize("side", ["right", "left"])
@pytest.mark.parametrize("max_length", [3, 4, 9, 24])
def test_posts_are_cut_as_the_tokenizer_itself_cuts_them(family, side, max_length):
    tokenizer = MAKERS[family]()
    tokenizer.truncation_side = side
    expected = copy.deepcopy(tokenizer)(TEXTS, truncation=True, max_length=max_length).encodings
    encoded = encode_pairs(tokenizer, [PostPair(text, text) for text in TEXTS], max_length)
    cut = 0
    for pair, encoding in zip(encoded, expected, strict=True):
        assert pair.seeker_input_ids == pair.response_input_ids == encoding.ids
        assert pair.response_offsets == encoding.offsets
        assert pair.response_special_tokens_mask == encoding.special_tokens_mask
        assert set(pair.truncated.values()) == {bool(encoding.overflowing)}
        cut += bool(encoding.overflowing)
    assert cut


@pytest.mark.parametrize("family", TOKENIZERS)
def test_nothing_is_set_on_the_tokenizer_and_what_was_set_counts_for_nothing(family):
    tokenizer = TOKENIZERS[family]()
    pairs = [PostPair(*pair) for pair in PAIRS]
    expected = [encode_pairs(tokenizer, pairs, 12, stride) for stride in (None, 3)]
    assert (tokenizer.backend_tokenizer.truncation, tokenizer.backend_tokenizer.padding) == (None, None)
    other = copy.deepcopy(tokenizer)
    other(PAIRS[0][0], truncation=True, max_length=5, padding="max_length")
    before = other.backend_tokenizer.to_str()
    assert [encode_pairs(other, pairs, 12, stride) for stride in (None, 3)] == expected
    assert other.backend_tokenizer.to_str() == before


def test_words_that_were_added_to_a_tokenizer_in_use_are_found():
    tokenizer = TOKENIZERS["bert"]()
    pairs = [PostPair("I told zyzzyva.", "Who is zyzzyva?")]
    before = encode_pairs(tokenizer, pairs, 40)
    tokenizer.add_tokens(["zyzzyva"])
    [after] = encode_pairs(tokenizer, pairs, 40)
    assert after != before[0] and tokenizer.convert_tokens_to_ids("zyzzyva") in after.response_input_ids


@pytest.mark.parametrize(
    ("encoder", "longest"),
    [
        ({"model_type": "bert", "max_position_embeddings": 64}, 64),
        # Positions 0 and 1 are never used: they are counted from behind the padding id.
        ({"model_type": "roberta", "max_position_embeddings": 66, "pad_token_id": 1}, 64),
        ({"model_type": "mpnet", "max_position_embeddings": 66}, 64),
        ({"model_type": "deberta-v2", "max_position_embeddings": 64, "position_biased_input": False}, None),
    ],
)
def test_no_more_is_read_than_the_encoder_has_positions_for(encoder, longest):
    tokenizer = TOKENIZERS["bert"]()
    config = EmpathyConfig(encoder_config=encoder, max_post_length=32)
    assert checked_lengths(tokenizer, config) == (32, None)
    assert checked_lengths(tokenizer, config, longest or 10_000) == (longest or 10_000, None)
    if longest:
        with pytest.raises(ValueError, match=f"max_length=65: a whole number from 3 to {longest}"):
            checked_lengths(tokenizer, config, 65)
        with pytest.raises(ValueError, match="max_post_length=65"):
            checked_lengths(tokenizer, EmpathyConfig(encoder_config=encoder, max_post_length=65))
    tokenizer.model_max_length = 40
    with pytest.raises(ValueError, match="max_length=41: a whole number from 3 to 40"):
        checked_lengths(tokenizer, config, 41)
