"""Context use: shuffled and emptied features against features built anew, and what is lost against pair by pair."""

import datasets
import numpy as np
import pytest
import torch

from modeling_empathy import MECHANISMS
from modeling_empathy.corpus.features import build_features
from modeling_empathy.evaluation.context_use import (
    context_use,
    context_use_table,
    with_emptied_seeker_posts,
    with_shuffled_seeker_posts,
)
from tests.tiny_models import tiny_model
from tests.tokenizers_for_tests import byte_level_bpe_tokenizer, wordpiece_tokenizer


POSTS = {
    "a": "I am so sad",
    "b": "I lost my job, and nobody talked to me about it. Nobody at all",
    "c": "Why?",
    "d": "I feel alone today. What should I do tomorrow?",
}
PAIRS = "aabcccd"  # the seeker post of each
RESPONSES = [
    "I am so sorry",
    "What happened?",
    "That must have been hard",
    "I felt the same way. What happened after that?",
    "Things got better with time",
    "Sending hugs",
    "Have you talked to someone?",
]


def rows_of(pairs: str = PAIRS, **posts: str) -> datasets.Dataset:
    """Annotated pairs; `posts` replaces the seeker posts of some."""
    levels = np.random.default_rng(0).integers(0, 3, size=(len(pairs), 3)).tolist()
    return datasets.Dataset.from_list(
        [
            {
                "sp_id": sp_id,
                "rp_id": f"r{index}",
                "seeker_post": (POSTS | posts)[sp_id],
                "response_post": response,
                **{
                    mechanism: {"level": level, "rationales": []}
                    for mechanism, level in zip(MECHANISMS, levels[index], strict=True)
                },
            }
            for index, (sp_id, response) in enumerate(zip(pairs, RESPONSES, strict=False))
        ]
    )


def features_of(rows: datasets.Dataset, tokenizer=None) -> datasets.Dataset:
    return build_features(rows, tokenizer or byte_level_bpe_tokenizer(), MECHANISMS, max_length=64)


def logits_pair_by_pair(model):
    def level_logits(features: datasets.Dataset) -> np.ndarray:
        logits = []
        for row in features:
            batch = {f"{post}_input_ids": torch.tensor([row[f"{post}_input_ids"]]) for post in ("seeker", "response")}
            batch |= {name.replace("input_ids", "attention_mask"): torch.ones_like(x) for name, x in batch.items()}
            with torch.no_grad():
                logits.append(model(**batch).empathy_logits[0].numpy())
        return np.array(logits)

    return level_logits


@pytest.mark.parametrize("seed", range(6))
def test_shuffled_features_are_those_of_pairs_with_another_post(seed):
    shuffled = with_shuffled_seeker_posts(features_of(rows_of()), seed)
    now = dict(zip(PAIRS, shuffled["seeker_post"], strict=True))
    assert sorted(now.values()) == sorted(POSTS.values()), "each post stands for exactly one other"
    assert all(now[sp_id] != post for sp_id, post in POSTS.items())
    assert shuffled.to_list() == features_of(rows_of(**now)).to_list()  # every row, every column, the length too


def test_the_seed_decides_the_shuffling():
    features = features_of(rows_of())
    shuffled = [tuple(with_shuffled_seeker_posts(features, seed)["seeker_post"]) for seed in range(8)]
    assert len(set(shuffled)) > 2
    assert tuple(with_shuffled_seeker_posts(features, 0)["seeker_post"]) == shuffled[0]


def test_a_single_seeker_post_can_only_stay():
    features = features_of(rows_of("ccc"))
    assert with_shuffled_seeker_posts(features).to_list() == features.to_list()


@pytest.mark.parametrize("make_tokenizer", [wordpiece_tokenizer, byte_level_bpe_tokenizer])
def test_emptied_features_are_those_of_empty_posts(make_tokenizer):
    tokenizer = make_tokenizer()
    emptied = with_emptied_seeker_posts(features_of(rows_of(), tokenizer), tokenizer)
    assert emptied.to_list() == features_of(rows_of(**dict.fromkeys(POSTS, "")), tokenizer).to_list()
    assert emptied[0]["seeker_input_ids"] == [tokenizer.cls_token_id, tokenizer.sep_token_id]


def test_a_tokenizer_without_special_tokens_leaves_nothing_to_read():
    with pytest.raises(ValueError, match="no special tokens"):
        with_emptied_seeker_posts(features_of(rows_of()), lambda text: {"input_ids": []})


