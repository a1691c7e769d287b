"""The model as it is before training: pretrained encoders, fresh heads, weights of the levels."""

from __future__ import annotations

from collections import Counter

import datasets
from transformers import PreTrainedTokenizerBase

from ..encoders import resolve_encoder
from ..errors import InputError
from ..model.mechanisms import LEVELS
from ..model.modeling_empathy import EmpathyModel
from .arguments import DataArguments, ModelArguments


def build_model(
    model_args: ModelArguments,
    data_args: DataArguments,
    tokenizer: PreTrainedTokenizerBase,
    train_features: datasets.Dataset,
) -> EmpathyModel:
    """The model before training: pretrained encoders, fresh heads, level weights from the training split."""
    level_weights = None
    if model_args.level_weighting == "root_inverse":
        level_weights = root_inverse_weights(train_features["empathy_labels"])
    limit = tokenizer.model_max_length
    if data_args.max_length > limit:
        raise InputError(f"max_length={data_args.max_length}: {model_args.encoder!r} reads at most {limit} tokens.")
    model = EmpathyModel.from_encoder(
        resolve_encoder(model_args.encoder),
        model_args.mechanisms,
        share_responder_encoder=model_args.share_responder_encoder,
        freeze_seeker_encoder=model_args.freeze_seeker_encoder,
        encoder_kwargs={"revision": model_args.encoder_revision} if model_args.encoder_revision else None,
        seeker_dropout=model_args.seeker_dropout,
        attend_to_padding=model_args.attend_to_padding,
        cross_attention_norm=model_args.cross_attention_norm,
        level_pooling=model_args.level_pooling,
        rationale_unit=model_args.rationale_unit,
        level_weights=level_weights,
        level_smoothing=model_args.level_smoothing,
        lambda_EI=model_args.lambda_EI,
        lambda_RE=model_args.lambda_RE,
        head_dropout=model_args.head_dropout,
        level_dropout=model_args.level_dropout,
        max_post_length=data_args.max_length,
    )
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
