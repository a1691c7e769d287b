"""What exported graphs were made from, known by a hash that they carry: stale ones would score as an earlier model."""

from __future__ import annotations

import hashlib
import inspect
import json
from typing import Any

from ..checkpoints.own_config import encoder_parameters
from ..model.configuration_empathy import EmpathyConfig
from ..model.modeling_empathy import EmpathyModel


# The name of the hash among a graph's metadata.
SOURCE_HASH = "modeling_empathy.source_sha256"

# Parameters of the model that are in its graphs. Thresholds, lengths and labels are applied outside of them, dropout
# and losses in training alone.
_IN_GRAPHS = (
    "mechanisms",
    "share_responder_encoder",
    "attend_to_padding",
    "cross_attention_norm",
    "level_pooling",
    "level_temperatures",
)


def source_hash(model: EmpathyModel) -> str:
    """The sha256 of what a model's graphs are made from: its weights, and what of its configuration is in the graphs.

    Args:
        model: Its weights count as they are in single precision, so that neither how they are stored nor the dtype
            makes a difference.

    Returns:
        In hexadecimal.
    """
    parameters = {name: getattr(model.config, name) for name in _IN_GRAPHS}
    parameters["encoder"] = model.config.encoder_config.model_type, _chosen_encoder_parameters(model.config)
    sha256 = hashlib.sha256(json.dumps(parameters, sort_keys=True, default=str).encode())
    for name, weight in sorted(model.state_dict().items()):
        sha256.update(f"{name} {tuple(weight.shape)}".encode())
        sha256.update(weight.detach().float().contiguous().numpy(force=True).tobytes())
    return sha256.hexdigest()


def _chosen_encoder_parameters(config: EmpathyConfig) -> dict[str, Any]:
    # Without those that have their default: a later version of transformers adds parameters, and makes no graph stale.
    signature = inspect.signature(type(config.encoder_config).__init__)
    defaults = {name: parameter.default for name, parameter in signature.parameters.items()}
    return {
        name: value
        for name, value in encoder_parameters(config).items()
        if value != defaults[name] and "dropout" not in name and name != "architectures"
    }
