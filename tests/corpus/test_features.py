"""Features and batches: labels sit on the right tokens, padding says nothing, what is cut is counted."""

import datasets
import pytest
import torch

from modeling_empathy import MECHANISMS
from modeling_empathy.corpus.features import EmpathyDataCollator, build_features
from tests.tokenizers_for_tests import byte_level_bpe_tokenizer, wordpiece_tokenizer


SHARED_COLUMNS = ("sp_id", "rp_id", "seeker_post", "response_post")


def pair(response: str, levels: tuple[int, int, int], rationales: tuple[list[str], list[str], list[str]]) -> dict:
    row = {"sp_id": "s", "rp_id": "r", "seeker_post": "I feel sad and alone", "response_post": response}
    for mechanism, level, texts in zip(MECHANISMS, levels, rationales, strict=True):
        spans = [
            {"start": response.index(text), "end": response.index(text) + len(text), "text": text} for text in texts
        ]
        row[mechanism] = {"level": level, "rationales": spans}
    return row


CORPUS = datasets.Dataset.from_list(
    [
        pair("I am so sorry. What happened?", (2, 0, 1), (["I am so sorry"], [], ["What happened?"])),
        pair("I understand how you feel, sending hugs", (1, 1, 0), (["sending hugs"], [], [])),
    ]
)


@pytest.mark.parametrize("make_tokenizer", [wordpiece_tokenizer, byte_level_bpe_tokenizer])
def test_labels_sit_on_the_words_of_the_rationale(make_tokenizer):
    tokenizer = make_tokenizer()
    row = build_features(CORPUS, tokenizer, MECHANISMS, max_length=64)[0]
    labelled = [
        "".join(
            row["response_post"][start:end]
            for (start, end), label in zip(row["response_offsets"], row["rationale_labels"][mechanism], strict=True)
            if label == 1
        )
        for mechanism in range(3)
    ]
    assert [text.replace(" ", "") for text in labelled] == ["Iamsosorry", "", "Whathappened?"]
    assert row["empathy_labels"] == [2, 0, 1]
    assert [labels[0] for labels in row["rationale_labels"]] == [-100] * 3
    assert row["truncated_rationales"] == 0
    assert row["length"] == len(row["seeker_input_ids"]) + len(row["response_input_ids"])


@pytest.mark.parametrize(("unannotated", "expected"), [("none", {0}), ("ignore", set()), ("all", {1})])
def test_what_an_unannotated_response_says(unannotated, expected):
    rows = build_features(CORPUS, wordpiece_tokenizer(), MECHANISMS, max_length=64, unannotated=unannotated)
    without_rationale_at_level_0 = rows[0]["rationale_labels"][1]
    assert set(without_rationale_at_level_0) == {-100} | expected
    above_0_without_rationale = rows[1]["rationale_labels"][1]
    assert set(above_0_without_rationale) == {-100}


def test_the_originals_labels_leave_no_token_out():
    rows = build_features(CORPUS, wordpiece_tokenizer(), MECHANISMS, max_length=64, unannotated="original")
    for row in rows:
        tokens = len(row["response_input_ids"])
        for mechanism, labels in zip(MECHANISMS, row["rationale_labels"], strict=True):
            if row[mechanism]["rationales"]:
                assert labels[0] == labels[-1] == 0 < sum(labels) < tokens
            else:  # whatever the level, and with the closing special token
                assert labels == [0] + [1] * (tokens - 1)


def test_a_prepared_files_own_labels_are_taken_where_the_originals_are_asked_for():
    text = "I am so sorry"
    prepared_labels = [0, 1, 0, 1, 0, 0, 0, 0]
    row = {
        "sp_id": "s",
        "rp_id": "r",
        "seeker_post": "a",
        "response_post": text,
        "level": 1,
        "prepared_labels": prepared_labels,
    }
    row["rationales"] = [{"start": 0, "end": 4, "text": "I am"}]
    rows = datasets.Dataset.from_list([row])
    tokenizer = wordpiece_tokenizer()
    tokens = len(tokenizer(text)["input_ids"])
    original, corrected = (
        build_features(rows, tokenizer, ["explorations"], max_length=8, unannotated=how)[0]["rationale_labels"][0]
        for how in ("original", "none")
    )
    assert original == prepared_labels[:tokens]
    assert corrected[0] == -100 and corrected[1:3] == [1, 1]


def test_rationales_behind_the_cut_are_counted():
    whole = build_features(CORPUS, wordpiece_tokenizer(), MECHANISMS, max_length=64)
    cut = build_features(CORPUS, wordpiece_tokenizer(), MECHANISMS, max_length=10)
    assert whole["truncated_rationales"] == [0, 0]
    assert all(cut["truncated_rationales"])
    assert max(map(len, cut["response_input_ids"])) == 10


def test_one_mechanism_is_read_from_its_own_configuration():
    single = datasets.Dataset.from_list(
        [{**{name: row[name] for name in SHARED_COLUMNS}, **row["explorations"]} for row in CORPUS]
    )
    features = build_features(single, wordpiece_tokenizer(), ["explorations"], max_length=64)
    features_of_all = build_features(CORPUS, wordpiece_tokenizer(), ["explorations"], max_length=64)
    assert features["rationale_labels"] == features_of_all["rationale_labels"]
    assert features["empathy_labels"] == features_of_all["empathy_labels"] == [[1], [0]]


def test_a_batch_is_padded_to_its_own_longest_with_the_tokenizers_pad_id():
    tokenizer = byte_level_bpe_tokenizer()
    rows = list(build_features(CORPUS, tokenizer, MECHANISMS, max_length=64))
    batch = EmpathyDataCollator(tokenizer.pad_token_id)(rows)
    lengths = [len(row["response_input_ids"]) for row in rows]
    assert lengths[0] != lengths[1]
    assert batch["response_input_ids"].shape == (2, max(lengths))
    assert batch["response_attention_mask"].sum(1).tolist() == lengths
    assert batch["rationale_labels"].shape == (2, 3, max(lengths))
    for index, row in enumerate(rows):
        assert batch["response_input_ids"][index, : lengths[index]].tolist() == row["response_input_ids"]
        assert set(batch["response_input_ids"][index, lengths[index] :].tolist()) <= {tokenizer.pad_token_id}
        assert batch["rationale_labels"][index, :, : lengths[index]].tolist() == row["rationale_labels"]
        assert (batch["rationale_labels"][index, :, lengths[index] :] == -100).all()
    assert batch["empathy_labels"].tolist() == [[2, 0, 1], [1, 1, 0]]
    fixed = EmpathyDataCollator(tokenizer.pad_token_id, pad_to_length=50)(rows)
    assert fixed["response_input_ids"].shape == fixed["seeker_input_ids"].shape == (2, 50)
    assert torch.equal(fixed["response_attention_mask"].sum(1), batch["response_attention_mask"].sum(1))
    rounded = EmpathyDataCollator(tokenizer.pad_token_id, pad_to_multiple_of=16)(rows)
    assert rounded["response_input_ids"].shape[1] % 16 == rounded["seeker_input_ids"].shape[1] % 16 == 0
    assert torch.equal(rounded["response_attention_mask"].sum(1), batch["response_attention_mask"].sum(1))
