"""The original's definitions of the metrics, quirks and all, so that a number can stand beside the paper's table.

They differ from the ones in `metrics.py`, and no number here should be read without knowing how:

- **Means of batches.** Every number is computed on each batch and averaged over batches, the short last one counting
  as much as the others; so it depends on the batch size and on the order.
- **Lengths of 2n - 1.** A response of n tokens behind the first is scored over the first 2n - 1 positions behind its
  first token, because the stored length is that of a comma-joined string: most of the padding is scored with it.
- **The last token of a text.** A span that reaches the last scored position ends one token too early, and one of a
  single token there is empty.
- **Empty is all.** A response without rationales counts as rationale from its second token to its last, the closing
  special token included, so that a model that marks everything scores well on it.
- A response on which nothing is annotated and nothing predicted scores 0, and counts.

Sharma et al. (EMNLP 2020), table 4; `evaluation_utils.py` of the published code.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.metrics import f1_score

from .metrics import Spans, span_counts, spans_of, token_counts


def original_metrics(
    levels: Sequence[int] | NDArray[Any],
    annotated_levels: Sequence[int] | NDArray[Any],
    rationales: NDArray[Any],
    annotated_rationales: NDArray[Any],
    token_counts: Sequence[int],
    batch_size: int = 32,
) -> dict[str, float]:
    """Computes what the original prints for one mechanism.

    Args:
        levels: `(response,)`, predicted.
        annotated_levels: `(response,)`.
        rationales: `(response, token)`, predicted, 0 or 1; padded to the fixed length with what is predicted
            for padding.
        annotated_rationales: `(response, token)`, 0 or 1, in the original's labelling; padded with 0.
        token_counts: `(response,)`, tokens of each response, special tokens included and padding not.
        batch_size: Responses that are averaged first; 32 as in the original.

    Returns:
        `accuracy` and `macro_f1` of the levels ("Accuracy-Empathy", "macro_f1_empathy"); `token_accuracy`
        ("Accuracy-Rationale"); `token_f1` ("macro_f1_rationale", the paper's T-F1); `iou_f1` ("IOU-F1-Rationale").

    Raises:
        ValueError: If the lengths differ or there is no response.
    """
    predicted, annotated = np.asarray(levels), np.asarray(annotated_levels)
    sizes = {len(predicted), len(annotated), len(rationales), len(annotated_rationales), len(token_counts)}
    if len(sizes) != 1 or 0 in sizes or batch_size < 1:
        raise ValueError(f"expected as many of each and at least one, got lengths {sorted(sizes)}")
    rationale_scores = [
        # Without the first token, `<s>`, which the original leaves out as well.
        _rationale_scores(*(np.asarray(labels)[1:][: scored_length(tokens)] for labels in (marks, gold)))
        for marks, gold, tokens in zip(rationales, annotated_rationales, token_counts, strict=True)
    ]
    batches = []
    for start in range(0, len(predicted), batch_size):
        batch = slice(start, start + batch_size)
        token_accuracy, token_f1, iou_f1 = np.mean(rationale_scores[batch], axis=0)
        batches.append(
            {
                "accuracy": np.mean(predicted[batch] == annotated[batch]),
                # Levels that the batch lacks are no part of its mean. By this interpretations of one model scored .660
                # in place of .558 pooled, and emotional reactions .712 in place of .739.
                "macro_f1": f1_score(annotated[batch], predicted[batch], average="macro", zero_division=0.0),
                "token_accuracy": token_accuracy,
                "token_f1": token_f1,
                "iou_f1": iou_f1,
            }
        )
    return {name: float(np.mean([batch[name] for batch in batches])) for name in batches[0]}


def scored_length(tokens: int) -> int:
    """Positions behind the first token that the original scores in a response of so many tokens."""
    return max(2 * (tokens - 1) - 1, 0)


def original_spans(labels: Sequence[int] | NDArray[Any]) -> Spans:
    """Runs of 1 as the original reads them: a run that reaches the end has lost its last token."""
    starts, ends = spans_of(np.asarray(labels))
    return starts, ends - (ends == len(labels))


def _rationale_scores(predicted: NDArray[Any], annotated: NDArray[Any]) -> tuple[float, float, float]:
    """Token accuracy, token-F1 and IOU-F1 of one response."""
    # Once the spans are the original's, so is their F1: that of all spans of one response.
    spans = span_counts(original_spans(predicted), original_spans(annotated))
    return float(np.mean(predicted == annotated)), token_counts(predicted, annotated).f1, spans.f1
