"""The card of a checkpoint: its figures are the record's, its metadata what the Hub reads, its examples run."""

import json
import re
from pathlib import Path

import pytest
from huggingface_hub import ModelCard
from sklearn.metrics import precision_recall_fscore_support

from modeling_empathy import LEVELS, MECHANISMS
from modeling_empathy.corpus.provenance import UPSTREAM_SHA256, contrast_folder, provenance_of_files, sample_folder
from modeling_empathy.errors import InputError
from modeling_empathy.hub.model_card import model_card, save_model_card
from modeling_empathy.hub.run_record import read_record
from tests.hub.run_records import CONFUSION, behaviour, run_record
from tests.tiny_models import tiny_model
from tests.tokenizers_for_tests import wordpiece_tokenizer


@pytest.fixture
def folder(tmp_path) -> Path:
    tiny_model("bert", max_post_length=40, rationale_thresholds=[0.25, 0.5, 0.75]).save_pretrained(tmp_path)
    (tmp_path / "metrics.json").write_text(json.dumps(run_record()))
    return tmp_path


def published_record(**data: object) -> dict:
    """A record of a run on the published corpus."""
    record = run_record()
    record["data"] |= {"provenance": {"name": "epitome-reddit", "files": UPSTREAM_SHA256}, **data}
    return record


def tables(text: str) -> list[list[list[str]]]:
    """The Markdown tables of a text: rows of cells, the header first."""
    complete, rows = [], []
    for line in [*text.splitlines(), ""]:
        if line.startswith("|"):
            rows.append([cell.strip() for cell in line.strip("|").split("|")])
        elif rows:
            complete.append([rows[0], *rows[2:]])
            assert len({len(row) for row in rows}) == 1, rows
            rows = []
    return complete


def table_with(text: str, column: str) -> list[list[str]]:
    return next(table for table in tables(text) if column in table[0])


def test_the_metadata_are_what_the_hub_reads(folder):
    data = ModelCard(model_card(folder, repo_id="me/empathy", dataset_repo_id="me/corpus")).data
    assert data.library_name == "transformers" and data.pipeline_tag == "text-classification"
    assert data.license == "apache-2.0" and data.language == "en"
    assert data.base_model == "somebody/encoder" and data.datasets == ["me/corpus"]
    assert {"empathy", "mental-health", "rationale-extraction"} <= set(data.tags)
    results = {(result.dataset_config, result.metric_name): result for result in data.eval_results}
    assert len(results) == len(data.eval_results) == 6 * len(MECHANISMS)
    test = run_record()["metrics"]["test"]
    for mechanism in MECHANISMS:
        for shown, name in (("accuracy", "accuracy"), ("macro-F1", "macro_f1"), ("IOU-F1", "annotated_iou_f1_macro")):
            result = results[mechanism, shown]
            assert result.metric_value == pytest.approx(test[f"{mechanism}_{name}"], abs=1e-4)
            assert result.dataset_split == "test" and result.dataset_type == "me/corpus"
    tasks = {result.metric_name: result.task_type for result in data.eval_results}
    assert tasks["kappa"] == "text-classification" and tasks["token-F1"] == "token-classification"


def test_the_figures_are_those_that_were_measured(folder):
    text = model_card(folder)
    test = run_record()["metrics"]["test"]
    for row in table_with(text, "kappa")[1:]:
        mechanism = row[0].replace(" ", "_")
        assert row[1:4] == [f"{test[f'{mechanism}_{name}']:.3f}" for name in ("accuracy", "macro_f1", "f1_no")]
    assert "those of a test" in text, "whose definitions the numbers follow"

    # From the table to single pairs and back, by another library's definitions.
    annotated = [level for level in range(3) for predicted in range(3) for _ in range(CONFUSION[level][predicted])]
    predicted = [predicted for level in range(3) for predicted in range(3) for _ in range(CONFUSION[level][predicted])]
    expected = list(zip(*precision_recall_fscore_support(annotated, predicted, labels=[0, 1, 2]), strict=True))
    rows = table_with(text, "recall")[1:]
    assert [row[:2] for row in rows] == [[name.replace("_", " "), level] for name in MECHANISMS for level in LEVELS]
    for index, row in enumerate(rows):
        precision, recall, f1, support = expected[index % 3]
        assert row[2] == str(support) and row[4:] == [f"{value:.3f}" for value in (precision, recall, f1)]
    for mechanism in MECHANISMS:
        matrix = table_with(text, mechanism.replace("_", " "))
        assert [[int(cell) for cell in row[1:]] for row in matrix[1:]] == CONFUSION
    assert "an accuracy of 0.500 (emotional reactions)" in text, "10 of the 20 pairs are at level no"


