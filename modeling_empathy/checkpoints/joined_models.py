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
    for name in _OF_MECHANISM:
        tables = [getattr(model.config, name) for model in models]
        values[name] = None if None in tables else [row for table in tables for row in table]
    joined = EmpathyModel(EmpathyConfig.from_dict(values | {"share_responder_encoder": False}))
    joined.seeker_encoder.load_state_dict(first.seeker_encoder.state_dict())
    for encoder, (model, mechanism) in zip(joined.responder_encoders, parts, strict=True):
        own = model.responder_encoders[model.config.responder_index(mechanism)]
        encoder.load_state_dict(own.state_dict())
        joined.mechanism_heads[mechanism].load_state_dict(model.mechanism_heads[mechanism].state_dict())
    return joined.eval()


_OF_MECHANISM = ("level_weights", "level_temperatures", "rationale_thresholds")
_FREE = {*_OF_MECHANISM, "mechanisms", "share_responder_encoder", "_name_or_path"}


def _check_alike(models: Sequence[EmpathyModel]) -> None:
    mechanisms = [mechanism for model in models for mechanism in model.config.mechanisms]
    if len(set(mechanisms)) < len(mechanisms):
        raise InputError(f"Models to be joined must score different mechanisms; these score {', '.join(mechanisms)}.")
    first = models[0]
    for model in models[1:]:
        pair = f"{', '.join(first.config.mechanisms)} and {', '.join(model.config.mechanisms)}"
        values, others = first.config.to_dict(), model.config.to_dict()
        differing = sorted(
            name
            for name in values.keys() | others.keys()
            if name not in _FREE and values.get(name) != others.get(name)
        )
        if differing:
            raise InputError(f"The models of {pair} are configured differently: {', '.join(differing)}.")
        weights, other_weights = (one.seeker_encoder.state_dict() for one in (first, model))
        differing = [name for name, weight in weights.items() if not torch.equal(weight, other_weights[name])]
        if differing:
            raise InputError(
                f"The seeker encoders of {pair} are not equal, so that they can't be shared: {len(differing)} of "
                f"{len(weights)} tensors differ, {differing[0]} among them. Keep one model for each mechanism."
            )
