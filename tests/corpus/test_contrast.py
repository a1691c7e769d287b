"""The behaviour suite: it loads like the corpus, its halves share nothing, and what is wrong in a file is named."""

from collections import Counter, defaultdict
from pathlib import Path

import pytest

from modeling_empathy import MECHANISMS
from modeling_empathy.corpus.builder import load_epitome
from modeling_empathy.corpus.contrast import MARKS, families, read_marks, splits_of
from modeling_empathy.corpus.provenance import provenance_of_corpus
from modeling_empathy.errors import InputError
from tests.csv_files import write_csv


FAMILY = {"family": "insult", "kind": "hostility", "split": "train", "needs_seeker_post": "no", "about": "contempt"}


@pytest.fixture(scope="module")
def suite(tmp_path_factory):
    return load_epitome(source="contrast", cache_dir=str(tmp_path_factory.mktemp("cache")))


def test_it_has_the_columns_of_the_corpus_and_says_of_each_row_its_family_pair_and_rule(suite, tmp_path):
    texts = ["sp_id", "rp_id", "seeker_post", "response_post"]
    assert list(suite["train"].features) == [*texts, "family", "contrast_id", "rule", *MECHANISMS]
    single = load_epitome("explorations", source="contrast", cache_dir=str(tmp_path))
    for half in ("train", "test"):
        assert len(single[half]) == len(suite[half]) > 450
        assert single[half]["level"] == [annotation["level"] for annotation in suite[half]["explorations"]]
    assert len(suite["validation"]) == 0


def test_no_family_and_no_seeker_post_is_in_both_halves(suite):
    for column in ("family", "sp_id", "seeker_post", "contrast_id"):
        train, test = (set(suite[half][column]) for half in ("train", "test"))
        assert train and test and not train & test
    known = families()
    assert {name for name, family in known.items() if family.split == "test"} == set(suite["test"]["family"])
    assert {name for name, family in known.items() if family.split != "test"} == set(suite["train"]["family"])
    assert len(known) >= 24 and len({*suite["train"]["sp_id"], *suite["test"]["sp_id"]}) >= 60


def test_of_each_kind_half_the_families_are_in_either_half():
    halves = defaultdict(Counter)
    for family in families().values():
        halves[family.kind][family.split == "test"] += 1
    assert halves
    for kind, counts in halves.items():
        assert abs(counts[True] - counts[False]) <= 1 and counts[True] and counts[False], kind


def test_a_rationale_stands_exactly_where_a_level_is_above_none(suite):
    shown = 0
    for half in ("train", "test"):
        for row in suite[half]:
            for mechanism in MECHANISMS:
                annotation = row[mechanism]
                assert bool(annotation["rationales"]) == (annotation["level"] > 0), row["rp_id"]
                for span in annotation["rationales"]:
                    assert row["response_post"][span["start"] : span["end"]] == span["text"] != ""
                    shown += 1
    assert shown > 400


def test_where_the_seeker_post_decides_a_response_occurs_with_two(suite):
    known = families()
    seekers = defaultdict(set)
    for half in ("train", "test"):
        for row in suite[half]:
            if known[row["family"]].needs_seeker_post:
                seekers[row["response_post"]].add((row["sp_id"], row["contrast_id"]))
    assert seekers
    # A row whose second annotation differed was left out, and its fellow stayed.
    assert all(len(posts) <= 2 for posts in seekers.values())
    assert sum(len(posts) == 2 for posts in seekers.values()) > len(seekers) / 2


def test_it_is_known_as_synthetic_by_its_bytes(suite):
    assert provenance_of_corpus(suite).name == "synthetic-contrast"
    assert not provenance_of_corpus(suite).needs_permission


@pytest.mark.parametrize(
    ("row", "named"),
    [
        ({**FAMILY, "split": "half"}, "row 1.*'split'.*'half'"),
        ({**FAMILY, "needs_seeker_post": "maybe"}, "row 1.*'needs_seeker_post'.*'maybe'"),
        ({**FAMILY, "kind": " "}, "row 1.*'kind'"),
    ],
)
def test_a_wrong_cell_of_the_families_is_named(tmp_path, row, named):
    write_csv(tmp_path / "families.csv", [row.values()], header=FAMILY)
    with pytest.raises(InputError, match=f"families.csv, {named}"):
        families(tmp_path)


def test_a_family_has_one_line(tmp_path):
    write_csv(tmp_path / "families.csv", [FAMILY.values()] * 2, header=FAMILY)
    with pytest.raises(InputError, match=r"row 2.*'family'.*'insult'"):
        families(tmp_path)


def test_a_row_of_an_unknown_family_is_named(tmp_path):
    path: Path = tmp_path / "explorations-contrast.csv"
    write_csv(path, [("praise", "a1", "G1")], header=MARKS)
    with pytest.raises(InputError, match=r"explorations-contrast\.csv, row 1.*'family'.*'praise'"):
        read_marks(path, families())


def test_a_seeker_post_in_both_halves_is_refused():
    marks = [{"family": "insult"}, {"family": "mock_sympathy"}]
    assert splits_of(marks, ["one", "two"], families()) == ["train", "test"]
    with pytest.raises(InputError, match="'one'"):
        splits_of(marks, ["one", "one"], families())
