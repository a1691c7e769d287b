"""Measures how empathy is communicated in text: levels of three mechanisms, and the words that show them.

The names below are imported when they are first used, so that reading a corpus does not wait for torch. With the first
of those that need transformers, `AutoConfig`, `AutoModel` and `pipeline("empathy")` know the package's classes.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any


__version__ = "0.2.0"

# Where each public name is defined.
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

# Type checkers and editors do not run `__getattr__`. `as` marks a name as exported.
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
    if name not in ("LEVELS", "MECHANISMS"):
        _register()
    # Kept as a global, so that this function is asked only once for each name.
    return globals().setdefault(name, getattr(importlib.import_module(f".{_HOMES[name]}", __name__), name))


def __dir__() -> list[str]:
    return sorted(__all__)


def _register() -> None:
    """Tells transformers of the model and the pipeline."""
    from transformers import AutoConfig, AutoModel
    from transformers.pipelines import PIPELINE_REGISTRY

    from .model.configuration_empathy import EmpathyConfig
    from .model.modeling_empathy import EmpathyModel
    from .model.pipeline_empathy import EmpathyPipeline

    AutoConfig.register(EmpathyConfig.model_type, EmpathyConfig, exist_ok=True)
    AutoModel.register(EmpathyConfig, EmpathyModel, exist_ok=True)
    if "empathy" not in PIPELINE_REGISTRY.get_supported_tasks():  # or it would warn of the second time
        PIPELINE_REGISTRY.register_pipeline("empathy", pipeline_class=EmpathyPipeline, pt_model=AutoModel)
