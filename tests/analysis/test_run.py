"""`empathy analyze` from scored rows to a folder: what is in it, what is left out and said, and what is refused."""

import csv
import json
import re
import subprocess
import sys
from html.parser import HTMLParser

import numpy as np
import pytest

from benchmarks.simulated_interactions import ERRORS, World, simulated, write_table
from modeling_empathy.analysis.estimates import COLUMNS
from modeling_empathy.cli.app import app
from tests.analysis.tables import DAY, row, write_rows
from tests.command_lines import printed_by, refused_by


pytest.importorskip("matplotlib")

CONFUSION = [[round(share * 300) for share in line] for line in ERRORS]
QUICK = ["--modelled_rows", "0", "--replicates", "100"]
OPTIONS = ["--outcome", "seeker_replied", "--group", "group", *QUICK]
SECTIONS = ["levels", "change", "outcomes", "groups", "contagion", "labels"]


@pytest.fixture(scope="module")
def scored(tmp_path_factory):
    """A folder as `empathy score` leaves it, of three mechanisms."""
    folder = tmp_path_factory.mktemp("scored")
    world = World(responders=300, dropout=0.5, members=0.6, errors=ERRORS, codes=("ER", "IP", "EX"))
    write_table(simulated(world, 0), folder / "part-000000.parquet")
    names = ("emotional_reactions", "interpretations", "explorations")
    manifest = {"is_whole": True, "about_model": {"confusion": dict.fromkeys(names, CONFUSION)}}
    (folder / "manifest.json").write_text(json.dumps(manifest))
    return folder


@pytest.fixture(scope="module")
def report(scored, tmp_path_factory):
    folder = tmp_path_factory.mktemp("out") / "report"
    out = printed_by(app, "analyze", scored, "--output_path", folder, *OPTIONS)
    assert "report.html" in out
    return folder


