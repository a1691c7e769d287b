"""What a trained model's numbers mean: how certain, how well founded, how much in view of the seeker post."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import datasets
import numpy as np
from transformers import PreTrainedTokenizerBase

from ..corpus.features import EmpathyDataCollator
from ..model.modeling_empathy import EmpathyModel
from .behaviour import behaviour_table, weak_families
from .calibration import calibration_by_mechanism, calibration_table
from .context_use import context_use, context_use_table
from .evaluate import evaluate_behaviour
from .faithfulness import faithfulness_table, rationale_faithfulness
from .metrics_by_mechanism import Predicted
from .predictions import predict


def diagnostics(
    model: EmpathyModel,
    tokenizer: PreTrainedTokenizerBase,
    features: datasets.Dataset,
    predicted: Predicted,
    rows: datasets.Dataset,
    *,
    max_responses: int,
    suite: datasets.Dataset | None = None,
    mechanisms: Sequence[str] | None = None,
) -> dict[str, Any]:
    """Measures calibration, the faithfulness of rationales, the use of the seeker post, and behaviour.

    Args:
        model: In evaluation mode and in the precision it is measured in.
        tokenizer: The model's.
        features: Of a held-out split.
        predicted: What the model computed for them.
        rows: Of [`~modeling_empathy.evaluation.predictions.held_out_predictions`], made of both.
        max_responses: Of each mechanism, whose rationales are measured; with 0, only calibration is.
        suite: Rows of the behaviour suite; without them, behaviour is not measured.
        mechanisms: Those that all of these are about, in their order; all of the model's when left out. With others of
            the model's beside them, only calibration is measured.

    Returns:
        `calibration`, `faithfulness` and `context_use`, each by mechanism, and `behaviour`.
    """
    config, logits = model.config, predicted.level_logits
    labels = np.array(features["empathy_labels"])
    mechanisms = list(mechanisms or config.mechanisms)
    temperatures = [config.level_temperatures[config.mechanisms.index(name)] for name in mechanisms]
    measures: dict[str, Any] = {"calibration": calibration_by_mechanism(logits, labels, mechanisms, temperatures)}
    if not max_responses or mechanisms != list(config.mechanisms):
        return measures
    # Columns that are not needed are left out, because a data set makes Python objects of all that it gives.
    scores, marks = (
        [
            np.array([row[mechanism][name] for mechanism in config.mechanisms])
            for row in rows.select_columns(config.mechanisms)
        ]
        for name in ("token_scores", "token_mask")
    )
    collator = EmpathyDataCollator(tokenizer.pad_token_id, pad_to_length=config.padded_length, with_clauses=True)
    measures["faithfulness"] = rationale_faithfulness(
        model,
        features,
        logits.argmax(-1),
        scores,
        marks,
        pad_token_id=tokenizer.pad_token_id,
        max_responses=max_responses,
    )
    measures["context_use"] = context_use(
        lambda changed: predict(model, changed, collator, config.mechanisms)[0].level_logits,
        features,
        tokenizer,
        config.mechanisms,
    )
    if suite is not None:
        measures["behaviour"] = evaluate_behaviour(model, tokenizer, suite, config.mechanisms)
    return measures


def diagnostics_tables(measures: Mapping[str, Any]) -> str:
    """What [`diagnostics`] measured, as Markdown tables with a line on each."""
    parts = ["Calibration error of the levels' probabilities:", calibration_table(measures["calibration"])]
    if "faithfulness" in measures:
        parts += [
            "How far a level's probability depends on its rationale, beside as many other words:",
            faithfulness_table(measures["faithfulness"]),
            "What levels owe to the seeker post:",
            context_use_table(measures["context_use"]),
        ]
    if "behaviour" in measures:
        behaviour = measures["behaviour"]
        weak = ", ".join(name.replace("_", " ") for name in weak_families(behaviour)) or "none"
        responses, families = behaviour["responses"], len(behaviour["families"])
        parts += [
            f"Behaviour suite, {responses} responses of {families} families that were not trained on:",
            behaviour_table(behaviour),
            f"Families below .8: {weak}.",
        ]
    return "\n" + "\n\n".join(parts)
