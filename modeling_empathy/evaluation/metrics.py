"""How well predicted levels and rationales match the annotations, with the definition of each number beside it.

Two functions, each for one mechanism at a time. The definitions are the corrected ones: ERASER's for rationales
(DeYoung et al., "ERASER: A Benchmark to Evaluate Rationalized NLP Models", ACL 2020), pooled over the whole data set,
never a mean over batches. The modules in `metrics/` are thin faces over this file for `evaluate.load`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from sklearn.metrics import accuracy_score, average_precision_score, cohen_kappa_score, f1_score

from ..model.mechanisms import LEVELS
from ..model.rationale_spans import IGNORE_INDEX


# ERASER's: what two spans have in common is at least half of what they cover together.
IOU_THRESHOLD = 0.5


class Metric(NamedTuple):
    """A metric that is reported.

    Attributes:
        name: In the results of a mechanism, as of
            [`~modeling_empathy.evaluation.metrics_by_mechanism.metrics_by_mechanism`].
        column: The header that it stands below in tables.
        hub_name: What it is called in a model card's metadata; None where it does not stand there.
        original_name: Which of [`~modeling_empathy.evaluation.original_metrics.original_metrics`] it stands beside.
    """

    name: str
    column: str
    hub_name: str | None = None
    original_name: str | None = None

    # By the name, so that the table below says each thing once.
    @property
    def is_of_rationales(self) -> bool:
        """Whether it measures rationales, not levels."""
        return self.name.startswith(("annotated_", "all_", "shown_"))


# What is shown of what the functions below return, and of what is made of it; `metrics.json` has it all.
REPORTED = (
    Metric("accuracy", "accuracy", "accuracy", "accuracy"),
    Metric("macro_f1", "macro-F1", "f1", "macro_f1"),
    Metric("f1_no", "F1 no"),
    Metric("f1_weak", "F1 weak"),
    Metric("f1_strong", "F1 strong"),
    Metric("quadratic_weighted_kappa", "kappa", "quadratic_weighted_kappa"),
    Metric("annotated_token_f1_macro", "token-F1", "token_f1", "token_f1"),
    Metric("annotated_iou_f1_macro", "IOU-F1", "iou_f1", "iou_f1"),
    Metric("annotated_token_auprc", "AUPRC", "auprc"),
    Metric("shown_token_f1_macro", "token-F1 (shown)"),
)


def identification_metrics(
    predictions: Sequence[int] | NDArray[np.integer[Any]],
    references: Sequence[int] | NDArray[np.integer[Any]],
) -> dict[str, float]:
    """Compares predicted levels of communication with annotated ones.

    Args:
        predictions: One level a response.
        references: The annotated levels, in the same order. Responses with -100 have no level and are left out.

    Returns:
        All values lie in 0..1, but for the kappa, which lies in -1..1; none is ever NaN.

        - `accuracy`: the share of responses whose level is right.
        - `macro_f1`: the mean of the F1 of each level that occurs in the references or the predictions. A level that
          occurs in neither is left out of the mean, not counted as 0; this is what scikit-learn's
          `f1_score(average="macro")` does when no labels are given, as in Sharma et al. (EMNLP 2020).
        - `f1_no`, `f1_weak`, `f1_strong`: the F1 of one level against the others, `2 * right / (predicted +
          annotated)`; 0 for a level that occurs in neither, though `macro_f1` does not count it.
        - `quadratic_weighted_kappa`: agreement beyond chance where a disagreement weighs as the square of its
          distance (Cohen, "Weighted kappa", Psychological Bulletin 70(4), 1968):
          `1 - sum(w * observed) / sum(w * expected)` with `w[i, j] = (i - j) ** 2` and `expected` the product of the
          two margins. Where references and predictions are one and the same level throughout it is 0 / 0, here 0,
          since such data cannot show agreement beyond chance.

    Raises:
        ValueError: If the lengths differ, a value is no level (-100 is allowed in the references), or no response has
            an annotated level.

    Example:
        >>> identification_metrics(predictions=[0, 1, 2, 2], references=[0, 1, 2, 0])["accuracy"]
        0.75
    """
    predicted, annotated = _annotated_levels(predictions, references)
    levels = list(range(len(LEVELS)))
    occurring = [level for level in levels if level in annotated or level in predicted]
    level_f1 = f1_score(annotated, predicted, labels=levels, average=None, zero_division=0.0)
    # scikit-learn gives NaN, with a warning, where everything is one and the same level.
    kappa = cohen_kappa_score(annotated, predicted, labels=levels, weights="quadratic") if len(occurring) > 1 else 0.0
    return {
        "accuracy": float(accuracy_score(annotated, predicted)),
        "macro_f1": float(f1_score(annotated, predicted, labels=occurring, average="macro", zero_division=0.0)),
        **{f"f1_{level}": float(value) for level, value in zip(LEVELS, level_f1, strict=True)},
        "quadratic_weighted_kappa": float(kappa),
    }


def rationale_metrics(
    scores: Sequence[Sequence[float]] | Sequence[NDArray[Any]] | NDArray[Any],
    references: Sequence[Sequence[int]] | Sequence[NDArray[Any]] | NDArray[Any],
    threshold: float | Sequence[float] = 0.5,
) -> dict[str, float]:
    """Compares predicted rationale tokens with annotated ones, as ERASER does.

    A token is predicted when its score is at least `threshold`. Positions whose reference is -100 (special tokens,
    padding) are removed before anything else, so they are counted nowhere and break no span: what stands on their two
    sides becomes neighbours. A response with no position left is not scored. A span is a maximal run of rationale
    tokens, `[start, end)`.

    Args:
        scores: For each response the probability of each token to belong to the rationale, or 0/1 labels.
        references: For each response 1 for a rationale token, 0 for any other, -100 for a position to leave out.
        threshold: The probability from which a token belongs to the predicted rationale; or one for each response.

    Returns:
        Every number twice: with the prefix `annotated_` over the responses that have at least one rationale token in
        the reference, and with `all_` over all scored responses, where a rationale predicted for a response that has
        none counts as an error. After the prefix:

        - `instances`: how many responses that is.
        - `token_precision_micro`, `token_recall_micro`, `token_f1_micro`: over the tokens of all responses pooled.
        - `token_f1_macro`: the mean of the responses' own token-F1 (ERASER's token-F1).
        - `iou_f1_micro`: a predicted span is right when its best token-IOU (common tokens / tokens of either) with an
          annotated span of the same response is at least 0.5. Precision is right / predicted spans, recall right /
          annotated spans, both pooled. No two predicted spans can be right by the same annotated span: each would hold
          half of it, and there is a gap between them.
        - `iou_f1_macro`: the mean of the responses' own IOU-F1.
        - `iou_f1_macro_eraser`: what ERASER's scorer prints as its macro IOU-F1: not a mean of F1 values but the F1 of
          two means, of precision over the responses with a predicted span and of recall over those with an
          annotated one.
        - `token_auprc`: the average precision (scikit-learn's step-wise area under the precision-recall curve) of the
          scores of all responses' tokens pooled; the threshold plays no part. ERASER instead averages a
          trapezoidal area over responses, which is 1 whatever the scores for a response that is rationale from end to
          end and undefined for one without a rationale.

        Responses with neither annotated nor predicted rationale are left out of the macro means (in the micro numbers
        they have nothing to count); in `token_auprc` their tokens do count. A number with nothing to count is 0, never
        NaN: with `annotated_instances` 0 all the `annotated_` numbers are 0 and say nothing.

    Raises:
        ValueError: If the lengths differ, a reference is not 0, 1 or -100, a score lies outside 0..1 or is NaN, or no
            response has a position to score. The message names the response by its index.

    Example:
        >>> metrics = rationale_metrics(scores=[[0.1, 0.9, 0.8, 0.2]], references=[[-100, 1, 1, 1]])
        >>> metrics["all_token_f1_macro"], metrics["all_iou_f1_macro"]
        (0.8, 1.0)
    """
    responses = _scored_responses(scores, references, threshold)
    annotated = [response for response in responses if response.tokens.annotated > 0]
    return {**_rationale_summary("annotated", annotated), **_rationale_summary("all", responses)}


# Starts and (exclusive) ends of spans in their order, `(span,)` each.
Spans = tuple[NDArray[np.intp], NDArray[np.intp]]


class Counts(NamedTuple):
    """Right, predicted and annotated units (tokens or spans) of one response, or of several pooled."""

    right: int
    predicted: int
    annotated: int

    @property
    def precision(self) -> float:
        return self.right / self.predicted if self.predicted else 0.0

    @property
    def recall(self) -> float:
        return self.right / self.annotated if self.annotated else 0.0

    @property
    def f1(self) -> float:
        # The harmonic mean of precision and recall, written so that it needs no case for 0 / 0 of either.
        units = self.predicted + self.annotated
        return 2 * self.right / units if units else 0.0


class _Response(NamedTuple):
    """The scored positions of one response and what is counted in them."""

    scores: NDArray[np.float64]
    references: NDArray[np.bool_]
    tokens: Counts
    spans: Counts


def _annotated_levels(
    predictions: Sequence[int] | NDArray[np.integer[Any]],
    references: Sequence[int] | NDArray[np.integer[Any]],
) -> tuple[NDArray[Any], NDArray[Any]]:
    """Predictions and references of the responses that have an annotated level, checked."""
    levels = tuple(range(len(LEVELS)))
    predicted, annotated = np.asarray(predictions), np.asarray(references)
    if predicted.shape != annotated.shape or predicted.ndim != 1:
        raise ValueError(
            f"predictions and references must be two lists of levels of the same length, "
            f"got shapes {predicted.shape} and {annotated.shape}"
        )
    kept = annotated != IGNORE_INDEX
    if not kept.any():
        raise ValueError(f"no response to score: all {len(annotated)} references are {IGNORE_INDEX}")
    for name, values in (("prediction", predicted), ("reference", annotated)):
        wrong = np.flatnonzero(kept & ~np.isin(values, levels))
        if wrong.size:
            raise ValueError(f"instance {wrong[0]}: {name} {values[wrong[0]]} is not one of the levels {levels}")
    return predicted[kept], annotated[kept]


def _rationale_summary(prefix: str, responses: list[_Response]) -> dict[str, float]:
    """The numbers documented in `rationale_metrics` over the given responses."""
    tokens = [response.tokens for response in responses]
    spans = [response.spans for response in responses]
    pooled_tokens, pooled_spans = _pooled(tokens), _pooled(spans)
    summary: dict[str, float] = {
        "instances": len(responses),
        "token_precision_micro": pooled_tokens.precision,
        "token_recall_micro": pooled_tokens.recall,
        "token_f1_micro": pooled_tokens.f1,
        "token_f1_macro": _mean([counts.f1 for counts in tokens if counts.predicted or counts.annotated]),
        "iou_f1_micro": pooled_spans.f1,
        "iou_f1_macro": _mean([counts.f1 for counts in spans if counts.predicted or counts.annotated]),
        "iou_f1_macro_eraser": _f1_of_means(spans),
        "token_auprc": _pooled_average_precision(responses),
    }
    return {f"{prefix}_{name}": value for name, value in summary.items()}


def _scored_responses(scores: Any, references: Any, threshold: float | Sequence[float]) -> list[_Response]:
    """The responses that have a position to score, without their -100 positions, counted."""
    if len(scores) != len(references):
        raise ValueError(f"there are {len(scores)} responses with scores and {len(references)} with references")
    thresholds = [threshold] * len(scores) if isinstance(threshold, (int, float)) else threshold
    responses = []
    for index, (token_scores, token_references, least) in enumerate(zip(scores, references, thresholds, strict=True)):
        kept_scores, kept_references = _scored_positions(index, token_scores, token_references)
        if kept_references.size:
            predicted = kept_scores >= least
            tokens = token_counts(predicted, kept_references)
            spans = span_counts(spans_of(predicted), spans_of(kept_references))
            responses.append(_Response(kept_scores, kept_references, tokens, spans))
    if not responses:
        raise ValueError(f"no response to score: all references of all {len(references)} are {IGNORE_INDEX}")
    return responses


def _scored_positions(index: int, scores: Any, references: Any) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """Scores and references of the response's positions that are not -100, checked."""
    if len(scores) != len(references):
        raise ValueError(
            f"instance {index}: {len(scores)} scores and {len(references)} references; both must have one for "
            f"each token"
        )
    values, labels = np.asarray(scores, dtype=np.float64), np.asarray(references)
    kept = labels != IGNORE_INDEX
    wrong = np.flatnonzero(kept & (labels != 0) & (labels != 1))
    if wrong.size:
        raise ValueError(
            f"instance {index}, position {wrong[0]}: reference {labels[wrong[0]]} is not 0, 1 or {IGNORE_INDEX}"
        )
    # The slack is for means of float32 probabilities. NaN fails both comparisons, and so is refused here too.
    wrong = np.flatnonzero(kept & ~((values > -1e-6) & (values < 1 + 1e-6)))
    if wrong.size:
        raise ValueError(
            f"instance {index}, position {wrong[0]}: score {values[wrong[0]]} is not a probability; "
            f"pass softmax probabilities or 0/1 labels, not logits"
        )
    return values[kept], labels[kept] == 1


def token_counts(predicted: NDArray[Any], annotated: NDArray[Any]) -> Counts:
    """Counts rationale tokens, 1 of `(token,)`; a predicted one is right when it is annotated too."""
    return Counts(int((predicted & annotated).sum()), int(predicted.sum()), int(annotated.sum()))


def span_counts(predicted: Spans, annotated: Spans) -> Counts:
    """Counts spans; a predicted one is right when its best token-IOU with an annotated one is at least 0.5."""
    (predicted_start, predicted_end), (annotated_start, annotated_end) = predicted, annotated
    # Every predicted span with every annotated one; the best of a row reaches 0.5 where any of it does.
    common = np.minimum.outer(predicted_end, annotated_end) - np.maximum.outer(predicted_start, annotated_start)
    common = common.clip(min=0)
    either = np.add.outer(predicted_end - predicted_start, annotated_end - annotated_start) - common
    # Only the original's spans can be empty: two of these share nothing of nothing, which counts as 0.
    right = (common / either.clip(min=1) >= IOU_THRESHOLD).any(axis=1)
    return Counts(int(right.sum()), len(predicted_start), len(annotated_start))


def spans_of(labels: NDArray[Any]) -> Spans:
    """The maximal runs of 1 in `(token,)`."""
    # The zero on either side gives a run that touches the start or the end of the text its edge. Unsigned, there
    # would be no step of -1.
    steps = np.diff(labels.astype(np.int8), prepend=0, append=0)
    return np.flatnonzero(steps == 1), np.flatnonzero(steps == -1)


def _pooled(counts: list[Counts]) -> Counts:
    return Counts(*(sum(column) for column in zip(*counts, strict=True))) if counts else Counts(0, 0, 0)


def _f1_of_means(counts: list[Counts]) -> float:
    """The F1 of mean precision and mean recall, as `partial_match_score` in ERASER's rationale_benchmark."""
    precision = _mean([each.precision for each in counts if each.predicted])
    recall = _mean([each.recall for each in counts if each.annotated])
    return 2 * precision * recall / (precision + recall) if precision and recall else 0.0


def _pooled_average_precision(responses: list[_Response]) -> float:
    """The average precision over the tokens of all responses; 0 where no token is annotated."""
    # scikit-learn would warn each time.
    if not any(response.tokens.annotated for response in responses):
        return 0.0
    references = np.concatenate([response.references for response in responses])
    scores = np.concatenate([response.scores for response in responses])
    return float(average_precision_score(references, scores))


def _mean(values: list[float]) -> float:
    return sum(values) / len(values) if values else 0.0
