"""The tokenizers of encoders, also as the original code has them: cased ones lower-case, and stay so when saved."""

import pytest
from transformers import AutoTokenizer

from modeling_empathy.encoders import load_tokenizer
from modeling_empathy.errors import InputError
from tests.tokenizers_for_tests import byte_level_bpe_tokenizer, unigram_tokenizer, wordpiece_tokenizer


TEXTS = ["I'm so SORRY for you.", "  What happened?\n ", "Ça VA 😀?", "HUGS"]


@pytest.mark.parametrize("trim_offsets", [True, False])
def test_a_cased_byte_level_tokenizer_reads_lower_case_behind_a_space(tmp_path, trim_offsets):
    plain = byte_level_bpe_tokenizer(trim_offsets)
    plain.save_pretrained(tmp_path / "plain")
    original = load_tokenizer(str(tmp_path / "plain"), as_original=True)
    original.save_pretrained(tmp_path / "saved")
    saved = AutoTokenizer.from_pretrained(tmp_path / "saved")
    for text in TEXTS:
        lower = text.lower().rstrip()
        expected = plain(lower if lower[0].isspace() else f" {lower}")["input_ids"]
        assert original(text)["input_ids"] == saved(text)["input_ids"] == expected
        offsets = original(text, return_offsets_mapping=True)["offset_mapping"]
        covered = "".join(dict.fromkeys(text[start:end] for start, end in offsets if text[start:end].strip()))
        assert set("".join(text.split())) <= set(covered), "offsets are those of the text as it was written"
    assert plain("HUGS")["input_ids"] != original("HUGS")["input_ids"]
    assert (saved.pad_token_id, saved.cls_token_id) == (plain.pad_token_id, plain.cls_token_id)


@pytest.mark.parametrize("make", [wordpiece_tokenizer, unigram_tokenizer])
def test_other_tokenizers_lower_case_before_their_own_steps(tmp_path, make):
    plain = make()
    plain.save_pretrained(tmp_path / "plain")
    original = load_tokenizer(str(tmp_path / "plain"), as_original=True)
    for text in TEXTS:
        assert original(text)["input_ids"] == plain(text.lower().rstrip())["input_ids"]


def test_an_encoder_that_reads_fewer_tokens_than_texts_will_have_is_refused(tmp_path):
    plain = wordpiece_tokenizer()
    plain.model_max_length = 128
    plain.save_pretrained(tmp_path)
    for as_original in (False, True):
        assert load_tokenizer(str(tmp_path), as_original=as_original, max_length=128).model_max_length == 128
        with pytest.raises(InputError, match=r"max_length=129: .* reads at most 128 tokens"):
            load_tokenizer(str(tmp_path), as_original=as_original, max_length=129)
