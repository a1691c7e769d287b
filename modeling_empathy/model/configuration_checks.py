"""Which values make a model: types and ranges of a configuration, which may come from a stranger's `config.json`."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from numbers import Integral, Real
from typing import Any

from transformers.activations import ACT2FN
from transformers.configuration_utils import PreTrainedConfig

from .mechanisms import LEVELS, MECHANISMS


LEVEL_POOLINGS = ("first_token", "rationale", "context")
RATIONALE_UNITS = ("token", "clause")

# Sizes of an encoder, by the names that transformers gives them in every architecture, and the largest that is taken
# for one: beyond, a file of a few bytes would have the machine run out of memory.
_LARGEST_SIZES = {
    "vocab_size": 2**22,
    "hidden_size": 2**15,
    "num_hidden_layers": 2**9,
    "num_attention_heads": 2**10,
    "intermediate_size": 2**18,
    "max_position_embeddings": 2**22,
}

# Encoders that count positions from behind the padding id, so that some of their positions are never reached.
_POSITIONS_BEHIND_PADDING = (
    *("camembert", "data2vec-text", "ibert", "longformer", "mpnet", "roberta", "roberta-prelayernorm"),
    *("xlm-roberta", "xlm-roberta-xl", "xmod"),
)


def is_number(value: object, lowest: float, highest: float = math.inf, *, above: bool = False) -> bool:
    """Whether a value is a finite number in a range; with `above`, the lowest is not part of it."""
    # True is a number to Python, and a configuration that has it there was damaged or misread.
    if not isinstance(value, Real) or isinstance(value, bool) or not math.isfinite(value):
        return False
    return lowest <= float(value) <= highest and not (above and value == lowest)


def is_size(value: object, lowest: int, highest: int) -> bool:
    """Whether a value is a whole number in a range."""
    return isinstance(value, Integral) and not isinstance(value, bool) and lowest <= int(value) <= highest


# Name, whether a value of that name is one, and what it should be.
_Check = tuple[str, Callable[[Any], bool], str]
_SWITCHES = (
    "share_responder_encoder",
    "freeze_seeker_encoder",
    "seeker_dropout",
    "attend_to_padding",
    "cross_attention_norm",
)
_CHECKS: list[_Check] = [
    *((name, lambda value: isinstance(value, bool), "true or false") for name in _SWITCHES),
    ("level_pooling", lambda value: value in LEVEL_POOLINGS, f"use one of {', '.join(LEVEL_POOLINGS)}"),
    ("rationale_unit", lambda value: value in RATIONALE_UNITS, f"use one of {', '.join(RATIONALE_UNITS)}"),
    ("lambda_EI", lambda value: is_number(value, 0), "a weight of a loss, 0 or above"),
    ("lambda_RE", lambda value: is_number(value, 0), "a weight of a loss, 0 or above"),
    ("lambda_context", lambda value: is_number(value, 0), "a weight of a loss, 0 or above"),
    ("level_smoothing", lambda value: is_number(value, 0, 1) and value < 1, "a share from 0 to below 1"),
    ("head_dropout", lambda value: is_number(value, 0, 1) and value < 1, "a probability from 0 to below 1"),
    ("level_dropout", lambda value: is_number(value, 0, 1) and value < 1, "a probability from 0 to below 1"),
    ("max_post_length", lambda value: is_size(value, 3, 2**22), "tokens of a post, 3 or more"),
    (
        "window_stride",
        lambda value: value is None or is_size(value, 0, 2**22),
        "tokens that windows share, a whole number from 0, or None to cut",
    ),
    ("initializer_range", lambda value: is_number(value, 0), "a standard deviation, 0 or above"),
]
# Of those with a number for each mechanism, what each must be.
_CHECKS_BY_MECHANISM: list[_Check] = [
    ("level_temperatures", lambda value: is_number(value, 0, above=True), "logits are divided by them; above 0"),
    ("rationale_thresholds", lambda value: is_number(value, 0, 1), "probabilities lie between 0 and 1"),
]


def check_values(values: Mapping[str, Any]) -> None:
    """Raises a `ValueError` that names the argument of [`EmpathyConfig`] whose value makes no model, and the value."""
    mechanisms = values["mechanisms"]
    unknown = [mechanism for mechanism in mechanisms if mechanism not in MECHANISMS]
    if unknown or not mechanisms or len(set(mechanisms)) != len(mechanisms):
        raise ValueError(f"mechanisms={mechanisms!r}: name one to three different ones of {', '.join(MECHANISMS)}.")
    for name, is_one, expected in _CHECKS:
        if not is_one(values[name]):
            raise ValueError(f"{name}={values[name]!r}: {expected}.")
    for name, is_one, expected in _CHECKS_BY_MECHANISM:
        if len(values[name]) != len(mechanisms):
            raise ValueError(f"{name}={values[name]!r}: expected one for each of {mechanisms!r}.")
        if not all(map(is_one, values[name])):
            raise ValueError(f"{name}={values[name]!r}: {expected}.")
    table = values["level_weights"]
    if table is None:
        return
    shape = (len(mechanisms), len(LEVELS))
    if [len(row) for row in table] != [shape[1]] * shape[0]:
        raise ValueError(f"level_weights={table!r}: expected shape {shape}, (mechanism, level).")
    if not all(is_number(weight, 0) for row in table for weight in row):
        raise ValueError(f"level_weights={table!r}: weights of a loss, 0 or above.")


def check_encoder(config: PreTrainedConfig, max_post_length: int) -> None:
    """Raises a `ValueError` where an encoder of that configuration can't be built, or can't read such posts."""
    for name, largest in _LARGEST_SIZES.items():
        # By `getattr`: DistilBERT and others map these names to their own, and some architectures lack one.
        value = getattr(config, name, None)
        # XLNet says -1 of positions, of which it has none.
        is_without = value is None or (name == "max_position_embeddings" and value == -1)
        if not is_without and not is_size(value, 1, largest):
            raise ValueError(f"encoder_config has {name}={value!r}: a whole number from 1 to {largest}.")
    hidden_size, heads = (getattr(config, name, None) for name in ("hidden_size", "num_attention_heads"))
    if hidden_size is None:
        raise ValueError(f"encoder_config of type {config.model_type!r} has no hidden_size: it is none of an encoder.")
    if heads is not None and hidden_size % heads:
        raise ValueError(f"encoder_config has hidden_size={hidden_size}, which {heads} attention heads can't share.")
    activation = getattr(config, "hidden_act", None)
    if isinstance(activation, str) and activation not in ACT2FN:
        raise ValueError(f"encoder_config has hidden_act={activation!r}, which transformers lacks.")
    longest = longest_post(config)
    if longest < max_post_length:
        raise ValueError(f"max_post_length={max_post_length!r}: the encoder has {longest} positions.")


def longest_post(config: PreTrainedConfig) -> float:
    """Tokens for which an encoder of that configuration has positions; infinite where these are not counted."""
    positions = getattr(config, "max_position_embeddings", None)
    # Such as T5, XLNet, which says -1, and DeBERTa: distances between tokens, of any length.
    if positions in (None, -1) or getattr(config, "position_biased_input", True) is False:
        return math.inf
    if config.model_type in _POSITIONS_BEHIND_PADDING:
        return positions - 1 - (1 if config.pad_token_id is None else config.pad_token_id)
    return positions


def check_labels(id2label: object) -> None:
    """Raises a `ValueError` where labels are not one for each level."""
    named = id2label if isinstance(id2label, Mapping) else {}
    are_texts = all(isinstance(label, str) and label for label in named.values())
    if sorted(named, key=str) != list(range(len(LEVELS))) or not are_texts or len(set(named.values())) < len(LEVELS):
        raise ValueError(f"id2label={id2label!r}: expected a name for each of the levels 0 to {len(LEVELS) - 1}.")


def as_list(name: str, value: Any) -> list[Any]:
    """A value that must be a list; raises a `ValueError` that names the argument if it is none."""
    if isinstance(value, (str, bytes, Mapping)) or not hasattr(value, "__iter__"):
        raise ValueError(f"{name}={value!r}: expected a list.")
    return list(value)
