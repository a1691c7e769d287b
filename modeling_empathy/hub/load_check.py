"""Loads what is about to be published as its users will: in another process, without package, token or network."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ..checkpoints.loading import load_checkpoint
from ..errors import InputError
from ..model.pipeline_empathy import EmpathyPipeline


# Of nobody: written to have something to score.
_PAIRS = [
    ("I failed the exam again and feel useless.", "I'm so sorry, that must hurt. What happened?"),
    ("Nobody answers my messages any more.", "Same here. " * 200),
]
_WITHOUT_PACKAGE = "import json, sys; sys.modules['modeling_empathy'] = sys.modules['dataset_scripts'] = None\n"
_SCORE = """
from transformers import pipeline
scorer = pipeline(model=sys.argv[1], trust_remote_code=True, device="cpu")
print(json.dumps(scorer(json.loads(sys.argv[2]), return_all_scores=True, stride=4)))
"""
_COUNT = """
import datasets
counts = {}
for name in datasets.get_dataset_config_names(sys.argv[1]):
    data = datasets.load_dataset(sys.argv[1], name)
    counts[name] = {split: sum(1 for _ in rows) for split, rows in data.items()}
print(json.dumps(counts))
"""


def check_model_loads(folder: Path) -> None:
    """Raises an `InputError` unless a checkpoint loads by itself and says what it says with the package."""
    model, tokenizer = load_checkpoint(str(folder))
    expected = EmpathyPipeline(model=model, tokenizer=tokenizer, device="cpu")(
        _PAIRS, return_all_scores=True, stride=4
    )
    found = _run(_SCORE, str(folder), json.dumps(_PAIRS))
    for one, other in zip(found, expected, strict=True):
        for mechanism in model.config.mechanisms:
            scores, of_package = one[mechanism]["scores"], other[mechanism]["scores"]
            if any(abs(scores[label] - score) > 1e-4 for label, score in of_package.items()):
                raise InputError(
                    f"The checkpoint gives other scores where this package is not installed ({mechanism}: {scores}, "
                    f"here {of_package}): it is not published."
                )


def check_dataset_loads(folder: Path, expected: Mapping[str, Mapping[str, int]]) -> None:
    """Raises an `InputError` unless `datasets` reads all rows, by configuration and split, without any code."""
    counts = _run(_COUNT, str(folder))
    if counts != expected:
        raise InputError(f"What was written has {expected} rows, and {counts} are read: it is not published.")


def _run(script: str, *arguments: str) -> Any:
    with tempfile.TemporaryDirectory() as folder:
        kept = {name: value for name, value in os.environ.items() if "TOKEN" not in name}
        done = subprocess.run(
            [sys.executable, "-c", _WITHOUT_PACKAGE + script, *arguments],
            cwd=folder,
            env={**kept, "HF_HOME": folder, "HF_HUB_OFFLINE": "1", "HF_DATASETS_CACHE": str(Path(folder, "data"))},
            capture_output=True,
            text=True,
        )
    if done.returncode:
        said = done.stderr.strip().splitlines() or ["it said nothing"]
        raise InputError(f"What would be published can't be loaded without this package: {said[-1]}")
    return json.loads(done.stdout.strip().splitlines()[-1])
