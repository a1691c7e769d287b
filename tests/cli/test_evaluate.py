"""`empathy evaluate --suite`: figures as a count with the pipeline gives them, and what does not go with it."""

import json
from functools import partial
from pathlib import Path

import pytest

from modeling_empathy import MECHANISMS, EmpathyPipeline
from modeling_empathy.cli.app import app
from modeling_empathy.corpus.builder import load_epitome
from modeling_empathy.corpus.contrast import families
from modeling_empathy.corpus.provenance import sample_folder
from tests.command_lines import printed_by, refused_by
from tests.evaluation.pages import Page
from tests.tiny_models import tiny_model
from tests.tokenizers_for_tests import wordpiece_tokenizer


empathy, refused = partial(printed_by, app, "evaluate"), partial(refused_by, app, "evaluate")


def saved(folder: Path, *mechanisms: str) -> Path:
    # Temperatures that make it certain, or no error would be a confident one.
    temperatures = [0.2] * len(mechanisms)
    model = tiny_model("bert", mechanisms=list(mechanisms), level_temperatures=temperatures, max_post_length=128)
    model.save_pretrained(folder)
    wordpiece_tokenizer().save_pretrained(folder)
    return folder


@pytest.fixture(scope="module")
def model(tmp_path_factory) -> Path:
    return saved(tmp_path_factory.mktemp("model") / "ours", *MECHANISMS)


def test_help_teaches_the_suite():
    assert "--suite contrast" in " ".join(empathy("--help").split())


def test_the_figures_are_those_of_a_count_with_the_pipeline(model, tmp_path):
    output = tmp_path / "behaviour.json"
    printed = empathy("--model", model, "--suite", "contrast", "--output_path", output)
    assert str(output) in printed
    written = json.loads(output.read_text())
    behaviour = written["behaviour"]
    assert written["arguments"]["data"] == {"suite": "contrast", "split": "test"} and written["metrics"] == {}

    rows = load_epitome(source="contrast")["test"]
    pairs = list(zip(rows["seeker_post"], rows["response_post"], strict=True))
    right, confident = dict.fromkeys(rows["family"], 0), 0
    for row, scored in zip(rows, EmpathyPipeline.from_pretrained(model)(pairs), strict=True):
        for mechanism in MECHANISMS:
            is_right = scored[mechanism]["level"] == row[mechanism]["level"]
            right[row["family"]] += is_right
            confident += not is_right and scored[mechanism]["score"] > 0.8
    assert {name: family["right"] for name, family in behaviour["families"].items()} == right
    assert behaviour["right"] == sum(right.values()) and behaviour["cells"] == len(MECHANISMS) * len(rows)
    assert 0 < confident == behaviour["confident_errors"]["cells"]
    assert list(behaviour["families"]) == [name for name, family in families().items() if family.split == "test"]

    # What was written may be written again, and without a file all of it is on the screen.
    shown = empathy("--model", model, "--suite", "contrast", "--batch_size", 7)
    assert f"| cells right | {behaviour['accuracy']:.3f} ({behaviour['right']} of {behaviour['cells']}) |" in shown
    of_families = [line.split(" | ") for line in shown.partition("| family |")[2].splitlines()[2:]]
    assert [float(cells[3]) for cells in of_families] == sorted(float(cells[3]) for cells in of_families)
    assert {cells[0].strip("| ").replace(" ", "_") for cells in of_families} == right.keys()


def test_the_suite_has_a_report_of_its_families_and_mistakes(model, tmp_path):
    printed = empathy("--model", model, "--suite", "contrast", "--output_path", tmp_path / "b.json")
    assert str(tmp_path / "b.html") in printed
    behaviour = json.loads((tmp_path / "b.json").read_text())["behaviour"]
    page = Page((tmp_path / "b.html").read_text()).words
    suite = page.split("The behaviour suite", 1)[1]
    for name, family in behaviour["families"].items():
        assert f"{name.replace('_', ' ')} {family['kind']} {family['accuracy']:.3f}" in suite
    assert page.startswith("The texts on this page are synthetic", page.index("The texts"))
    rows = load_epitome(source="contrast")["test"]
    assert any(f"seeker post {' '.join(row['seeker_post'].split())}" in page for row in rows)


def test_a_corpus_has_a_report_with_both_definitions(model, tmp_path):
    output, report = tmp_path / "m.json", tmp_path / "pages" / "report.html"
    options = ("--model", model, "--source", "sample", "--definition", "both")
    empathy(*options, "--output_path", output, "--report_path", report)
    metrics = json.loads(output.read_text())["metrics"]
    page = Page(report.read_text()).words
    for mechanism in MECHANISMS:
        for definition, column in (("corrected", "macro_f1"), ("original", "macro_f1"), ("original", "iou_f1")):
            assert f"{metrics[definition][f'{mechanism}_{column}']:.3f}" in page
    assert "Faithfulness: not measured. empathy evaluate --measured_rationales" in page
    assert not (tmp_path / "m.html").exists()
    # Without a file for the metrics there is a report where one is asked for, and none where not.
    empathy(*options, "--report_path", report)
    assert {path.name for path in tmp_path.iterdir()} == {"m.json", "pages"}