def test_what_the_suite_measured_is_in_the_card(folder):
    text = model_card(folder)
    shown = dict(table_with(text, "behaviour")[1:])
    assert shown == {
        "cells right": "0.704 (19 of 27)",
        "of these, where only the seeker post decides": "0.333 (2 of 6)",
        "confident errors (above 0.8)": "0.111 (3 of 27)",
        "levels kept with typos": "0.875",
        "levels kept with capitals": "0.750",
        "levels kept with emoji": "1.000",
        "levels kept with name": "0.625",
        "minimal pairs in the right order": "0.625 (5 of 8)",
    }
    assert "Families below .8: fit reaction, mock praise." in text
    assert "9 synthetic responses of 3 families" in text


OTHERS, NONE = "trained on other families of the same kinds, not on these", "trained on none of them"
PERHAPS, TOO = "may have been trained on some of them", "This model was trained on these families too"


@pytest.mark.parametrize(
    ("of_measured", "of_model", "says"),
    [
        ({}, None, [f"It was {NONE}"]),
        ({"extra_data": "contrast", "extra_weight": 2.0}, None, [f"It was {OTHERS}"]),
        ({"extra_data": "/home/somebody/csv"}, None, [f"It {PERHAPS}"]),
        ({}, {"train_on_everything": True}, [f"Its twin was {NONE}"]),
        (
            {"extra_data": "contrast"},
            {"extra_data": "contrast", "train_on_everything": True},
            [f"Its twin was {OTHERS}", TOO],
        ),
        ({"extra_data": "contrast"}, {"extra_data": "contrast"}, [f"Its twin was {OTHERS}"]),
    ],
)
def test_it_says_whether_the_suite_was_trained_on(folder, of_measured, of_model, says):
    record = run_record()
    record["arguments"]["data"] |= of_measured
    if of_model is not None:
        model = run_record()
        del model["behaviour"]
        model["metrics"]["test"] = {}
        model["arguments"]["data"] |= of_model
        model["data"]["twin"] = record
        record = model
    (folder / "metrics.json").write_text(json.dumps(record))
    text = model_card(folder)
    said = " ".join(text.split())
    assert [phrase for phrase in (OTHERS, NONE, PERHAPS, TOO) if phrase in said] == [
        phrase for phrase in (OTHERS, NONE, PERHAPS, TOO) if any(phrase in expected for expected in says)
    ]
    assert all(expected in said for expected in says)
    assert "0.704 (19 of 27)" in text and "/home/somebody" not in text


@pytest.mark.parametrize("beside", [{}, {"extra_data": "contrast"}], ids=["alone", "beside itself"])
def test_of_a_suite_as_corpus_nothing_is_claimed(folder, beside):
    paths = {path.name: path for path in contrast_folder().glob("*-contrast.csv")}
    record = run_record()
    record["data"]["provenance"] = provenance_of_files(paths).to_dict()
    record["arguments"]["data"] |= beside
    (folder / "metrics.json").write_text(json.dumps(record))
    text = model_card(folder)
    assert PERHAPS in text and NONE not in text and OTHERS not in text


def test_without_the_suite_nothing_is_said_of_it(folder):
    record = run_record()
    del record["behaviour"]
    (folder / "metrics.json").write_text(json.dumps(record))
    text = model_card(folder)
    assert "### Behaviour" not in text and "minimal pairs" not in text and "| explorations | asks" in text


def test_what_is_published_of_the_suite_is_what_was_measured(folder):
    record = run_record()
    record["behaviour"]["note"] = record["behaviour"]["families"]["facts"]["note"] = "/home/somebody"
    # Shares are made of the counts, whatever the file says they are.
    record["behaviour"]["accuracy"] = 1.0
    (folder / "metrics.json").write_text(json.dumps(record))
    assert read_record(folder).publishable()["behaviour"] == behaviour()


def test_it_says_what_it_is_not_and_what_it_was_made_of(folder):
    text = " ".join(model_card(folder).split())
    for phrase in (
        "Not a diagnosis",
        "English, from Reddit",
        "Experts disagree",
        "do not use it to rank",
        "local crisis line",
        "Trained on synthetic text alone",
        "Apache License 2.0",
        "The weights are another matter",
        "sharma2020empathy",
        "0.25, 0.5, 0.75",
        "102 pairs train, 20 pairs validation, 20 pairs test",
    ):
        assert phrase.lower() in text.lower(), phrase
    arguments = {row[0]: row[1] for row in table_with(model_card(folder), "argument of training")[1:]}
    assert arguments["seed"] == "12" and arguments["learning_rate"] == "0.0001"
    assert arguments["level_weighting"] == "root_inverse"
    assert "/home/somebody" not in text and "secret-host" not in text
    sums = provenance_of_files({"explorations-sample.csv": sample_folder() / "explorations-sample.csv"}).files
    assert sums["explorations-sample.csv"] in text


