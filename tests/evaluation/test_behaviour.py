"""The behaviour suite's measures, beside a count by hand, and the changes that change no level."""

from collections import Counter

import datasets
import numpy as np
import pytest

from modeling_empathy.corpus.annotated_files import row_features
from modeling_empathy.corpus.builder import load_epitome
from modeling_empathy.corpus.contrast import MARKS, Family, families
from modeling_empathy.evaluation.behaviour import behaviour_table, families_table, measure_behaviour, weak_families
from modeling_empathy.evaluation.perturbations import PERTURBATIONS, with_typos


TWO = ("emotional_reactions", "explorations")
FAMILIES = {
    "kind_words": Family("kind_words", "true", "test", False, "true ones"),
    "mockery": Family("mockery", "hostility", "test", False, "false ones"),
    "fits": Family("fits", "fits", "test", True, "one response, two posts"),
    "elsewhere": Family("elsewhere", "true", "train", False, "of no row"),
}
# Family, minimal pair, annotated levels and probabilities of both mechanisms.
CELLS = [
    ("kind_words", "1", (2, 0), ((0.1, 0.2, 0.7), (0.95, 0.05, 0.0))),
    ("kind_words", "1", (1, 0), ((0.3, 0.6, 0.1), (0.4, 0.5, 0.1))),
    ("mockery", "2", (0, 0), ((0.05, 0.05, 0.9), (0.6, 0.2, 0.2))),
    ("mockery", "2", (2, 0), ((0.5, 0.3, 0.2), (0.6, 0.2, 0.2))),
    ("fits", "3", (0, 2), ((0.9, 0.1, 0.0), (0.0, 0.15, 0.85))),
    ("fits", "3", (0, 0), ((0.9, 0.1, 0.0), (0.0, 0.15, 0.85))),
]


def rows_of(cells, mechanisms=TWO) -> datasets.Dataset:
    rows = [
        {
            "sp_id": f"s{number}",
            "rp_id": f"r{number}",
            "seeker_post": "I failed again.",
            "response_post": f"I'm terribly sorry, number {number}.",
            "family": family,
            "contrast_id": contrast_id,
            "rule": "G1",
            **{name: {"level": level, "rationales": []} for name, level in zip(TWO, levels, strict=True)},
        }
        for number, (family, contrast_id, levels, _) in enumerate(cells)
    ]
    return datasets.Dataset.from_list(rows, features=row_features(mechanisms, marks=MARKS))


def given(rows: datasets.Dataset) -> np.ndarray:
    return np.array([probabilities for *_, probabilities in CELLS])


def test_right_cells_confident_errors_and_directions_are_those_of_a_count_by_hand():
    measured = measure_behaviour(given, rows_of(CELLS), TWO, FAMILIES)
    # Wrong: (1, second mechanism), (2, first), (3, first), (5, second); confident: (2, first) and (5, second).
    assert (measured["responses"], measured["cells"], measured["right"]) == (6, 12, 8)
    counted = {name: (f["cells"], f["right"], f["confident_errors"]) for name, f in measured["families"].items()}
    assert counted == {"kind_words": (4, 3, 0), "mockery": (4, 2, 1), "fits": (4, 3, 1)}
    assert measured["families"]["mockery"]["kind"] == "hostility"
    assert measured["confident_errors"] == {"cells": 2, "share": pytest.approx(2 / 12)}
    assert measured["needs_seeker_post"] == {"cells": 4, "right": 3, "accuracy": 0.75}
    # Pairs that differ: kind words in the first mechanism (right), mockery in the first (wrong), fits in the second,
    # where equal probabilities are in no order.
    assert (measured["direction"]["pairs"], measured["direction"]["right"]) == (3, 1)
    assert weak_families(measured) == ["mockery", "kind_words", "fits"]
    assert weak_families(measured, below=0.6) == ["mockery"]