class Page(HTMLParser):
    """Tags with their attributes, and the text without that of figures."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self._inside = 0
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        self._inside += tag in ("svg", "style")

    def handle_endtag(self, tag):
        self._inside -= tag in ("svg", "style")

    def handle_data(self, data):
        self.text += "" if self._inside else data


def numbers(folder):
    return json.loads((folder / "numbers.json").read_text())


def test_a_report_has_its_page_numbers_tables_methods_and_figures(report):
    assert {path.name for path in report.iterdir()} == {
        "report.html", "numbers.json", "estimates.csv", "methods.md", "figures",
    }  # fmt: skip
    found = numbers(report)
    with (report / "estimates.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert tuple(rows[0]) == COLUMNS and len(rows) == len(found["estimates"]) > 100
    for written, one in zip(rows, found["estimates"], strict=True):
        assert written["contrast"] == one["contrast"] and float(written["estimate"]) == one["estimate"]
        assert one["low"] <= one["high"]
    assert {one["section"] for one in found["estimates"]} == set(SECTIONS) - {"labels"}
    figures = {path.stem for path in (report / "figures").iterdir()}
    assert {path.name for path in (report / "figures").iterdir()} == {
        f"{name}.{ending}" for name in figures for ending in ("png", "svg")
    }


def test_the_page_needs_no_network_and_says_its_figures_in_words(report):
    text = (report / "report.html").read_text()
    page = Page(text)
    for tag, attributes in page.tags:
        assert tag not in ("script", "link", "iframe", "img")
        for name in ("src", "href", "xlink:href"):
            assert (attributes.get(name) or "#").startswith("#"), (tag, attributes)
    assert "url(http" not in text and "@import" not in text
    shown = [attributes for tag, attributes in page.tags if tag == "div" and attributes.get("role") == "img"]
    assert len(shown) == len(list((report / "figures").glob("*.svg"))) > 5
    assert all(re.search(r"\d\.\d{3} \(.*\d\.\d{3}\)", attributes["aria-label"]) for attributes in shown)
    for section in SECTIONS:
        assert ("h2", {"id": section}) in page.tags
    ids = [attributes["id"] for _, attributes in page.tags if "id" in attributes]
    assert len(ids) == len(set(ids))
    heads = [attributes for tag, attributes in page.tags if tag == "th"]
    assert {attributes["scope"] for attributes in heads} == {"col", "row"}


def test_a_sentence_of_the_summary_is_backed_by_its_rows(report):
    found = numbers(report)
    by_change = {
        one["mechanism"]: one["conclusion"]
        for one in found["estimates"]
        if (one["outcome"], one["contrast"]) == ("change per year of tenure", "within responders")
    }
    said = {"up": "communicate more", "down": "communicate less", "undecided": "is undecided"}
    assert len(by_change) == 3 == len(found["summary"]["change"])
    for sentence, conclusion in zip(found["summary"]["change"], by_change.values(), strict=True):
        assert said[conclusion] in sentence
    page = Page((report / "report.html").read_text()).text
    for sentences in found["summary"].values():
        assert all(sentence in page for sentence in sentences)


def test_the_errors_of_the_scoring_runs_model_are_taken_out_and_named(report, scored):
    found = numbers(report)
    assert found["about"]["errors"]["ER"] == {"source": f"{scored.name}/manifest.json", "counts": CONFUSION}
    corrected = [one for one in found["estimates"] if one["corrected"] is not None]
    assert len(corrected) > 0.8 * len(found["estimates"])
    methods = (report / "methods.md").read_text()
    assert "mixed model" not in methods and "odds" not in methods  # they were left out
    assert "Rogan" in methods and f"pairs of {scored.name}/manifest.json" in methods
    assert found["labels_needed"]["EX"]["prediction-powered"] < found["labels_needed"]["EX"]["labels alone"]


def test_the_same_rows_give_the_same_bytes(scored, report, tmp_path):
    printed_by(app, "analyze", scored, "--output_path", tmp_path / "again", *OPTIONS)
    for path in report.rglob("*"):
        if path.is_file() and path.suffix != ".png":
            assert path.read_bytes() == (tmp_path / "again" / path.relative_to(report)).read_bytes(), path


def test_without_errors_outcomes_groups_and_texts_it_is_said(tmp_path):
    draw = np.random.default_rng(0)
    rows = [row(n, f"r{n % 30}", int(draw.integers(3)), day=n) for n in range(300)]
    for one in rows:
        del one["response_post"]
    source = write_rows(tmp_path / "scored.jsonl", rows)
    printed_by(app, "analyze", source, "--output_path", tmp_path / "report", *QUICK)
    found = numbers(tmp_path / "report")
    left = {name: " ".join(said) for name, said in found["left_out"].items()}
    assert "have no response_post" in left["levels"]
    assert "--outcome" in left["outcomes"] and "--group" in left["groups"] and "no seeker_id" in left["contagion"]
    assert "--gold" in left["labels"] and all(one["corrected"] is None for one in found["estimates"])
    page = Page((tmp_path / "report" / "report.html").read_text()).text
    assert "How often the classifier errs is not known here" in page
    assert "a model that the rows do" in page


def test_of_responders_with_one_response_no_change_is_said(tmp_path):
    source = write_rows(tmp_path / "scored.jsonl", [row(n, f"r{n}", n % 3, day=n) for n in range(60)])
    out = printed_by(app, "analyze", source, "--output_path", tmp_path / "report", *QUICK)
    found = numbers(tmp_path / "report")
    assert found["left_out"]["change"] == ["0 responders have more than one response: too few to see a change."]
    assert "longer they take part" not in out


def test_of_few_responders_nothing_is_said(tmp_path):
    source = write_rows(tmp_path / "scored.jsonl", [row(n, f"r{n % 5}", n % 3, day=n) for n in range(60)])
    printed_by(app, "analyze", source, "--output_path", tmp_path / "report", *QUICK)
    found = numbers(tmp_path / "report")
    assert found["estimates"] == [] and "5 responders: fewer than 20" in found["left_out"]["levels"][-1]
    assert "Nothing can be said of these rows" in (tmp_path / "report" / "report.html").read_text()


def test_a_level_and_an_outcome_that_are_all_one_value_are_said(tmp_path):
    rows = [row(n, f"r{n % 30}", 1, day=n, seeker_replied=True) for n in range(300)]
    source = write_rows(tmp_path / "scored.jsonl", rows)
    options = ["--outcome", "seeker_replied", "--replicates", "100"]
    printed_by(app, "analyze", source, "--output_path", tmp_path / "report", *options)
    found = numbers(tmp_path / "report")
    assert "seeker_replied: all values are 1." in found["left_out"]["outcomes"]
    assert any("mixed model: it can't be fitted" in said for said in found["left_out"]["change"])
    [mean] = [one for one in found["estimates"] if one["outcome"] == "mean level"]
    assert (mean["low"], mean["estimate"], mean["high"]) == (1, 1, 1)


def test_a_group_of_three_is_named_and_not_compared(tmp_path):
    groups = ["a", "$x^$", "c & <i>d</i>"]
    texts = ["word " * (n % 7) + "?" * (n % 2) for n in range(630)]
    rows = [
        row(n, f"r{n % 63}", n // 2 % 3, day=n, gender=groups[(n % 63) // 30], response_post=text)
        for n, text in enumerate(texts)
    ]
    source = write_rows(tmp_path / "scored.jsonl", rows)
    printed_by(app, "analyze", source, "--output_path", tmp_path / "report", "--group", "gender", *QUICK)
    found = numbers(tmp_path / "report")
    assert found["left_out"]["groups"] == ["gender: fewer than 20 responders in c & <i>d</i> (3)."]
    assert {one["contrast"] for one in found["estimates"] if one["section"] == "groups"} == {
        "gender: a, less $x^$", "gender: a, less $x^$, length and questions fixed",
    }  # fmt: skip
    text = (tmp_path / "report" / "report.html").read_text()
    assert "<i>" not in text and "c &amp; &lt;i&gt;d&lt;/i&gt; (3)" in text


def test_a_count_is_yes_above_its_median(tmp_path):
    rows = [row(n, f"r{n % 31}", n % 3, day=n, upvotes=n % 7) for n in range(300)]
    source = write_rows(tmp_path / "scored.jsonl", rows)
    printed_by(app, "analyze", source, "--output_path", tmp_path / "report", "--outcome", "upvotes", *QUICK)
    found = numbers(tmp_path / "report")
    assert {one["outcome"] for one in found["estimates"] if "risk ratio" in one["outcome"]} == {
        "risk ratio of upvotes above 3"
    }


def test_labels_of_some_rows_are_used(scored, tmp_path):
    rows = simulated(World(responders=300, dropout=0.5, members=0.6, errors=ERRORS, codes=("ER", "IP", "EX")), 0)
    lines = [f"{rows['id'][place]},{rows['EX_true'][place]}" for place in range(0, len(rows["id"]), 5)]
    (tmp_path / "gold.csv").write_text("\n".join(["id,EX_label", *lines, ""]))
    options = ["--gold", tmp_path / "gold.csv", *QUICK]
    printed_by(app, "analyze", scored, "--output_path", tmp_path / "report", *options)
    found = numbers(tmp_path / "report")
    assert found["about"]["errors"]["EX"]["source"] == "gold.csv"
    assert found["about"]["errors"]["ER"]["source"].endswith("manifest.json")
    [powered] = [
        one for one in found["estimates"] if (one["outcome"], one["contrast"]) == ("mean level", "prediction-powered")
    ]
    assert powered["low"] < rows["EX_true"].mean() < powered["high"]
    assert "Angelopoulos" in (tmp_path / "report" / "methods.md").read_text()


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--outcome", "followed"], "'followed' is missing"),
        (["--column", "author=x"], "expected one of id, response_post, responder_id"),
        (["--column", "id=a", "--column", "id=b"], "--column id is given more than once"),
        (["--column", "responder_id=author"], "the column 'author' is missing"),
        (["--outcome", " "], "outcome is empty"),
        (["--gold", "nowhere.csv"], "nowhere.csv is not a file"),
        (["--errors", "nowhere.json"], "nowhere.json can't be read"),
    ],
)
def test_what_can_not_be_used_is_refused_and_leaves_nothing(scored, tmp_path, monkeypatch, options, said):
    monkeypatch.chdir(tmp_path)
    assert said in refused_by(app, "analyze", scored, "--output_path", "report", *QUICK, *options)
    assert list(tmp_path.iterdir()) == []


def test_scores_that_are_not_whole_are_refused(tmp_path):
    write_rows(tmp_path / "part.jsonl", [row(1)])
    (tmp_path / "manifest.json").write_text('{"is_whole": false}')
    assert "is not whole" in refused_by(app, "analyze", tmp_path, "--output_path", tmp_path / "report")
    (tmp_path / "metrics.json").write_text(json.dumps({"confusion": {"explorations": CONFUSION}}))
    options = ["--errors", tmp_path / "metrics.json"]
    assert "is not whole" in refused_by(app, "analyze", tmp_path, "--output_path", tmp_path / "report", *options)


@pytest.mark.parametrize(
    ("written", "said"),
    [
        ("{}", "has no confusion matrix"),
        ('{"data": null}', "has no confusion matrix"),
        ('{"confusion": {"explorations": [[5, 5, 5], [5, 5, 5], [5, 5, 5]]}}', "has no confusion matrix that tells"),
        ('{"confusion": {"explorations": [[1, 2], [3, 4]]}}', "is none of counts by three levels"),
        ("[]", "expected the manifest"),
        ("{", "can't be read"),
    ],
)
def test_a_file_of_errors_without_any_is_refused(scored, tmp_path, written, said):
    (tmp_path / "errors.json").write_text(written)
    options = ["--errors", tmp_path / "errors.json", *QUICK]
    assert said in refused_by(app, "analyze", scored, "--output_path", tmp_path / "report", *options)


def test_an_analysis_loads_no_model():
    code = "import sys, modeling_empathy.analysis.run; print({'torch', 'transformers'} & set(sys.modules))"
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert result.stdout.strip() == "set()"


def test_a_report_is_not_overwritten(scored, report):
    assert "exists already" in refused_by(app, "analyze", scored, "--output_path", report)


def test_a_bad_row_stops_or_is_counted(tmp_path):
    rows = [row(n, f"r{n % 30}", n % 3, day=n) for n in range(90)]
    rows[7]["created_at"] = "soon"
    source = write_rows(tmp_path / "scored.jsonl", rows)
    said = refused_by(app, "analyze", source, "--output_path", tmp_path / "report", *QUICK)
    assert "line 8" in said and "'created_at'" in said and "'soon'" in said
    options = ["--on_error", "skip", *QUICK]
    out = printed_by(app, "analyze", source, "--output_path", tmp_path / "report", *options)
    assert "1 rows that could not be read: left out" in out and "'soon'" in out
    assert numbers(tmp_path / "report")["about"]["rows"] == 89


def test_dates_in_the_future_are_said_in_the_report(tmp_path):
    rows = [row(n, f"r{n % 30}", n % 3, day=n) for n in range(90)] + [row(90, "r1", day=100 * 365 * DAY / DAY)]
    source = write_rows(tmp_path / "scored.jsonl", rows)
    printed_by(app, "analyze", source, "--output_path", tmp_path / "report", *QUICK)
    assert "left out: 1 rows whose date is in the future" in (tmp_path / "report" / "report.html").read_text()
