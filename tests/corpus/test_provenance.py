"""What data are is known by the bytes of the files they were read from, and is not lost on the way."""

import hashlib
import json
import shutil
from pathlib import Path

import datasets
import pytest

from dataset_scripts.epitome import EpitomeReddit, load_epitome
from modeling_empathy.corpus.annotated_files import read_annotated
from modeling_empathy.corpus.provenance import Provenance, provenance_of_corpus, provenance_of_files, sample_folder
from modeling_empathy.errors import InputError
from tests.csv_files import write_corpus


SAMPLE = sorted((Path(__file__).parents[2] / "dataset_scripts" / "sample").glob("*.csv"))
SUITE = sorted((Path(__file__).parents[2] / "dataset_scripts" / "contrast").glob("*-contrast.csv"))


def sums(*paths: Path) -> dict[str, str]:
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in paths}


def of_paths(*paths: Path) -> Provenance:
    return provenance_of_files({path.name: path for path in paths})


def is_unknown(provenance: Provenance) -> bool:
    return (provenance.name, provenance.licence, provenance.needs_permission) == ("other", "unknown", True)


def test_the_sample_is_known_by_its_bytes_under_any_name(tmp_path):
    assert len(SAMPLE) == 3 and sample_folder().samefile(SAMPLE[0].parent)
    provenance = of_paths(*SAMPLE)
    assert (provenance.name, provenance.licence, provenance.is_synthetic) == ("synthetic-sample", "apache-2.0", True)
    assert not provenance.needs_permission
    assert provenance.files == sums(*SAMPLE)
    copy = shutil.copy(SAMPLE[0], tmp_path / "reddit.csv")
    assert not of_paths(Path(copy)).needs_permission


def test_anything_else_needs_a_permission(tmp_path):
    copies = [Path(shutil.copy(path, tmp_path)) for path in SAMPLE]
    copies[0].write_bytes(copies[0].read_bytes() + b"\r\n")
    assert is_unknown(of_paths(copies[0]))
    assert is_unknown(of_paths(*copies)), "one changed file is enough"
    assert not of_paths(*copies[1:]).needs_permission
    assert is_unknown(of_paths())


def test_the_published_files_are_known_and_need_a_permission(corpus_dir):
    paths = sorted(corpus_dir.glob("*-reddit.csv"))
    assert len(paths) == 3
    for provenance in (of_paths(*paths), of_paths(paths[0])):
        assert (provenance.name, provenance.licence) == ("epitome-reddit", "other")
        assert provenance.needs_permission and not provenance.is_synthetic
        assert "University of Washington" in provenance.terms and "citation" in provenance.terms
        assert provenance.licence_name and provenance.licence_link and provenance.homepage
    assert is_unknown(of_paths(*paths, SAMPLE[0])), "a mixture is neither"
    assert of_paths(*paths, *SUITE).name == "epitome-reddit", "the suite changes nothing of the terms"


def test_the_suite_is_known_alone_and_changes_nothing_of_what_it_stands_beside(tmp_path):
    assert len(SUITE) == 3
    assert (of_paths(*SUITE).name, of_paths(*SUITE).is_synthetic) == ("synthetic-contrast", True)
    assert of_paths(*SAMPLE, *SUITE).name == "synthetic-sample"
    (tmp_path / "other.csv").write_text("a message", encoding="utf-8")
    assert is_unknown(of_paths(*SUITE, tmp_path / "other.csv"))


def test_it_is_ready_for_json_and_comes_back():
    provenance = of_paths(*SAMPLE)
    values = json.loads(json.dumps(provenance.to_dict()))
    assert values["licence"] == "apache-2.0" and len(values["files"]) == 3
    assert Provenance.from_dict(values) == provenance
    assert Provenance.from_dict(values | {"terms": "Do as you like."}) == provenance, "a record makes no terms"
    known = "epitome-reddit, synthetic-sample, synthetic-contrast, other"
    with pytest.raises(InputError, match=f"names 'private', not {known}"):
        Provenance.from_dict(values | {"name": "private"})


