"""The original's metrics: each quirk by hand beside the corrected number, and all of it against a plain rewriting."""

import numpy as np
import pytest
from sklearn.metrics import f1_score

from modeling_empathy.evaluation.metrics import identification_metrics, rationale_metrics
from modeling_empathy.evaluation.original_metrics import original_metrics, original_spans, scored_length


LENGTH = 12


def padded(*rows: list[int]) -> np.ndarray:
    return np.array([row + [0] * (LENGTH - len(row)) for row in rows])


def rationale(predicted: list[int], annotated: list[int], tokens: int, name: str) -> float:
    """One response's score of that name."""
    metrics = original_metrics([0], [0], padded(predicted), padded(annotated), [tokens])
    return metrics[name]


def test_means_of_batches_weigh_the_short_last_batch_as_much_as_the_others():
    levels, annotated = [0, 0, 0, 1, 2], [0, 0, 0, 1, 0]
    empty = padded(*[[0]] * 5)

    def measured(batch_size: int) -> dict[str, float]:
        return original_metrics(levels, annotated, empty, empty, [3] * 5, batch_size)

    assert measured(4)["accuracy"] == (1 + 0) / 2
    assert measured(5)["accuracy"] == identification_metrics(levels, annotated)["accuracy"] == 4 / 5
    # Levels that a batch does not hold are no part of its macro-F1.
    assert measured(4)["macro_f1"] == (1 + 0) / 2
    assert measured(5)["macro_f1"] == identification_metrics(levels, annotated)["macro_f1"]


def test_a_stored_length_of_2n_minus_1_scores_padding():
    assert [scored_length(tokens) for tokens in (2, 3, 33, 64)] == [1, 3, 63, 125]
    # <s> a b </s> pad pad ...: 3 tokens behind the first, 5 positions scored, marks in the padding are errors.
    predicted, annotated = [0, 1, 0, 0, 1, 1], [0, 1, 0, 0]
    assert rationale(predicted, annotated, 4, "token_f1") == pytest.approx(2 / 4)
    assert rationale(predicted, annotated, 4, "token_accuracy") == pytest.approx(3 / 5)
    corrected = rationale_metrics([predicted[1:3]], [annotated[1:3]])
    assert corrected["annotated_token_f1_macro"] == 1.0


def test_a_span_that_ends_the_text_loses_its_last_token():
    assert list(zip(*original_spans([0, 1, 1, 0, 1]), strict=True)) == [(1, 3), (4, 4)]
    assert list(zip(*original_spans([1, 1, 1]), strict=True)) == [(0, 2)]
    # 12 positions, 11 behind the first, all of them scored: a right span of one token at the end counts as wrong.
    at_the_end = [0] * 11 + [1]
    assert rationale(at_the_end, at_the_end, 12, "iou_f1") == 0.0
    assert rationale(at_the_end, at_the_end, 12, "token_f1") == 1.0
    assert rationale_metrics([at_the_end], [at_the_end])["annotated_iou_f1_macro"] == 1.0


def test_empty_is_all_so_that_marking_everything_scores_on_unannotated_responses():
    everything = [0] + [1] * 11
    assert rationale(everything, everything, 12, "token_f1") == 1.0
    corrected = rationale_metrics([[1.0] * 10], [[0] * 10])  # unannotated is no rationale there
    assert corrected["all_token_f1_macro"] == 0.0


def test_nothing_annotated_and_nothing_predicted_counts_as_a_failure():
    both = original_metrics([0, 0], [0, 0], padded([0], [0, 1]), padded([0], [0, 1]), [3, 3])
    assert (both["token_f1"], both["iou_f1"]) == (0.5, 0.5)
    corrected = rationale_metrics([[0, 0], [1, 0]], [[0, 0], [1, 0]])
    assert corrected["all_token_f1_macro"] == corrected["all_iou_f1_macro"] == 1.0


def plainly(levels, annotated, marks, gold, tokens, batch_size):
    """The definitions, position by position."""

    def spans(row):
        runs, start = [], None
        for position, mark in enumerate(row):
            if mark and start is None:
                start = position
            if not mark and start is not None:
                runs.append((start, position))
                start = None
        return runs if start is None else [*runs, (start, len(row) - 1)]

    def scores_of(row, gold_row):
        hits = sum(a == b == 1 for a, b in zip(row, gold_row, strict=True))
        count = sum(row) + sum(gold_row)
        right = 0
        for span in spans(row):
            best = 0.0
            for target in spans(gold_row):
                union = set(range(*span)) | set(range(*target))
                best = max(best, len(set(range(*span)) & set(range(*target))) / len(union) if union else 0.0)
            right += best >= 0.5
        precision = right / len(spans(row)) if spans(row) else 0
        recall = right / len(spans(gold_row)) if spans(gold_row) else 0
        iou = 2 * precision * recall / (precision + recall) if precision and recall else 0
        accuracy = sum(a == b for a, b in zip(row, gold_row, strict=True)) / len(row)
        return accuracy, 2 * hits / count if count else 0, iou

    batches = []
    for start in range(0, len(levels), batch_size):
        rows = range(start, min(start + batch_size, len(levels)))
        scores = [scores_of(*(list(x[r][1:])[: 2 * (tokens[r] - 1) - 1] for x in (marks, gold))) for r in rows]
        right = [levels[r] == annotated[r] for r in rows]
        macro = f1_score([annotated[r] for r in rows], [levels[r] for r in rows], average="macro", zero_division=0)
        batches.append([np.mean(right), macro, *np.mean(scores, axis=0)])
    return np.mean(batches, axis=0)


@pytest.mark.parametrize("seed", range(20))
def test_all_of_it_against_a_plain_rewriting(seed):
    random = np.random.default_rng(seed)
    size, batch_size = int(random.integers(1, 40)), int(random.choice([1, 7, 32]))
    tokens = random.integers(3, LENGTH + 1, size)
    # In threes, so that there are spans of more than a token, and some that reach the end.
    marks, gold = (np.repeat(random.integers(0, 2, (size, LENGTH // 3)), 3, axis=1) for _ in range(2))
    # About half of the annotated rows become a predicted one, or hardly any span would be right.
    gold[random.random(size) < 0.5] = marks[random.random(size) < 0.5][:1]
    levels, annotated = random.integers(0, 3, (2, size))
    metrics = original_metrics(levels, annotated, marks, gold, tokens, batch_size)
    names = ("accuracy", "macro_f1", "token_accuracy", "token_f1", "iou_f1")
    expected = plainly(levels, annotated, marks, gold, tokens, batch_size)
    assert [metrics[name] for name in names] == pytest.approx(list(expected), abs=1e-12)


def test_what_does_not_fit_together_is_refused():
    with pytest.raises(ValueError, match="lengths"):
        original_metrics([0, 1], [0], padded([0]), padded([0]), [3])
    with pytest.raises(ValueError, match="at least one"):
        original_metrics([], [], padded(), padded(), [])