def test_invariance_is_the_share_of_cells_that_keep_their_level_and_sees_changed_responses():
    seen = []

    def easily_thrown_off(rows: datasets.Dataset) -> np.ndarray:
        responses = list(rows["response_post"])
        seen.append(responses)
        probabilities = given(rows).copy()
        for index, response in enumerate(responses):
            if response.startswith("Sam"):
                probabilities[index, 0] = (0.0, 0.0, 1.0)
        return probabilities

    measured = measure_behaviour(easily_thrown_off, rows_of(CELLS), TWO, FAMILIES)
    assert list(measured["invariance"]) == list(PERTURBATIONS)
    # Of the first mechanism the third and the first cell already have the strong level.
    assert measured["invariance"] == {"typos": 1.0, "capitals": 1.0, "emoji": 1.0, "name": pytest.approx(8 / 12)}
    assert len(seen) == 1 + len(PERTURBATIONS) and all(changed != seen[0] for changed in seen[1:])


def test_a_single_mechanism_is_measured_by_its_own_annotations():
    joined = rows_of(CELLS)
    single = datasets.Dataset.from_list(
        [{**{name: row[name] for name in joined.column_names[:7]}, **row["explorations"]} for row in joined],
        features=row_features(marks=MARKS),
    )
    measured = measure_behaviour(lambda rows: given(rows)[:, 1:], single, ("explorations",), FAMILIES)
    assert (measured["cells"], measured["right"]) == (6, 4)


def test_tables_show_every_family_the_weakest_first():
    measured = measure_behaviour(given, rows_of(CELLS), TWO, FAMILIES)
    lines = families_table(measured).splitlines()[2:]
    assert [line.split(" | ")[0].strip("| ") for line in lines] == ["mockery", "kind words", "fits"]
    assert "| mockery | hostility | 4 | 0.500 | 1 |" in lines
    overall = behaviour_table(measured)
    assert "| cells right | 0.667 (8 of 12) |" in overall
    assert "| confident errors (above 0.8) | 0.167 (2 of 12) |" in overall
    assert "| minimal pairs in the right order | 0.333 (1 of 3) |" in overall


def test_a_perfect_model_has_every_cell_right_on_the_whole_suite(tmp_path):
    rows = load_epitome(source="contrast", cache_dir=str(tmp_path))["test"]
    mechanisms = list(rows.column_names[-3:])

    def perfect(changed: datasets.Dataset) -> np.ndarray:
        levels = np.array([[row[name]["level"] for name in mechanisms] for row in changed])
        return np.eye(3)[levels]

    measured = measure_behaviour(perfect, rows, mechanisms, families())
    assert measured["right"] == measured["cells"] == 3 * len(rows) > 1300
    assert measured["direction"]["right"] == measured["direction"]["pairs"] > 100
    assert measured["needs_seeker_post"]["cells"] > 100
    assert not weak_families(measured) and measured["confident_errors"]["cells"] == 0
    assert set(measured["invariance"].values()) == {1.0}


@pytest.mark.parametrize("name", list(PERTURBATIONS))
def test_a_change_leaves_every_word_readable(name):
    text = "I'm really sorry about yesterday. What happened?"
    changed = PERTURBATIONS[name](text)
    assert changed != text and PERTURBATIONS[name](text) == changed, "the same on every call"
    before, after = (Counter(letter for letter in one.lower() if letter.isalpha()) for one in (text, changed))
    assert before <= after and (after - before).total() <= len("Sam")


def test_a_typing_error_leaves_first_and_last_letters_and_short_words_alone():
    text = "nothing matters whatever happens tomorrow it is so, sooooon"
    changed = with_typos(text)
    different = [(one, other) for one, other in zip(text.split(), changed.split(), strict=True) if one != other]
    assert different
    for one, other in different:
        assert len(one) >= 5 and one[0] == other[0] and one[-1] == other[-1] and sorted(one) == sorted(other)
    assert with_typos("it is so") == "it is so" and with_typos("") == ""
