"""What is trained on: the corpus, and pairs beside it as often as their weight says."""

from collections import Counter

import pytest

from modeling_empathy import MECHANISMS
from modeling_empathy.corpus.builder import load_epitome
from modeling_empathy.corpus.contrast import families
from modeling_empathy.errors import InputError
from modeling_empathy.training.data import read_corpus, suite_to_measure
from modeling_empathy.training.parsing import parse_arguments
from tests.csv_files import write_corpus


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return write_corpus(tmp_path_factory.mktemp("corpus"))


def arguments_of(folder, tmp_path, *options: object):
    paths = ("--data_dir", folder, "--data_cache_dir", tmp_path / "cache", "--output_dir", tmp_path / "out")
    return parse_arguments([str(option) for option in (*paths, *options)])


def splits(folder, tmp_path, *options: object):
    model_args, data_args, _ = arguments_of(folder, tmp_path, *options)
    return read_corpus(model_args, data_args, True, True)


def suite_rows(corpus) -> Counter:
    """How often the train split has each response of the suite."""
    return Counter(name for name in corpus["train"]["rp_id"] if name.startswith("synthetic-"))


@pytest.mark.parametrize("weight", [0.5, 1, 2.5])
def test_a_pair_beside_the_corpus_comes_as_often_as_its_weight_says(folder, tmp_path, weight):
    alone = splits(folder, tmp_path)
    corpus = splits(folder, tmp_path, "--extra_data", "contrast", "--extra_weight", weight)
    known = set(load_epitome(source="contrast")["train"]["rp_id"])
    counted = suite_rows(corpus)
    assert counted.keys() <= known and set(counted.values()) <= {int(weight), int(weight) + 1}
    assert sum(counted.values()) == pytest.approx(weight * len(known), abs=1)
    assert len(corpus["train"]) == len(alone["train"]) + sum(counted.values())
    for split in ("validation", "test"):
        assert corpus[split]["rp_id"] == alone[split]["rp_id"]
    again = splits(folder, tmp_path, "--extra_data", "contrast", "--extra_weight", weight)
    assert suite_rows(again) == counted


def test_test_families_are_trained_on_only_by_a_model_of_everything(folder, tmp_path):
    suite = load_epitome(source="contrast")
    assert not suite_rows(splits(folder, tmp_path))
    trained = suite_rows(splits(folder, tmp_path, "--extra_data", "contrast"))
    assert trained.keys() == set(suite["train"]["rp_id"])
    everything = splits(folder, tmp_path, "--extra_data", "contrast", "--train_on_everything", "true")
    assert suite_rows(everything).keys() == {*suite["train"]["rp_id"], *suite["test"]["rp_id"]}


def test_in_development_some_families_are_held_out_too(folder, tmp_path):
    suite, known = load_epitome(source="contrast")["train"], families()
    trained = suite_rows(splits(folder, tmp_path, "--extra_data", "contrast", "--development", "true"))
    rows = zip(suite["rp_id"], suite["family"], strict=True)
    expected = {name for name, family in rows if known[family].split == "train"}
    assert trained.keys() == expected and 0 < len(expected) < len(suite)


@pytest.mark.parametrize("mechanisms", [MECHANISMS, MECHANISMS[:1]], ids=len)
@pytest.mark.parametrize(("development", "measured"), [("false", "test"), ("true", "development")])
def test_what_is_measured_is_what_was_not_trained_on(folder, tmp_path, development, measured, mechanisms):
    options = ("--extra_data", "contrast", "--development", development, "--mechanisms", *mechanisms)
    rows = suite_to_measure(*arguments_of(folder, tmp_path, *options)[:2])
    assert set(rows["family"]) == {name for name, family in families().items() if family.split == measured}
    assert set(rows["rp_id"]).isdisjoint(suite_rows(splits(folder, tmp_path, *options)))
    assert ("level" in rows.column_names) == (len(mechanisms) == 1)


def test_one_mechanism_has_its_own_annotations(folder, tmp_path):
    corpus = splits(folder, tmp_path, "--extra_data", "contrast", "--mechanisms", "explorations")
    levels = dict(zip(corpus["train"]["rp_id"], corpus["train"]["level"], strict=True))
    suite = load_epitome("explorations", source="contrast")["train"]
    assert {name: levels[name] for name in suite["rp_id"]} == dict(zip(suite["rp_id"], suite["level"], strict=True))


def test_a_folder_goes_beside_the_corpus_with_all_its_pairs(folder, tmp_path):
    (tmp_path / "more").mkdir()
    more = write_corpus(tmp_path / "more", pairs=7)
    corpus = splits(folder, tmp_path, "--extra_data", more)
    assert len(corpus["train"]) == len(splits(folder, tmp_path)["train"]) + 7


@pytest.mark.parametrize(
    ("options", "named"),
    [
        (("--extra_data", "nowhere"), "'nowhere'"),
        (("--extra_data", "contrast", "--extra_weight", 0.0001), "--extra_data contrast"),
        (("--extra_data", "contrast", "--train_path", "explorations.csv"), "--extra_data"),
    ],
)
def test_what_can_not_go_beside_the_corpus_is_named(folder, tmp_path, options, named):
    with pytest.raises(InputError, match=named):
        splits(folder, tmp_path, *options)


def test_a_weight_of_0_leaves_out_what_a_recipe_puts_beside_the_corpus(folder, tmp_path):
    assert suite_rows(splits(folder, tmp_path, "--recipe", "embedded"))
    without = ("--recipe", "embedded", "--extra_weight", 0, "--mismatched_weight", 0)
    assert not suite_rows(splits(folder, tmp_path, *without))


@pytest.mark.parametrize("weight", [-1, "nan", "inf"])
def test_a_weight_is_a_number_from_0(folder, tmp_path, weight, capsys):
    with pytest.raises(SystemExit):
        splits(folder, tmp_path, "--extra_data", "contrast", "--extra_weight", weight)
    assert "extra_weight" in capsys.readouterr().err


def test_mismatched_pairs_come_once_for_each_response_by_their_weight(folder, tmp_path):
    extra = ("--extra_data", "contrast", "--extra_weight", 2)
    alone = splits(folder, tmp_path, *extra)["train"]
    trained = splits(folder, tmp_path, *extra, "--mismatched_weight", 1)["train"]
    twice = splits(folder, tmp_path, *extra, "--mismatched_weight", 2)["train"]
    added = len(trained) - len(alone)
    assert added > 50 and len(twice) - len(alone) == 2 * added
    assert list(trained["rp_id"])[: len(alone)] == list(alone["rp_id"])
    for row in trained.select(range(len(alone), len(trained))):
        assert row["explorations"]["level"] == row["interpretations"]["level"] == 0


def test_where_nothing_can_be_mismatched_that_is_said(folder, tmp_path, caplog):
    options = ("--extra_data", "contrast", "--mechanisms", "emotional_reactions")
    alone = splits(folder, tmp_path, *options)["train"]
    assert len(splits(folder, tmp_path, *options, "--mismatched_weight", 1)["train"]) == len(alone)
    assert "--mismatched_weight: no response speaks of something particular" in caplog.text


def test_a_recipe_puts_nothing_beside_a_file_of_ones_own(folder, tmp_path):
    path = folder / "explorations-test.csv"
    recipe = ("--recipe", "embedded", "--train_path", path, "--mechanisms", "explorations")
    assert not suite_rows(splits(folder, tmp_path, *recipe))
    with pytest.raises(InputError, match="--extra_data goes beside a corpus"):
        splits(folder, tmp_path, *recipe, "--extra_data", "contrast")
