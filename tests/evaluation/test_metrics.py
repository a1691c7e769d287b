"""The metrics against brute force, against cases worked out by hand, and through `evaluate.load` without a network."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st

from modeling_empathy.evaluation.metrics import identification_metrics, rationale_metrics


REPOSITORY = Path(__file__).resolve().parents[2]

LEVEL_PAIRS = st.lists(st.tuples(st.sampled_from([0, 1, 2]), st.sampled_from([0, 1, 2, -100])), max_size=30)

# A response is a list of (score, reference). Few distinct scores, so that ties and the threshold itself are met often.
RESPONSES = st.lists(
    st.lists(st.tuples(st.sampled_from([0.0, 0.25, 0.5, 0.75, 1.0]), st.sampled_from([0, 1, -100])), max_size=12),
    max_size=6,
)


# --- Brute force: the definitions, with sets and loops ---


def brute_force_identification(pairs: list[tuple[int, int]]) -> dict[str, float]:
    pairs = [(predicted, annotated) for predicted, annotated in pairs if annotated != -100]
    f1 = {}
    for level in (0, 1, 2):
        right = sum(pair == (level, level) for pair in pairs)
        occurrences = sum(pair.count(level) for pair in pairs)
        f1[level] = 2 * right / occurrences if occurrences else None
    occurring = [value for value in f1.values() if value is not None]
    observed = sum((predicted - annotated) ** 2 for predicted, annotated in pairs) / len(pairs)
    expected = sum((predicted - annotated) ** 2 for predicted, _ in pairs for _, annotated in pairs) / len(pairs) ** 2
    return {
        "accuracy": sum(predicted == annotated for predicted, annotated in pairs) / len(pairs),
        "macro_f1": sum(occurring) / len(occurring),
        "f1_no": f1[0] or 0.0,
        "f1_weak": f1[1] or 0.0,
        "f1_strong": f1[2] or 0.0,
        "quadratic_weighted_kappa": 1 - observed / expected if expected else 0.0,
    }


def brute_force_rationales(responses: list[list[tuple[float, int]]]) -> dict[str, float]:
    """`responses` hold no -100 any more."""
    tokens, spans = [], []
    for response in responses:
        predicted = {i for i, (score, _) in enumerate(response) if score >= 0.5}
        annotated = {i for i, (_, reference) in enumerate(response) if reference == 1}
        tokens.append((len(predicted & annotated), len(predicted), len(annotated)))
        shown, gold = brute_force_spans(predicted), brute_force_spans(annotated)
        right = [span for span in shown if any(len(span & target) / len(span | target) >= 0.5 for target in gold)]
        spans.append((len(right), len(shown), len(gold)))
    token_precision, token_recall, token_micro = pooled(tokens)
    precisions = [right / shown for right, shown, _ in spans if shown]
    recalls = [right / gold for right, _, gold in spans if gold]
    return {
        "instances": len(responses),
        "token_precision_micro": token_precision,
        "token_recall_micro": token_recall,
        "token_f1_micro": token_micro,
        "token_f1_macro": mean([pooled([counts])[2] for counts in tokens if any(counts)]),
        "iou_f1_micro": pooled(spans)[2],
        "iou_f1_macro": mean([pooled([counts])[2] for counts in spans if any(counts)]),
        "iou_f1_macro_eraser": harmonic_mean(mean(precisions), mean(recalls)),
        "token_auprc": brute_force_average_precision([token for response in responses for token in response]),
    }


def brute_force_spans(positions: set[int]) -> list[set[int]]:
    spans: list[set[int]] = []
    for position in sorted(positions):
        if spans and position - 1 in spans[-1]:
            spans[-1].add(position)
        else:
            spans.append({position})
    return spans


def brute_force_average_precision(tokens: list[tuple[float, int]]) -> float:
    annotated, area, recall_before = sum(reference for _, reference in tokens), 0.0, 0.0
    for cut in sorted({score for score, _ in tokens}, reverse=True):
        chosen = [reference for score, reference in tokens if score >= cut]
        recall = sum(chosen) / annotated if annotated else 0.0
        area += (recall - recall_before) * sum(chosen) / len(chosen)
        recall_before = recall
    return area


def pooled(counts: list[tuple[int, int, int]]) -> tuple[float, float, float]:
    right, predicted, annotated = (sum(each) for each in zip(*counts, strict=True)) if counts else (0, 0, 0)
    precision = right / predicted if predicted else 0.0
    recall = right / annotated if annotated else 0.0
    return precision, recall, harmonic_mean(precision, recall)


def harmonic_mean(first: float, second: float) -> float:
    return 2 * first * second / (first + second) if first and second else 0.0


def mean(values: list[float]) -> float:
    return sum(values) / len(values) if values else 0.0


# --- Levels ---


@given(LEVEL_PAIRS)
@example([(1, 1), (1, 1)])
@example([(0, 2), (0, 2)])
def test_levels_agree_with_brute_force(pairs: list[tuple[int, int]]) -> None:
    assume(any(annotated != -100 for _, annotated in pairs))
    metrics = identification_metrics([pair[0] for pair in pairs], [pair[1] for pair in pairs])
    assert metrics == pytest.approx(brute_force_identification(pairs), abs=1e-12)


def test_kappa_by_hand() -> None:
    """Ten responses, annotated level by row and predicted level by column, beside the weights (i - j) ** 2:

        4 1 0      0 1 4
        0 1 1      1 0 1
        1 0 2      4 1 0

    Observed: 1 * 1 + 1 * 1 + 1 * 4 = 6. Both margins are 5, 2, 3, so expected is
    (5*2*1 + 5*3*4 + 2*5*1 + 2*3*1 + 3*5*4 + 3*2*1) / 10 = 152 / 10. Kappa is 1 - 6 / 15.2 = 23 / 38.
    """
    annotated = [0] * 5 + [1] * 2 + [2] * 3
    predicted = [0, 0, 0, 0, 1, 1, 2, 0, 2, 2]
    assert identification_metrics(predicted, annotated)["quadratic_weighted_kappa"] == pytest.approx(23 / 38)


def test_kappa_of_one_and_the_same_level_is_zero() -> None:
    metrics = identification_metrics([1, 1, 1], [1, 1, 1])
    assert metrics["quadratic_weighted_kappa"] == 0.0
    assert metrics["accuracy"] == metrics["macro_f1"] == metrics["f1_weak"] == 1.0


def test_a_level_that_occurs_nowhere_is_left_out_of_macro_f1() -> None:
    """No: 1 right of 1 predicted and 2 annotated, F1 2/3. Strong: 2 right of 3 and 2, F1 4/5. Weak: nowhere."""
    metrics = identification_metrics(predictions=[0, 2, 2, 2], references=[0, 0, 2, 2])
    assert metrics["f1_weak"] == 0.0
    assert metrics["macro_f1"] == pytest.approx((2 / 3 + 4 / 5) / 2)


def test_a_level_that_is_only_predicted_counts_in_macro_f1() -> None:
    """No: 1 right of 1 predicted and 2 annotated, F1 2/3. Weak: predicted once, never annotated, F1 0."""
    assert identification_metrics(predictions=[0, 1], references=[0, 0])["macro_f1"] == pytest.approx(1 / 3)


def test_responses_without_a_level_change_nothing() -> None:
    without = identification_metrics([0, 1, 2, 1], [0, 1, 1, 2])
    assert identification_metrics(np.array([0, 2, 1, 2, 0, 1]), np.array([0, -100, 1, 1, -100, 2])) == without


@pytest.mark.parametrize(
    ("predictions", "references", "message"),
    [
        ([0, 1, 2], [0, 1], r"shapes \(3,\) and \(2,\)"),
        ([0, 1], [-100, -100], "no response to score"),
        ([], [], "no response to score"),
        ([0, 3], [0, 1], r"instance 1: prediction 3 is not one of the levels \(0, 1, 2\)"),
        ([0, 1], [0, -1], "instance 1: reference -1 "),
    ],
)
def test_level_errors_say_what_is_wrong(predictions: list[int], references: list[int], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        identification_metrics(predictions, references)


# --- Rationales ---


@given(RESPONSES)
@example([[(0.0, 1), (0.0, 1)], [(0.0, 0)]])  # nothing predicted
@example([[(1.0, 1), (1.0, 0)], [(1.0, 0)]])  # everything predicted
@example([[(0.0, 0), (1.0, -100)]])  # nothing annotated, nothing predicted
def test_rationales_agree_with_brute_force(responses: list[list[tuple[float, int]]]) -> None:
    scored = [[token for token in response if token[1] != -100] for response in responses]
    scored = [response for response in scored if response]
    assume(scored)
    annotated = [response for response in scored if any(reference for _, reference in response)]
    expected = {f"annotated_{name}": value for name, value in brute_force_rationales(annotated).items()}
    expected |= {f"all_{name}": value for name, value in brute_force_rationales(scored).items()}

    metrics = rationale_metrics(
        scores=[[score for score, _ in response] for response in responses],
        references=[[reference for _, reference in response] for response in responses],
    )
    assert metrics == pytest.approx(expected, abs=1e-12)
    assert all(0 <= value <= 1 for name, value in metrics.items() if not name.endswith("instances"))


def test_five_responses_by_hand() -> None:
    """Tokens (_ for -100), spans after removal of -100, and counts as right, predicted, annotated:

        annotated   predicted   token counts, F1   spans, their counts, F1
    A   _ 110011 _  1 110001 1  3, 3, 4  6/7       [0,2) is [0,2), [5,6) is half of [4,6)  2, 2, 2  1
    B   0000        0101        0, 2, 0  0         [1,2) and [3,4) match nothing           0, 2, 0  0
    C   11100       00110       1, 2, 3  2/5       [2,4) shares 1 of 4 tokens with [0,3)   0, 1, 1  0
    D   00          00          nothing annotated or predicted: left out of the macro means
    E   _ _         1 1         not scored

    Annotated, A and C: tokens 4, 5, 7; spans 2, 3, 3. ERASER's macro: precision (1 + 0) / 2, recall (1 + 0) / 2.
    All, A to D: tokens 4, 7, 7; spans 2, 5, 3. ERASER's macro: precision (1 + 0 + 0) / 3, recall (1 + 0) / 2, F1 2/5.
    """
    references = [[-100, 1, 1, 0, 0, 1, 1, -100], [0, 0, 0, 0], [1, 1, 1, 0, 0], [0, 0], [-100, -100]]
    predicted = [[1, 1, 1, 0, 0, 0, 1, 1], [0, 1, 0, 1], [0, 0, 1, 1, 0], [0, 0], [1, 1]]
    metrics = rationale_metrics(predicted, references)
    del metrics["annotated_token_auprc"], metrics["all_token_auprc"]  # has a case of its own
    assert metrics == pytest.approx(
        {
            "annotated_instances": 2,
            "annotated_token_precision_micro": 4 / 5,
            "annotated_token_recall_micro": 4 / 7,
            "annotated_token_f1_micro": 8 / 12,
            "annotated_token_f1_macro": (6 / 7 + 2 / 5) / 2,
            "annotated_iou_f1_micro": 4 / 6,
            "annotated_iou_f1_macro": 1 / 2,
            "annotated_iou_f1_macro_eraser": 1 / 2,
            "all_instances": 4,
            "all_token_precision_micro": 4 / 7,
            "all_token_recall_micro": 4 / 7,
            "all_token_f1_micro": 8 / 14,
            "all_token_f1_macro": (6 / 7 + 0 + 2 / 5) / 3,
            "all_iou_f1_micro": 4 / 8,
            "all_iou_f1_macro": 1 / 3,
            "all_iou_f1_macro_eraser": 2 / 5,
        }
    )


@pytest.mark.parametrize(
    ("predicted", "annotated", "iou_f1"),
    [
        # [0,2) and [0,4) share 2 tokens of 4: exactly 0.5 is right.
        ([1, 1, 0, 0, 0], [1, 1, 1, 1, 0], 1.0),
        # [0,2) and [0,5) share 2 tokens of 5: too few.
        ([1, 1, 0, 0, 0], [1, 1, 1, 1, 1], 0.0),
        # [3,5) and [1,5) end the text and share 2 tokens of 4; without the last token it would be 1 of 3, too few.
        ([0, 0, 0, 1, 1], [0, 1, 1, 1, 1], 1.0),
        # [4,5) ends the text and is its one token; without it, there would be no span.
        ([0, 0, 0, 0, 1], [0, 0, 0, 0, 1], 1.0),
        # [0,5) matches [0,2) and [3,5) equally well, with 2 tokens of 5: a best match twice over, and not enough.
        ([1, 1, 1, 1, 1], [1, 1, 0, 1, 1], 0.0),
        # [0,3) and [4,5) both have [0,5) as best match, with 3/5 and 1/5. One is right: 1 of 2 and 1 of 1, F1 2/3.
        ([1, 1, 1, 0, 1], [1, 1, 1, 1, 1], 2 / 3),
        # The same words in two spans instead of one: [0,2) and [3,5) hold 2 of 5 each, neither is right.
        ([1, 1, 0, 1, 1], [1, 1, 1, 1, 1], 0.0),
        # -100 breaks no span: [0,3) with a position left out in its middle is [0,2), and equal to the prediction.
        ([1, 0, 1, 0, 0], [1, -100, 1, 0, 0], 1.0),
    ],
)
def test_spans_by_hand(predicted: list[int], annotated: list[int], iou_f1: float) -> None:
    metrics = rationale_metrics([predicted], [annotated])
    assert metrics["all_iou_f1_micro"] == pytest.approx(iou_f1)
    assert metrics["all_iou_f1_macro"] == pytest.approx(iou_f1)


def test_auprc_by_hand() -> None:
    """Annotated responses pooled, by falling score: .9 right, .8 wrong, .7 right, .6 wrong.

    Half of the recall comes at precision 1, half at 2/3. The response without a rationale puts another wrong token at
    .85, so that over all responses the second half comes at 2/4.
    """
    metrics = rationale_metrics([[0.9, 0.8], [0.6, 0.7], [0.85]], [[1, 0], [0, 1], [0]])
    assert metrics["annotated_token_auprc"] == pytest.approx((1 + 2 / 3) / 2)
    assert metrics["all_token_auprc"] == pytest.approx((1 + 2 / 4) / 2)


def test_threshold_is_inclusive_and_leaves_auprc_alone() -> None:
    scores, references = [[0.7, 0.6, 0.2]], [[1, 1, 0]]
    at_60, at_70 = (rationale_metrics(scores, references, threshold) for threshold in (0.6, 0.7))
    assert (at_60["all_token_recall_micro"], at_70["all_token_recall_micro"]) == (1.0, 0.5)
    assert at_60["all_token_auprc"] == at_70["all_token_auprc"] == 1.0


def test_padding_changes_nothing() -> None:
    scores, references = [[0.9, 0.2], [0.4, 0.8, 0.7]], [[1, 1], [0, 0, 1]]
    padded_scores = np.array([[0.9, 0.2, 1.0, -100], [0.4, 0.8, 0.7, np.nan]])
    padded_references = np.array([[1, 1, -100, -100], [0, 0, 1, -100]])
    assert rationale_metrics(padded_scores, padded_references) == rationale_metrics(scores, references)


def test_nothing_annotated_counts_zero() -> None:
    metrics = rationale_metrics([[0.1, 0.9]], [[0, 0]])
    assert metrics["annotated_instances"] == 0
    assert metrics["all_instances"] == 1
    assert sum(value for name, value in metrics.items() if not name.endswith("instances")) == 0.0


@pytest.mark.parametrize(
    ("scores", "references", "message"),
    [
        ([[0.1], [0.1, 0.2, 0.3]], [[0], [0, 1]], "instance 1: 3 scores and 2 references"),
        ([[0.1]], [[0], [1]], "1 responses with scores and 2 with references"),
        ([[0.1], [0.1, 0.2]], [[1], [1, 2]], "instance 1, position 1: reference 2 is not 0, 1 or -100"),
        ([[0.1, 3.5]], [[0, 1]], r"instance 0, position 1: score 3\.5 is not a probability"),
        ([[float("nan")]], [[1]], "instance 0, position 0: score nan is not a probability"),
        ([[0.1, 0.2]], [[-100, -100]], "no response to score"),
        ([], [], "no response to score"),
    ],
)
def test_rationale_errors_say_where(scores: list[list[float]], references: list[list[int]], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        rationale_metrics(scores, references)


# --- Through `evaluate` ---

LOAD_OFFLINE = """
import doctest, json, re, socket, sys
from pathlib import Path

