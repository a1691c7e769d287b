"""Whether the weights of a checkpoint are those of its model: all of them, no others, and numbers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import nn


def check_loaded(name: str, loading_info: Mapping[str, Any]) -> None:
    """Compares what a checkpoint has with what its model needs.

    Args:
        name: Of the checkpoint.
        loading_info: What `from_pretrained` gives with `output_loading_info=True`.

    Raises:
        ValueError: Lists the weights that are missing, that have another shape, and that have no place in the model.
    """
    mismatched = loading_info["mismatched_keys"]
    shapes = {weight: f"{tuple(stored)}, not {tuple(wanted)}" for weight, stored, wanted in mismatched}
    problems = {
        "lacks": sorted(loading_info["missing_keys"] - shapes.keys()),
        "has in another shape": [f"{weight} {shape}" for weight, shape in sorted(shapes.items())],
        "has what the model has no place for:": sorted(loading_info["unexpected_keys"]),
    }
    found = [f"{problem} {_listed(weights)}" for problem, weights in problems.items() if weights]
    if found:
        raise ValueError(f"{name} is not a checkpoint of the model in its config.json: it {'; it '.join(found)}.")


def check_finite(model: nn.Module) -> None:
    """Raises a `ValueError` that lists the weights with a value that is not a finite number, if there are such."""
    # Of those that accelerate keeps elsewhere until they are needed, only the shape is here.
    weights = [(name, weight) for name, weight in model.named_parameters() if not weight.is_meta]
    broken = [name for name, weight in weights if not torch.isfinite(weight).all()]
    if broken:
        raise ValueError(f"{_listed(broken)} {'has' if len(broken) == 1 else 'have'} values that are no numbers.")


def _listed(names: Sequence[str], longest: int = 8) -> str:
    more = f" and {len(names) - longest} more" if len(names) > longest else ""
    return f"{', '.join(names[:longest])}{more}"