def test_a_model_that_reads_the_seeker_post_loses_by_it():
    features = features_of(rows_of())
    lengths = {len(ids) for ids in features["seeker_input_ids"]}
    # By its length the model below recognizes a post.
    assert len(lengths) == len(POSTS)
    level_of = {ids: number % 3 for number, ids in enumerate(sorted(lengths))}
    levels = [[level_of[len(ids)]] * 3 for ids in features["seeker_input_ids"]]
    features = features.remove_columns("empathy_labels").add_column("empathy_labels", levels)

    def reads_length(of: datasets.Dataset) -> np.ndarray:
        # An empty post has level 0.
        return np.array([[np.eye(3)[level_of.get(len(ids), 0)]] * 3 for ids in of["seeker_input_ids"]])

    for measured in context_use(reads_length, features, byte_level_bpe_tokenizer(), MECHANISMS).values():
        assert measured["accuracy"] == measured["macro_f1"] == 1.0
        shuffled = [level_of[len(ids)] for ids in with_shuffled_seeker_posts(features)["seeker_input_ids"]]
        changed = np.mean([level != row[0] for level, row in zip(shuffled, levels, strict=True)])
        assert 0 < changed == pytest.approx(measured["levels_changed_shuffled"])
        assert measured["accuracy_lost_shuffled"] == pytest.approx(changed)
        zeros = np.mean([row[0] == 0 for row in levels])
        assert measured["accuracy_emptied"] == pytest.approx(zeros)
        assert measured["accuracy_lost_emptied"] == pytest.approx(1 - zeros)
        assert measured["levels_changed_emptied"] == pytest.approx(1 - zeros)
        assert measured["macro_f1_lost_emptied"] == pytest.approx(1 - measured["macro_f1_emptied"]) and zeros < 1


def test_a_model_without_cross_attention_loses_nothing():
    model = tiny_model()
    with_attention = context_use(
        logits_pair_by_pair(model), features_of(rows_of()), byte_level_bpe_tokenizer(), MECHANISMS
    )
    changed = ("levels_changed_shuffled", "levels_changed_emptied")
    # The model as it is does change levels, or the zeros below would show nothing.
    assert any(measured[name] > 0 for measured in with_attention.values() for name in changed)
    for head in model.mechanism_heads.values():
        # All that reaches a response from its seeker post goes through this layer; what is left is a constant.
        torch.nn.init.zeros_(head.attention.output.weight)
    results = context_use(logits_pair_by_pair(model), features_of(rows_of()), byte_level_bpe_tokenizer(), MECHANISMS)
    assert list(results) == list(MECHANISMS)
    for measured in results.values():
        for change in ("shuffled", "emptied"):
            assert measured[f"levels_changed_{change}"] == 0
            for metric in ("accuracy", "macro_f1"):
                assert measured[f"{metric}_{change}"] == measured[metric] and measured[f"{metric}_lost_{change}"] == 0


def test_pairs_without_an_annotated_level_count_as_changed_alone():
    features = features_of(rows_of())
    levels = [[2, 2, -100], *[[-100, 1, 2]] * (len(PAIRS) - 1)]
    features = features.remove_columns("empathy_labels").add_column("empathy_labels", levels)

    def always_two_unless_empty(of: datasets.Dataset) -> np.ndarray:
        return np.array([[np.eye(3)[2 if len(ids) > 2 else 0]] * 3 for ids in of["seeker_input_ids"]])

    results = context_use(always_two_unless_empty, features, byte_level_bpe_tokenizer(), MECHANISMS)
    assert [results[mechanism]["accuracy"] for mechanism in MECHANISMS] == [1.0, pytest.approx(1 / 7), 1.0]
    assert {results[mechanism]["levels_changed_emptied"] for mechanism in MECHANISMS} == {1.0}
    assert {results[mechanism]["levels_changed_shuffled"] for mechanism in MECHANISMS} == {0.0}


def test_the_table_has_a_row_for_each_mechanism():
    features = features_of(rows_of())
    results = context_use(logits_pair_by_pair(tiny_model()), features, byte_level_bpe_tokenizer(), MECHANISMS)
    lines = context_use_table(results).splitlines()
    assert len(lines) == 5 and len({line.count("|") for line in lines}) == 1
    assert lines[0].startswith(
        "| mechanism | accuracy | accuracy lost, shuffled | accuracy lost, emptied | macro-F1 |"
    )
    of_first = results[MECHANISMS[0]]
    assert lines[2].startswith(
        f"| emotional reactions | {of_first['accuracy']:.3f} | {of_first['accuracy_lost_shuffled']:.3f} |"
    )
