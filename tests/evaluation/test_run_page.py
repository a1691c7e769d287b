"""A run's report as its reader sees it: valid, self-contained, its numbers those of metrics.py, its texts escaped."""

import builtins
import re

import pytest

from modeling_empathy.corpus.provenance import provenance_of_files, sample_folder
from modeling_empathy.evaluation.calibration import calibration_by_mechanism
from modeling_empathy.evaluation.metrics import identification_metrics
from modeling_empathy.evaluation.post_lengths import PostLengths
from modeling_empathy.evaluation.run_page import page_of, write_page
from tests.evaluation.pages import MECHANISM, Page, good_rows, row, run_of
from tests.hub.run_records import behaviour


LOG = [
    {"epoch": 0.5, "loss": 1.5},
    {"epoch": 1.0, "loss": 1.25},
    {"epoch": 1.0, "eval_loss": 0.75, f"eval_{MECHANISM}_macro_f1": 0.4321},
    {"epoch": 2.0, "loss": 0.5},
]
CALIBRATION = {MECHANISM: {"temperature": 2.0, "ece_before": 0.123, "ece": 0.045}}
CONTEXT = {
    "macro_f1": 0.9, "macro_f1_shuffled": 0.85, "macro_f1_emptied": 0.84, "macro_f1_lost_shuffled": 0.05,
    "levels_changed_shuffled": 0.1, "levels_changed_emptied": 0.12,
}  # fmt: skip
FAITHFULNESS = {
    "faithfulness_responses": 30.0, "marked_share": 0.4, "comprehensiveness": 0.71, "comprehensiveness_random": 0.31,
    "comprehensiveness_gradient": 0.6, "sufficiency": 0.01, "sufficiency_random": 0.4, "sufficiency_gradient": 0.1,
}  # fmt: skip
ALL = {
    "calibration": CALIBRATION,
    "context_use": {MECHANISM: CONTEXT},
    "faithfulness": {MECHANISM: FAITHFULNESS},
    "behaviour": behaviour(),
}


@pytest.fixture(scope="module")
def whole() -> str:
    """The page of a run of which everything was measured."""
    original = {f"{MECHANISM}_{name}": 0.7 for name in ("accuracy", "macro_f1", "token_f1", "iou_f1")}
    return page_of(run_of(good_rows(), kind="training", log=LOG, diagnostics=ALL, original=original))


def cells_of(page: Page, first: str) -> list[str]:
    """The numbers that stand behind a row's head."""
    return page.words.split(first, 1)[1].split()[:12]


def test_the_page_is_whole_and_loads_nothing(whole):
    page = Page(whole)
    assert page.open == [] and "not measured" not in page.words
    ids = [attributes["id"] for _, attributes in page.tags if "id" in attributes]
    assert len(ids) == len(set(ids)) > 10
    targets = {attributes["href"] for tag, attributes in page.tags if tag == "a"}
    assert targets <= {f"#{name}" for name in ids} and len(targets) > 10
    heads = [attributes for tag, attributes in page.tags if tag == "th"]
    assert heads and {attributes["scope"] for attributes in heads} == {"col", "row"}
    assert not {tag for tag, _ in page.tags} & {"script", "link", "iframe", "img", "form"}
    for tag, attributes in page.tags:
        for name in ("src", "href", "xlink:href"):
            assert (attributes.get(name) or "#").startswith("#"), (tag, attributes)
    assert "@import" not in whole and not re.search(r"url\((?!#)", whole)


def test_figures_say_in_words_what_they_show(whole):
    pytest.importorskip("matplotlib")
    shown = [attributes["aria-label"] for tag, attributes in Page(whole).tags if attributes.get("role") == "img"]
    assert len(shown) == 4
    assert "training: 1.500 at epoch 0.5, 0.500 at epoch 2" in shown[0] and "0.432 at epoch 1" in shown[1]
    assert "calibration error" in shown[2] and "0 of 240 are cut" in shown[3]


def test_numbers_are_those_of_metrics_py(whole):
    rows = good_rows()
    expected = identification_metrics(
        [one[MECHANISM]["level"] for one in rows], [one[MECHANISM]["annotated_level"] for one in rows]
    )
    page = Page(whole)
    levels = page.words.split("always the most frequent: accuracy", 1)[1]
    for name in ("accuracy", "macro_f1", "quadratic_weighted_kappa"):
        assert f"{expected[name]:.3f} (" in levels, name
    for level in ("no", "weak", "strong"):
        assert re.search(rf"explorations {level} .*?{expected[f'f1_{level}']:.3f} \(.*? 80", levels)
    # The confusion, as it stands in a table: of 80 of level no, 72 are right.
    assert "no 72 90 % 8 10 %" in page.words
    assert "0.71 of its probability, without as many other words 0.31" in page.words


def test_the_head_says_whose_texts_these_are():
    synthetic = provenance_of_files({path.name: path for path in sample_folder().glob("*.csv")})
    for provenance, said in (
        (None, "never publishes it without --i_have_the_right_to_share"),
        (synthetic, "synthetic"),
    ):
        text = Page(page_of(run_of(good_rows(30), provenance=provenance))).words
        assert said in text[:400]


