"""What a folder of scores says of itself: which model, which inputs, which options, and how often the model errs."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

import torch

from .output_folder import ShardSummary
from .plan import Plan


def manifest(plan: Plan, done: Mapping[int, ShardSummary], about_model: Mapping[str, Any] | None) -> dict[str, Any]:
    """The content of `manifest.json`.

    Args:
        plan: The run.
        done: Its shards that are whole.
        about_model: What is known of the model beside its identity, as `confusion`: for each mechanism annotated
            levels by predicted ones, counted on pairs that its training did not see.
    """
    options = json.loads(json.dumps(asdict(plan.options)))
    return {
        "is_whole": len(done) == plan.shards,
        "pairs": sum(shard.pairs for shard in done.values()),
        "truncated": sum(shard.truncated for shard in done.values()),
        "skipped": sum(shard.skipped for shard in done.values()),
        "shards": plan.shards,
        "models": [model._asdict() for model in plan.models],
        "mechanisms": list(plan.mechanisms),
        "about_model": dict(about_model or {}),
        "options": options,
        "kept": dict(plan.kept),
        # By name: where a file is on somebody's machine is nobody's business.
        "inputs": [
            {"name": file.name, "bytes": file.size, "sha256": file.sha256, "rows": file.rows} for file in plan.files
        ],
        "package_version": plan.package_version,
        "torch_version": torch.__version__,
    }
