"""Reports: highlighted words, the most certain pairs, tables."""

import json
import sys

import datasets
import numpy as np

from modeling_empathy import MECHANISMS, EmpathyConfig
from modeling_empathy.evaluation.metrics import REPORTED
from modeling_empathy.evaluation.plots import save_plots
from modeling_empathy.evaluation.report import highlight, metrics_table, readable_pairs, save_metrics


RESPONSE = "I'm so sorry. What happened?"


def prediction(rp_id: str, score: float, spans: list[tuple[int, int]], level: int = 2) -> dict:
    result = {
        "annotated_level": 1,
        "level": level,
        "label": ("no", "weak", "strong")[level],
        "score": score,
        "rationales": [
            {"start": start, "end": end, "text": RESPONSE[start:end], "score": 0.9} for start, end in spans
        ],
    }
    return {"rp_id": rp_id, "seeker_post": f"post {rp_id}", "response_post": RESPONSE} | dict.fromkeys(
        MECHANISMS, result
    )


def test_rationales_are_marked_where_they_stand():
    # Out of order: what is put in at one must not move the other.
    spans = [{"start": 14, "end": 28}, {"start": 0, "end": 12}]
    assert highlight(RESPONSE, spans, colour=False) == "[[I'm so sorry]]. [[What happened?]]"
    assert highlight(RESPONSE, [], colour=True) == RESPONSE
    coloured = highlight(RESPONSE, spans[:1], colour=True)
    assert coloured.startswith("I'm so sorry. \033[") and coloured.endswith("What happened?\033[0m")


def test_the_most_certain_pair_that_shows_a_mechanism_is_read_out():
    rows = [prediction("a", 0.7, [(0, 12)]), prediction("b", 0.9, [(0, 12)]), prediction("c", 0.99, [], level=0)]
    text = readable_pairs(rows, MECHANISMS, colour=False)
    assert text.count("post b") == 3 and "post a" not in text and "post c" not in text
    assert "explorations: strong (0.90), annotated weak" in text
    assert "[[I'm so sorry]]. What happened?" in text
    assert "explorations: shown in no held-out response" in readable_pairs(rows[2:], MECHANISMS, colour=False)


def test_the_table_has_a_row_for_each_mechanism():
    names = [metric.name for metric in REPORTED]
    metrics = {f"{mechanism}_{name}": index / 10 for index, mechanism in enumerate(MECHANISMS) for name in names}
    lines = metrics_table(metrics, MECHANISMS).splitlines()
    assert len(lines) == 5
    assert {line.count("|") for line in lines} == {len(REPORTED) + 2}
    assert lines[3] == "| interpretations | " + " | ".join(["0.100"] * len(REPORTED)) + " |"


def test_metrics_name_arguments_and_versions(tmp_path):
    path = save_metrics(tmp_path / "new" / "metrics.json", {"test": {"accuracy": 0.5}}, {"model": {"encoder": "x"}})
    content = json.loads(path.read_text())
    assert content["metrics"]["test"]["accuracy"] == 0.5
    assert content["arguments"]["model"]["encoder"] == "x"
    assert content["versions"]["datasets"] == datasets.__version__


def test_without_matplotlib_a_run_ends_without_plots(tmp_path, monkeypatch):
    # None makes an import fail as if the package were not there.
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    save_plots(tmp_path, [], EmpathyConfig(), {"explorations": [[1, 0, 0]] * 3}, np.zeros((1, 3, 3)), np.zeros((1, 3)))
    assert list(tmp_path.iterdir()) == []