def test_weights_of_the_corpus_have_its_licence(folder):
    (folder / "metrics.json").write_text(json.dumps(published_record(encoder=None)))
    card = ModelCard(model_card(folder))
    assert card.data.license == "other" and "non-profit-academic" in card.data.license_name
    assert "academic%20license" in card.data.license_link
    assert card.data.base_model is None and "The encoder starts from" not in card.text
    assert "non-profit academic research" in card.text
    # The behaviour suite, by which it was measured, is synthetic.
    assert "synthetic text alone" not in card.text and "synthetic sample" not in card.text
    assert UPSTREAM_SHA256["explorations-reddit.csv"] in card.text
    assert {result.dataset_type for result in card.data.eval_results} == {"epitome-reddit"}


@pytest.mark.parametrize(
    ("beside", "said"),
    [
        ({}, None),
        ({"extra_data": None, "mismatched_weight": 0.0}, None),
        (
            {"extra_data": "contrast", "extra_weight": 3.0},
            "are those of the behaviour suite, which are synthetic, each 3 times.",
        ),
        ({"extra_data": "/home/somebody/csv"}, "are more pairs, of a folder that is not known."),
        ({"mismatched_weight": 0.5}, "are responses beside a seeker post that they do not answer, each 0.5 times."),
        (
            {"extra_data": "contrast", "mismatched_weight": 1.0},
            "are those of the behaviour suite, which are synthetic, and responses beside a seeker post that they do "
            "not answer, each once.",
        ),
    ],
)
def test_what_was_trained_on_beside_the_corpus_is_told_from_it(folder, beside, said):
    record = run_record()
    record["arguments"]["data"] |= beside
    (folder / "metrics.json").write_text(json.dumps(record))
    text = " ".join(model_card(folder).split())
    counted = "Counted among the pairs of training"
    assert f"{counted} {said}" in text if said else counted not in text


def test_without_a_record_nothing_is_claimed(folder):
    (folder / "metrics.json").unlink()
    card = ModelCard(model_card(folder))
    assert card.data.license == "unknown" and not card.data.eval_results and card.data.metrics is None
    assert "Nothing was measured with this checkpoint" in card.text and "The checkpoint does not say" in card.text
    # Measured figures have three places in a card, and nothing else has.
    assert len(re.findall(r"\d\.\d\d\d", card.text)) == 0, "a figure that nobody measured"


def test_one_mechanism_speaks_of_one(tmp_path):
    tiny_model("bert", mechanisms=["explorations"]).save_pretrained(tmp_path)
    text = model_card(tmp_path)
    assert "| explorations | asks" in text and "| interpretations |" not in text
    assert "one mechanism of empathy" in " ".join(text.split())


@pytest.mark.parametrize("attend_to_padding", [False, True])
def test_its_python_examples_run_and_agree(tmp_path, attend_to_padding):
    tiny_model("bert", attend_to_padding=attend_to_padding, max_post_length=40).save_pretrained(tmp_path)
    wordpiece_tokenizer().save_pretrained(tmp_path)
    text = save_model_card(tmp_path).read_text()
    # As they are printed: an example that doesn't run is worse than none.
    examples = re.findall(r"```python\n(.*?)```", text, re.DOTALL)
    assert len(examples) == 2 and "empathy score --model" in text
    of_pipeline, of_model = {}, {}
    exec(examples[0].replace("path/to/this/folder", str(tmp_path)), of_pipeline)
    exec(examples[1].replace("path/to/this/folder", str(tmp_path)), of_model)
    levels = of_model["output"].empathy_logits[0].softmax(-1).max(-1)
    for index, mechanism in enumerate(MECHANISMS):
        result = of_pipeline["result"][mechanism]
        assert result["level"] == int(levels.indices[index])
        assert result["score"] == pytest.approx(levels.values[index].item(), abs=1e-5)


def test_a_record_that_is_none_is_named(folder):
    (folder / "metrics.json").write_text("[]")
    with pytest.raises(InputError, match=r"metrics\.json is no record of a training run"):
        model_card(folder)
