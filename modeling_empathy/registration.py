"""Makes `AutoModel` and `pipeline("empathy")` know the package, whichever of it and transformers is imported first.

Registering needs the classes, and they need torch and transformers, which take seconds to import. So nothing is
imported for the sake of it: as soon as someone imports what can be registered with, it is registered.
"""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import partial
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from importlib.util import find_spec
from types import ModuleType
from typing import Any


TASK = "empathy"


def register_lazily() -> None:
    """Registers the Auto classes and the pipeline task, now or when what they need is imported."""
    for theirs, ours, register in (
        ("transformers.models.auto.configuration_auto", "model.configuration_empathy", _register_config),
        ("transformers.models.auto.modeling_auto", "model.modeling_empathy", _register_model),
        ("transformers.pipelines", "model.pipeline_empathy", _register_pipeline),
    ):
        # Ours imports theirs in its first lines, when it has no class to register yet: it is done at the end of ours.
        _after_import(f"{__package__}.{ours}", register)
        _after_import(theirs, partial(_import_if_possible, f"{__package__}.{ours}"))


def _import_if_possible(name: str) -> None:
    # Beside an early transformers, or without torch, the corpus can be read and transformers must stay importable; who
    # then asks for the model is told what is missing.
    with suppress(ImportError):
        importlib.import_module(name)


def _register_config() -> None:
    from transformers import AutoConfig

    from .model.configuration_empathy import EmpathyConfig

    AutoConfig.register(EmpathyConfig.model_type, EmpathyConfig, exist_ok=True)


def _register_model() -> None:
    from transformers import AutoModel

    from .model.configuration_empathy import EmpathyConfig
    from .model.modeling_empathy import EmpathyModel

    AutoModel.register(EmpathyConfig, EmpathyModel, exist_ok=True)


def _register_pipeline() -> None:
    from transformers import AutoModel
    from transformers.pipelines import PIPELINE_REGISTRY

    from .model.pipeline_empathy import EmpathyPipeline

    if TASK not in PIPELINE_REGISTRY.get_supported_tasks():
        PIPELINE_REGISTRY.register_pipeline(TASK, pipeline_class=EmpathyPipeline, pt_model=AutoModel)


def _after_import(name: str, then: Callable[[], object]) -> None:
    """Calls `then` once the module is imported; now, if it is."""
    if name in sys.modules:
        then()
    else:
        sys.meta_path.insert(0, _Watch(name, then))


class _Watch(MetaPathFinder):
    """Finds one module as the others would, and has something done once it is executed."""

    def __init__(self, name: str, then: Callable[[], object]) -> None:
        self.name, self.then = name, then

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """Steps aside for good at the first import of its module."""
        if fullname != self.name or self not in sys.meta_path:
            return None
        sys.meta_path.remove(self)
        spec = find_spec(fullname)
        if spec is not None and spec.loader is not None:
            spec.loader = _LoaderThen(spec.loader, self.then)
        return spec


class _LoaderThen(Loader):
    """A module's own loader, and what is done after it."""

    def __init__(self, loader: Loader, then: Callable[[], object]) -> None:
        self.loader, self.then = loader, then

    def create_module(self, spec: ModuleSpec) -> ModuleType | None:
        return self.loader.create_module(spec)

    def exec_module(self, module: ModuleType) -> None:
        self.loader.exec_module(module)
        if module.__spec__ is not None:
            module.__spec__.loader = self.loader
        self.then()

    def __getattr__(self, name: str) -> Any:
        return getattr(self.loader, name)