@pytest.mark.parametrize("name", ["all", "explorations"])
def test_built_data_say_what_they_were_built_from(tmp_path, name):
    expected = of_paths(*(path for path in SAMPLE if name == "all" or path.name.startswith(name)))
    for _ in ("built", "read from the cache"):
        corpus = load_epitome(name, source="sample", cache_dir=str(tmp_path / "cache"))
        assert provenance_of_corpus(corpus) == expected
        assert provenance_of_corpus(corpus["test"]) == provenance_of_corpus(corpus["train"].info) == expected
        assert corpus["train"].info.license == expected.terms
        assert "peer support" in corpus["train"].info.description
    rows = corpus["train"].select(range(3)).map(lambda row: {"characters": len(row["response_post"])})
    rows.save_to_disk(tmp_path / "saved")
    assert provenance_of_corpus(datasets.load_from_disk(tmp_path / "saved")) == expected


def test_a_build_that_is_repeated_says_it_once(tmp_path):
    builder = EpitomeReddit(config_name="explorations", source="sample", cache_dir=str(tmp_path))
    builder.download_and_prepare()
    once = builder.info.description
    builder.download_and_prepare(download_mode="force_redownload")
    assert builder.info.description == once and once.count("sha256") == 1


def test_a_split_without_rows_belongs_to_its_corpus(tmp_path):
    (tmp_path / "csv").mkdir()
    folder = write_corpus(tmp_path / "csv", pairs=1)
    corpus = load_epitome(data_dir=str(folder), cache_dir=str(tmp_path / "cache"))
    assert sorted(len(rows) for rows in corpus.values()) == [0, 0, 1]
    for part in (corpus, *corpus.values()):
        assert provenance_of_corpus(part).files == sums(*folder.iterdir())


def test_the_published_corpus_says_so(corpus_dir, tmp_path):
    provenance = provenance_of_corpus(load_epitome(data_dir=str(corpus_dir), cache_dir=str(tmp_path)))
    assert provenance.name == "epitome-reddit"
    assert provenance.files == sums(*corpus_dir.glob("*-reddit.csv"))


def test_single_files_say_what_they_are(tmp_path):
    sample = SAMPLE[1]
    rows = read_annotated(sample, None, 64)
    assert provenance_of_corpus(rows) == of_paths(sample)
    rows.to_parquet(tmp_path / "rows.parquet")
    again = read_annotated(tmp_path / "rows.parquet", None, 64)
    provenance = provenance_of_corpus(again)
    assert is_unknown(provenance) and provenance.files == sums(tmp_path / "rows.parquet")
    assert provenance_of_corpus(datasets.DatasetDict(train=rows, test=rows)) == of_paths(sample)
    assert is_unknown(provenance_of_corpus(datasets.DatasetDict(train=rows, test=again)))


def test_rows_from_anywhere_are_of_unknown_origin():
    rows = datasets.Dataset.from_list([{"response_post": "I am here"}])
    assert is_unknown(provenance_of_corpus(rows)) and provenance_of_corpus(rows).files == {}
    with_sample = datasets.DatasetDict(train=rows, test=read_annotated(SAMPLE[1], None, 64))
    provenance = provenance_of_corpus(with_sample)
    assert is_unknown(provenance), "the sample as test split does not vouch for what was trained on"
    assert provenance.files == sums(SAMPLE[1])


def test_files_of_one_name_are_all_recorded(tmp_path):
    for folder, pairs in (("train", 3), ("test", 4)):
        (tmp_path / folder).mkdir()
        write_corpus(tmp_path / folder, pairs)
    paths = [tmp_path / folder / "explorations-test.csv" for folder in ("train", "test")]
    corpus = datasets.DatasetDict(
        {split: read_annotated(path, None, 64) for split, path in zip(("train", "test"), paths, strict=True)}
    )
    files = provenance_of_corpus(corpus).files
    assert set(files.values()) == {sums(path)[path.name] for path in paths} and len(files) == 2
