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
    "EmpathyConfig": "configuration_empathy",
    "EmpathyModel": "modeling_empathy",
    "EmpathyOutput": "modeling_empathy",
    "EmpathyPipeline": "pipeline_empathy",
    "LEVELS": "mechanisms",
    "MECHANISMS": "mechanisms",
    "ScoringEngine": "engine",
}

__all__ = [*_HOMES, "__version__"]

if TYPE_CHECKING:
    from .configuration_empathy import EmpathyConfig as EmpathyConfig
    from .engine import ScoringEngine as ScoringEngine
    from .mechanisms import LEVELS as LEVELS
    from .mechanisms import MECHANISMS as MECHANISMS
    from .modeling_empathy import EmpathyModel as EmpathyModel
    from .modeling_empathy import EmpathyOutput as EmpathyOutput
    from .pipeline_empathy import EmpathyPipeline as EmpathyPipeline


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f".{_HOMES[name]}", __name__), name)


def __dir__() -> list[str]:
    return sorted(__all__)


register_lazily()