def refuse(*args):
    raise OSError(f"no network here, but something connects to {args[1:]}")

socket.socket.connect = refuse

import evaluate

folder, batches = sys.argv[1], json.loads(sys.argv[2])
metric = evaluate.load(folder)
for predictions, references in batches:
    metric.add_batch(predictions=predictions, references=references)
in_batches = metric.compute()
predictions, references = (sum(parts, []) for parts in zip(*batches))
whole = metric.compute(predictions=predictions, references=references)

card = Path(folder, "README.md").read_text(encoding="utf-8")
readme = "".join(re.findall(r"```python\\n(.*?)```", card, re.DOTALL))
runner = doctest.DocTestRunner(optionflags=doctest.NORMALIZE_WHITESPACE)
for text in (metric.inputs_description, readme):
    runner.run(doctest.DocTestParser().get_doctest(text, {}, folder, None, 0), out=sys.stderr.write)
print(json.dumps({"in_batches": in_batches, "whole": whole, "failed": runner.failures, "tried": runner.tries}))
"""


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "batches", "expected"),
    [
        (
            "empathy_identification",
            [([0, 1, 2], [0, 1, 1]), ([2, 0], [2, -100])],
            identification_metrics([0, 1, 2, 2, 0], [0, 1, 1, 2, -100]),
        ),
        (
            "rationale_extraction",
            [([[0.7, 0.1, 0.9]], [[1, 1, -100]]), ([[0.3, 0.8], [0.1, 0.2]], [[0, 1], [0, 0]])],
            rationale_metrics([[0.7, 0.1, 0.9], [0.3, 0.8], [0.1, 0.2]], [[1, 1, -100], [0, 1], [0, 0]]),
        ),
    ],
)
def test_evaluate_loads_the_module_offline(
    name: str, batches: list[object], expected: dict[str, float], tmp_path: Path
) -> None:
    environment = os.environ | {
        "HF_HUB_OFFLINE": "1",
        "HF_HOME": str(tmp_path / "home"),
        "HF_MODULES_CACHE": str(tmp_path / "modules"),
        "PYTHONPATH": str(REPOSITORY),
    }
    command = [sys.executable, "-c", LOAD_OFFLINE, f"metrics/{name}", json.dumps(batches)]
    process = subprocess.run(command, cwd=REPOSITORY, env=environment, capture_output=True, text=True, timeout=300)
    assert process.returncode == 0, process.stderr
    result = json.loads(process.stdout.splitlines()[-1])
    assert result["whole"] == result["in_batches"] == pytest.approx(expected)
    assert result["tried"] >= 8 and result["failed"] == 0, process.stderr
