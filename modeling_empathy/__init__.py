"""Measures how empathy is communicated in text: levels of three mechanisms, and the words that show them.

The names below are imported when they are first used, so that reading a corpus does not wait for torch. `AutoConfig`,
`AutoModel` and `pipeline("empathy")` know the package from its import on.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from .registration import register_lazily


__version__ = "0.1.0"

_HOMES = {
    "EmpathyConfig": "model.configuration_empathy",
    "EmpathyModel": "model.modeling_empathy",
    "EmpathyOutput": "model.modeling_empathy",
    "EmpathyPipeline": "model.pipeline_empathy",
    "LEVELS": "model.mechanisms",
    "MECHANISMS": "model.mechanisms",
    "ScoringEngine": "scoring.engine",
}

__all__ = [*_HOMES, "__version__"]

if TYPE_CHECKING:
    from .model.configuration_empathy import EmpathyConfig as EmpathyConfig
    from .model.mechanisms import LEVELS as LEVELS
    from .model.mechanisms import MECHANISMS as MECHANISMS
    from .model.modeling_empathy import EmpathyModel as EmpathyModel
    from .model.modeling_empathy import EmpathyOutput as EmpathyOutput
    from .model.pipeline_empathy import EmpathyPipeline as EmpathyPipeline
    from .scoring.engine import ScoringEngine as ScoringEngine


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f".{_HOMES[name]}", __name__), name)


def __dir__() -> list[str]:
    return sorted(__all__)


register_lazily()
