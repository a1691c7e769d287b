"""The rule of the splits, against its definition and figures worked out by hand."""

import hashlib

from modeling_empathy.corpus.splits import is_of_development, split_of


def test_splits_follow_the_rule():
    for sp_id, salt in (("made-up-1", ""), ("another", "1"), ("ünïcode", "")):
        percentile = int(hashlib.sha1((salt + sp_id).encode("utf-8")).hexdigest(), 16) % 100
        expected = "train" if percentile < 75 else "validation" if percentile < 80 else "test"
        assert split_of(sp_id, salt) == expected
    # sha1("a") = 0x86f7e437faa5a7fce15d1ddcb9eaeaea377667b8, which is 52 modulo 100; sha1("1a") is 91 modulo 100.
    assert split_of("a") == "train" and split_of("a", "1") == "test"
    shares = [split_of(str(number)) for number in range(4000)]
    assert 0.73 < shares.count("train") / 4000 < 0.77 and 0.04 < shares.count("validation") / 4000 < 0.06
    assert {split_of(str(number), "1") == split_of(str(number)) for number in range(100)} == {True, False}


def test_a_fifth_of_the_train_split_is_of_development():
    of_train = [str(number) for number in range(4000) if split_of(str(number)) == "train"]
    held_out = [sp_id for sp_id in of_train if is_of_development(sp_id)]
    assert 0.17 < len(held_out) / len(of_train) < 0.23
    assert not any(is_of_development(str(number)) for number in range(4000) if split_of(str(number)) != "train")
