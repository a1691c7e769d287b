"""What a model predicts for annotated pairs: as arrays, to be measured, and as rows, to be read."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import datasets
import numpy as np
import torch

from ..corpus.features import EmpathyDataCollator, annotation_of_row
from ..corpus.pairs import TEXTS
from ..model.configuration_empathy import EmpathyConfig
from ..model.encoded_pairs import EncodedPair
from ..model.mechanisms import LEVELS
from ..model.modeling_empathy import EmpathyModel
from ..model.rationale_decisions import unit_scores
from ..model.rationale_spans import IGNORE_INDEX
from ..model.results import ResultOptions, describe_mechanism
from .calibration import level_probabilities
from .metrics_by_mechanism import Annotated, Predicted


def predict(
    model: EmpathyModel,
    features: datasets.Dataset,
    collator: EmpathyDataCollator,
    mechanisms: Sequence[str],
    batch_size: int = 32,
    on_progress: Callable[[int], object] = lambda pairs: None,
) -> tuple[Predicted, Annotated]:
    """Computes what a model predicts for features, and gathers what is annotated in them.

    Args:
        model: In evaluation mode.
        features: Rows of [`~modeling_empathy.corpus.features.build_features`].
        collator: Pads them.
        mechanisms: Those that the features are labelled for, in this order.
        batch_size: Pairs computed at once.
        on_progress: Called with how many more pairs are done.
    """
    positions = [model.config.mechanisms.index(mechanism) for mechanism in mechanisms]
    batches = []
    for start in range(0, len(features), batch_size):
        rows = list(features.select(range(start, min(start + batch_size, len(features)))))
        inputs = collator(rows)
        levels, labels, clauses = (inputs.pop(n) for n in ("empathy_labels", "rationale_labels", "response_clauses"))
        with torch.inference_mode():
            output = model(**{name: tensor.to(model.device) for name, tensor in inputs.items()})
            _, rationales = model.probabilities(output.empathy_logits, output.rationale_logits)
        logits = output.empathy_logits[:, positions].float().cpu()
        # Tokens second, as in the Trainer's predictions. To the host batch by batch, or the device would fill up.
        rationales, labels = rationales[:, positions].transpose(1, 2).cpu(), labels.transpose(1, 2)
        batches.append((logits, rationales, levels, labels, clauses))
        on_progress(len(rows))
    all_logits, all_rationales, all_levels, all_labels, all_clauses = zip(*batches, strict=True)
    return (
        Predicted(np.concatenate(all_logits), _padded(all_rationales, 0.0)),
        Annotated(np.concatenate(all_levels), _padded(all_labels, IGNORE_INDEX), _padded(all_clauses, -1)),
    )


def _padded(batches: Sequence[torch.Tensor], fill: float) -> np.ndarray:
    """Batches `(pair, token, …)` of different lengths, one below the other."""
    width = max(tensor.shape[1] for tensor in batches)
    padded = []
    for tensor in batches:
        beside = [(0, 0), (0, width - tensor.shape[1]), *[(0, 0)] * (tensor.dim() - 2)]
        padded.append(np.pad(tensor.numpy(), beside, constant_values=fill))
    return np.concatenate(padded)


def held_out_predictions(
    features: datasets.Dataset, predicted: Predicted, config: EmpathyConfig, mechanisms: Sequence[str] | None = None
) -> datasets.Dataset:
    """Puts predictions beside the pairs they belong to.

    Args:
        features: Rows of [`~modeling_empathy.corpus.features.build_features`], in the order of the predictions.
        predicted: What the model computed for them.
        config: The model's.
        mechanisms: Those that both are about, in their order; all of the model's when left out.

    Returns:
        For each pair its ids and posts, and for each mechanism a struct of `annotated_level`, `annotated_rationales`
        (`start`, `end`), `level`, `label`, `score`, `level_probabilities` and `rationales`; and for the tokens of the
        response `token_mask`, 1 in the rationale whatever the level, `token_scores`, the probabilities, `unit_scores`,
        what of these is held against the threshold, and `token_labels`, what is annotated (-100 on special tokens and
        where none is known).
    """
    mechanisms = list(mechanisms or config.mechanisms)
    places = [config.mechanisms.index(mechanism) for mechanism in mechanisms]
    temperatures = [config.level_temperatures[place] for place in places]
    probabilities = level_probabilities(predicted.level_logits, temperatures).tolist()
    rows = []
    for index, row in enumerate(features):
        pair = EncodedPair(
            response_post=row["response_post"],
            seeker_input_ids=row["seeker_input_ids"],
            response_input_ids=row["response_input_ids"],
            response_offsets=row["response_offsets"],
            response_special_tokens_mask=row["response_special_tokens_mask"],
            truncated={},
        )
        # The arrays are as long as the longest response.
        tokens = len(pair.response_input_ids)
        described = {name: row[name] for name in TEXTS}
        for position, mechanism in enumerate(mechanisms):
            levels = probabilities[index][position]
            scores = predicted.rationale_probabilities[index, :tokens, position].tolist()
            result = describe_mechanism(pair, places[position], levels, scores, config, ResultOptions(token_mask=True))
            spans = annotation_of_row(row, mechanism).get("rationales") or ()
            described[mechanism] = {
                "annotated_level": row["empathy_labels"][position],
                "annotated_rationales": [{"start": span["start"], "end": span["end"]} for span in spans],
                **result,
                "token_mask": result["token_mask"][:tokens],
                "level_probabilities": levels,
                "token_scores": scores,
                "unit_scores": unit_scores(config.rationale_unit, scores, row["response_clauses"])[0],
                "token_labels": row["rationale_labels"][position],
            }
        rows.append(described)
    return datasets.Dataset.from_list(rows)


def confusion_counts(
    predictions: Mapping[str, Sequence[Mapping[str, Any]]], mechanisms: Sequence[str]
) -> dict[str, list[list[int]]]:
    """How often which level was predicted for which.

    Args:
        predictions: Columns of [`held_out_predictions`].
        mechanisms: Those that are counted.

    Returns:
        For each mechanism `(annotated level, predicted level)`; pairs without an annotated level are not counted.
    """
    counts = {mechanism: [[0] * len(LEVELS) for _ in LEVELS] for mechanism in mechanisms}
    for mechanism, table in counts.items():
        for row in predictions[mechanism]:
            if row["annotated_level"] >= 0:
                table[row["annotated_level"]][row["level"]] += 1
    return counts