def test_the_most_certain_mistake_is_first_with_annotated_and_predicted_words():
    rows = good_rows(60)
    rows += [
        row(100, 2, 0, score=0.71, response_post="Tell me more? Please."),
        row(101, 0, 2, score=0.99, response_post="Go away. Why now?", marked=[(9, 17)]),
    ]
    page = page_of(run_of(rows))
    first = page.split('<article class="pair">')[1]
    assert "says strong" in first and "(0.99)" in first and "annotated no" in first
    words = Page(f"<p>{first.split('</article>')[0]}").words
    assert "annotated: no Go away. Why now? predicted: strong Go away. [predicted: Why now? ]" in words
    assert '<mark class="predicted">' in first and '<mark class="annotated">' not in first
    assert page.index("(0.99)") < page.index("(0.85)") < page.index("(0.71)")


def test_a_pair_that_was_annotated_otherwise_the_second_time_is_listed():
    same = {"seeker_post": "I lost my job.", "response_post": "How are you now? I see."}
    rows = [*good_rows(30), row(50, 1, 1, **same), row(51, 2, 2, **same, spans=[(0, 16)])]
    rows += [row(52, 0, 0, seeker_post="x", response_post="y"), row(53, 0, 0, seeker_post="x ", response_post="y")]
    text = Page(page_of(run_of(rows))).words.split("Pairs that were annotated twice")[1]
    assert "2 pairs occur more than once; annotators gave 1 of them different levels" in text
    assert "explorations: different levels" in text and "[annotated: How are you now? ]" in text
    assert "seeker post x" not in text


def test_script_in_every_text_is_escaped():
    evil = "<script>alert(1)</script><img src=x onerror=alert(2)>"
    same = {"seeker_post": evil, "response_post": evil}
    rows = [*good_rows(30), row(50, 0, 2, score=0.99, **same), row(51, 1, 2, **same)]
    run = run_of(rows, about={"model": evil}, arguments={"x": evil}, notes=[evil])
    page = page_of(run)
    assert "<script" not in page and "<img" not in page
    assert page.count("&lt;script&gt;alert(1)") >= 8


def test_what_was_not_measured_is_said_with_how_to_get_it():
    text = Page(page_of(run_of(good_rows(30)))).words
    for what in ("Faithfulness", "The use of the seeker post", "The behaviour suite"):
        assert f"{what}: not measured. empathy evaluate --measured_rationales 200" in text
    assert "The original's definition: not measured. empathy evaluate --definition both" in text
    assert "A curve: not measured." in text
    nothing = Page(page_of(run_of([], predictions=None, lengths=None, kind="training"))).words
    assert "What the model says of held-out pairs: not measured. There was no test split" in nothing
    assert "Nothing was measured on pairs" in nothing and "Mistakes: not measured" in nothing


def test_without_matplotlib_numbers_stand_in_the_place_of_figures(monkeypatch):
    monkeypatch.setattr("modeling_empathy.evaluation.run_page.find_spec", lambda name: None)
    real = builtins.__import__

    def without(name, *args, **more):
        if name.startswith("matplotlib"):
            raise ImportError(name)
        return real(name, *args, **more)

    monkeypatch.setattr(builtins, "__import__", without)
    page = page_of(run_of(good_rows(), log=LOG, diagnostics={"calibration": CALIBRATION}))
    text = Page(page).words
    assert "<svg" not in page and "pip install 'modeling-empathy[plots]'" in text
    assert "training: 1.500 at epoch 0.5" in text and "1 1.375 0.750 0.432" in text


def test_reliability_before_temperatures_is_that_of_the_logits():
    pytest.importorskip("matplotlib")
    import numpy as np

    draw = np.random.default_rng(0)
    logits, labels = draw.normal(size=(240, 1, 3)) * 3, draw.integers(0, 3, (240, 1))
    calibration = calibration_by_mechanism(logits, labels, [MECHANISM], [1.7])
    rows = []
    for number, (pair, label) in enumerate(zip(logits[:, 0], labels[:, 0], strict=True)):
        shown = np.exp(pair / 1.7) / np.exp(pair / 1.7).sum()
        one = row(number, int(label), int(shown.argmax()), score=float(shown.max()))
        one[MECHANISM]["level_probabilities"] = shown.tolist()
        rows.append(one)
    page = page_of(run_of(rows, diagnostics={"calibration": calibration}))
    before, after = (calibration[MECHANISM][name] for name in ("ece_before", "ece"))
    assert f"calibration error {before:.3f} as trained, {after:.3f} with its temperature" in page


def test_the_paper_stands_beside_pairs_of_the_published_corpus_alone(whole):
    assert "0.726" not in Page(whole).words and "say nothing of these pairs" in Page(whole).words


def test_a_report_that_can_not_be_written_leaves_what_was_there(tmp_path):
    (tmp_path / "report.html").write_text("before")
    with pytest.raises(ValueError, match="empty"):
        write_page(tmp_path / "report.html", run_of(good_rows(30), lengths=PostLengths({}, 64, 0)))
    assert (tmp_path / "report.html").read_text() == "before"
    write_page(tmp_path / "report.html", run_of(good_rows(30)))
    assert "What is good, and what is not" in (tmp_path / "report.html").read_text()
