"""Lengths of posts: those of the tokenizer before the cut."""

import datasets

from modeling_empathy.corpus.features import build_features
from modeling_empathy.evaluation.post_lengths import post_lengths
from tests.tokenizers_for_tests import wordpiece_tokenizer


def test_posts_are_counted_before_they_are_cut_and_rationales_behind_the_cut_too():
    tokenizer = wordpiece_tokenizer()
    texts = [("I feel lost.", "sorry " * 30), ("I feel lost.", "ok"), ("so " * 50, "What happened?")]
    rows = [
        {
            "sp_id": f"{number}",
            "rp_id": f"{number}",
            "seeker_post": seeker,
            "response_post": response,
            "level": int(number == 0),
            # At the end of a response that is cut.
            "rationales": [{"start": 174, "end": 179, "text": "sorry"}] if number == 0 else [],
        }
        for number, (seeker, response) in enumerate(texts)
    ]
    features = build_features(datasets.Dataset.from_list(rows), tokenizer, ["explorations"], max_length=16)
    lengths = post_lengths(features, tokenizer, 16)
    for place, post in enumerate(("seeker_post", "response_post")):
        assert lengths.tokens[post] == [len(tokenizer(pair[place])["input_ids"]) for pair in texts]
    assert lengths.cut == {"seeker_post": 1, "response_post": 1} and lengths.cut_rationales == 1
