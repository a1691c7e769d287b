"""The model as it is before training: pretrained encoders, fresh heads, weights of the levels."""

from __future__ import annotations

from collections import Counter

import datasets

from ..encoders import resolve_encoder
from ..model.mechanisms import LEVELS
from ..model.modeling_empathy import EmpathyModel
from .arguments import DataArguments, ModelArguments


def build_model(
    model_args: ModelArguments, data_args: DataArguments, train_features: datasets.Dataset
) -> EmpathyModel:
    """The model before training; level weights are of the training split."""
    level_weights = None
    if model_args.level_weighting == "root_inverse":
        level_weights = root_inverse_weights(train_features["empathy_labels"])
    model = EmpathyModel.from_encoder(
        resolve_encoder(model_args.encoder),
        encoder_kwargs={"revision": model_args.encoder_revision} if model_args.encoder_revision else None,
        level_weights=level_weights,
        max_post_length=data_args.max_length,
        **model_args.config_options(),
    )
    # The corpus sees a small part of the vocabulary: trained, those words would move away from the others.
    if model_args.freeze_embeddings:
        for encoder in model.responder_encoders:
            encoder.get_input_embeddings().requires_grad_(False)  # type: ignore[operator]
    return model


def root_inverse_weights(empathy_labels: list[list[int]]) -> list[list[float]]:
    """Weighs each level by the root of how much rarer it is than under equal frequency.

    Args:
        empathy_labels: `(pair, mechanism)`.

    Returns:
        `(mechanism, level)`: `sqrt(pairs / (levels * pairs_of_level))`; a level that never occurs counts as once.
    """
    weights = []
    for labels in zip(*empathy_labels, strict=True):
        counts = Counter(labels)
        weights.append([(len(labels) / (len(LEVELS) * max(counts[level], 1))) ** 0.5 for level in range(len(LEVELS))])
    return weights
