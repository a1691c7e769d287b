"""Joins models of one mechanism each into one model of several, which shares their seeker encoder."""

from __future__ import annotations

from collections.abc import Sequence

import torch

from ..errors import InputError
from ..model.configuration_empathy import EmpathyConfig
from ..model.modeling_empathy import EmpathyModel


def join_models(models: Sequence[EmpathyModel]) -> EmpathyModel:
    """Makes one model out of several whose seeker encoders are equal, as they are where they were frozen.

    Args:
        models: Each with mechanisms that no other has, otherwise configured alike.

    Returns:
        A model that gives each mechanism the outputs of the model it came from, with a response encoder for each.

    Raises:
        InputError: If the seeker encoders or the configurations differ; names what differs.
    """
    first = models[0]
    if len(models) == 1:
        return first
    _check_alike(models)
    parts = [(model, mechanism) for model in models for mechanism in model.config.mechanisms]
    values = first.config.to_dict() | {"mechanisms": [mechanism for _, mechanism in parts]}
    for name in _BY_MECHANISM:
        # `level_weights` may be None; they only matter in training, and half a table would be wrong there.
        tables = [getattr(model.config, name) for model in models]
        values[name] = None if None in tables else [row for table in tables for row in table]
    joined = EmpathyModel(EmpathyConfig.from_dict(values | {"share_responder_encoder": False}))
    joined.seeker_encoder.load_state_dict(first.seeker_encoder.state_dict())
    for encoder, (model, mechanism) in zip(joined.responder_encoders, parts, strict=True):
        responder = model.responder_encoders[model.config.responder_index(mechanism)]
        encoder.load_state_dict(responder.state_dict())
        joined.mechanism_heads[mechanism].load_state_dict(model.mechanism_heads[mechanism].state_dict())
    return joined.eval()


# Lists with an entry for each mechanism.
_BY_MECHANISM = ("level_weights", "level_temperatures", "rationale_thresholds")
# What may differ. A joined model has an encoder for each mechanism anyway, whether or not some shared theirs.
_FREE = {*_BY_MECHANISM, "mechanisms", "share_responder_encoder", "_name_or_path"}


def _check_alike(models: Sequence[EmpathyModel]) -> None:
    mechanisms = [mechanism for model in models for mechanism in model.config.mechanisms]
    if len(set(mechanisms)) < len(mechanisms):
        raise InputError(f"Models to be joined must score different mechanisms; these score {', '.join(mechanisms)}.")
    first = models[0]
    for model in models[1:]:
        pair = f"{', '.join(first.config.mechanisms)} and {', '.join(model.config.mechanisms)}"
        values, model_values = first.config.to_dict(), model.config.to_dict()
        names = (values.keys() | model_values.keys()) - _FREE
        differing = sorted(name for name in names if values.get(name) != model_values.get(name))
        if differing:
            raise InputError(f"The models of {pair} are configured differently: {', '.join(differing)}.")
        weights, model_weights = first.seeker_encoder.state_dict(), model.seeker_encoder.state_dict()
        # Equal to the bit: a frozen encoder is, and one that was trained a little would change scores a little.
        differing = [name for name, weight in weights.items() if not torch.equal(weight, model_weights[name])]
        if differing:
            raise InputError(
                f"The seeker encoders of {pair} are not equal, so that they can't be shared: {len(differing)} of "
                f"{len(weights)} tensors differ, {differing[0]} among them. Keep one model for each mechanism."
            )
