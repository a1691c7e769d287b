"""The configuration of a checkpoint as it is passed on: the parameters of its classes, and nothing else it came with.

Anybody may have written a `config.json`, and transformers keeps every key of it, with the folder that an encoder was
loaded from: what names code of others or somebody's home would be published with the next checkpoint.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Mapping
from typing import Any

from transformers.configuration_utils import PreTrainedConfig

from ..errors import InputError, shortened
from ..model.configuration_empathy import EmpathyConfig


# Parameters of every encoder that say nothing of what it computes, and that take any text.
_FREE = ("id2label", "label2id", "problem_type", "transformers_version", "dtype")
# What a value that is text may be: the name of a function, a mechanism, a type.
_NAME = re.compile(r"[\w .+-]{0,64}")


def own_config(config: EmpathyConfig) -> EmpathyConfig:
    """A configuration of the same model that holds the parameters of [`EmpathyConfig`] and of its encoder alone.

    Raises:
        InputError: If a parameter's value is a text that is no name.
    """
    values = {name: getattr(config, name) for name in _parameters(EmpathyConfig)}
    values["encoder_config"] = type(config.encoder_config)(
        **encoder_parameters(config), dtype=config.encoder_config.dtype
    )
    labels = {int(index): str(label) for index, label in config.id2label.items()}
    own = EmpathyConfig(
        **values,
        id2label=labels,
        label2id={label: index for index, label in labels.items()},
        architectures=config.architectures,
        dtype=config.dtype,
    )
    _check_names(
        {
            **{name: values[name] for name in values if name != "encoder_config"},
            "id2label": labels,
            "architectures": config.architectures,
        },
        "",
    )
    return own


def encoder_parameters(config: EmpathyConfig) -> dict[str, Any]:
    """What decides what the encoder computes: the parameters of its class, whatever else its configuration holds.

    Raises:
        InputError: If a parameter's value is a text that is no name.
    """
    encoder = config.encoder_config
    names = [name for name in _parameters(type(encoder)) if name not in _FREE and hasattr(encoder, name)]
    values = {name: getattr(encoder, name) for name in names}
    _check_names(values, "encoder_config.")
    return values


def _parameters(cls: type[PreTrainedConfig]) -> list[str]:
    parameters = list(inspect.signature(cls.__init__).parameters.values())[1:]  # without `self`
    return [parameter.name for parameter in parameters if parameter.kind != parameter.VAR_KEYWORD]


def _check_names(value: Any, place: str) -> None:
    """Looks through a value at any depth; `place` is where it stands."""
    if isinstance(value, Mapping):
        for key, part in value.items():
            _check_names(str(key), place)
            _check_names(part, f"{place}{key}.")
    elif isinstance(value, (list, tuple)):
        for part in value:
            _check_names(part, place)
    elif isinstance(value, str) and not _NAME.fullmatch(value):
        raise InputError(f"config.json: {place.rstrip('.')} is {shortened(value)}, and not the name of anything.")