def test_what_is_measured_for_the_report_stands_in_both_and_may_be_written_again(model, tmp_path):
    options = ("--model", model, "--source", "sample", "--measured_rationales", 2)
    for _ in ("written", "written again"):
        empathy(*options, "--output_path", tmp_path / "m.json")
    written, page = json.loads((tmp_path / "m.json").read_text()), Page((tmp_path / "m.html").read_text()).words
    for mechanism in MECHANISMS:
        faithfulness, context = written["faithfulness"][mechanism], written["context_use"][mechanism]
        assert faithfulness["faithfulness_responses"] == 2
        assert f"{faithfulness['comprehensiveness_gradient']:.3f}" in page.split("Do levels rest", 1)[1]
        assert f"{context['macro_f1']:.3f} {context['macro_f1_shuffled']:.3f}" in page.split("owe to the seeker", 1)[1]
    assert f"Right: {written['behaviour']['accuracy']:.3f} of 2,097 cells" in page
    assert "Faithfulness: not measured" not in page


def test_of_a_file_of_one_mechanism_the_report_shows_that_one(model, tmp_path):
    [path] = [path for path in sample_folder().glob("*.csv") if "explor" in path.name]
    empathy("--model", model, "--input_path", path, "--output_path", tmp_path / "m.json")
    metrics = json.loads((tmp_path / "m.json").read_text())["metrics"]["corrected"]
    page = Page((tmp_path / "m.html").read_text()).words
    assert f"{metrics['explorations_macro_f1']:.3f} (" in page and "interpretations" not in page


def test_a_report_takes_the_place_of_no_other_file(model, tmp_path):
    options = ("--model", model, "--suite", "contrast")
    assert "another name" in refused(*options, "--output_path", tmp_path / "m.html")
    message = refused(*options, "--report_path", model / "config.json")
    assert "config.json" in message and "model_type" in (model / "config.json").read_text()
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "options", [("--suite", "contrast", "--report_path", "r.html"), ("--source", "sample")], ids=["suite", "no report"]
)
def test_what_is_measured_for_a_report_needs_one_of_a_corpus(model, options, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert "--measured_rationales 5" in refused("--model", model, *options, "--measured_rationales", 5)
    assert list(tmp_path.iterdir()) == []


def test_the_other_half_is_the_split_train(model, tmp_path):
    for _ in ("written", "written again"):
        empathy("--model", model, "--suite", "contrast", "--split", "train", "--output_path", tmp_path / "b.json")
    measured = set(json.loads((tmp_path / "b.json").read_text())["behaviour"]["families"])
    assert measured == {name for name, family in families().items() if family.split != "test"}


def test_a_model_of_one_mechanism_is_measured_on_that_one(tmp_path):
    one = saved(tmp_path / "one", "explorations")
    empathy("--model", one, "--suite", "contrast", "--output_path", tmp_path / "b.json")
    behaviour = json.loads((tmp_path / "b.json").read_text())["behaviour"]
    rows = load_epitome("explorations", source="contrast")["test"]
    scored = EmpathyPipeline.from_pretrained(one)(list(zip(rows["seeker_post"], rows["response_post"], strict=True)))
    assert behaviour["cells"] == behaviour["responses"] == len(rows)
    levels = zip(scored, rows["level"], strict=True)
    assert behaviour["right"] == sum(result["explorations"]["level"] == level for result, level in levels)


@pytest.mark.parametrize(
    "options",
    [
        ("--input_path", "pairs.csv"),
        ("--data_dir", "csvs"),
        ("--source", "sample"),
        ("--salt", "x"),
        ("--mechanism", "explorations"),
        ("--definition", "both"),
    ],
    ids=lambda options: options[0],
)
def test_what_does_not_go_with_the_suite_is_named(model, options):
    message = refused("--model", model, "--suite", "contrast", *options)
    assert f"--suite contrast is measured by itself: leave {options[0]} out" in message


def test_the_suite_has_two_splits_and_one_name(model):
    message = refused("--model", model, "--suite", "contrast", "--split", "validation")
    assert "--split validation" in message and "train" in message and "test" in message
    assert "'contrast'" in refused("--model", model, "--suite", "negations")


def test_a_file_that_is_none_of_its_own_is_not_written_over(model):
    before = (model / "config.json").read_bytes()
    message = refused("--model", model, "--suite", "contrast", "--output_path", model / "config.json")
    assert "config.json" in message and (model / "config.json").read_bytes() == before
