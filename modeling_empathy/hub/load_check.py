"""Loads what is about to be published as its users will: in another process, without package, token or network."""

from __future__ import annotations

import hashlib
import json
import os
import site
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ..checkpoints.loading import load_checkpoint
from ..errors import InputError
from ..model import results
from ..model.pipeline_empathy import EmpathyPipeline


# Of nobody: written to have something to score.
_PAIRS = [
    ("I failed the exam again and feel useless.", "I'm so sorry, that must hurt. What happened?"),
    ("Nobody answers my messages any more.", "Same here. " * 200),
]
# `None` makes every import of the module fail, installed or not.
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


# What a process is given of this one's environment: where programs and libraries are found, and how many threads they
# may use. Tokens and keys have too many names to leave them out by name.
_ENVIRONMENT = (
    *("PATH", "LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH", "PYTHONPATH", "PYTHONHOME", "VIRTUAL_ENV", "CONDA_PREFIX"),
    *("LANG", "LC_ALL", "LC_CTYPE", "TZ", "USER", "LOGNAME", "TMPDIR", "TEMP", "TMP", "SYSTEMROOT", "PATHEXT"),
    *("OMP_NUM_THREADS", "MKL_NUM_THREADS", "CUDA_VISIBLE_DEVICES"),
)


def check_model_loads(folder: Path) -> None:
    """Raises an `InputError` unless a checkpoint loads by itself and says what it says with the package.

    Its code is run for it, so it must be this package's to the byte.
    """
    _check_code(folder)
    model, tokenizer = load_checkpoint(str(folder))
    # On the CPU here and there, because devices round differently; with a stride, so that windows are run as well.
    pipeline = EmpathyPipeline(model=model, tokenizer=tokenizer, device="cpu")
    expected = pipeline(_PAIRS, return_all_scores=True, stride=4)
    results = _run(_SCORE, str(folder), json.dumps(_PAIRS))
    for result, expected_result in zip(results, expected, strict=True):
        for mechanism in model.config.mechanisms:
            scores, expected_scores = result[mechanism]["scores"], expected_result[mechanism]["scores"]
            # Threads may part a sum otherwise in another process, but not by so much.
            if any(abs(scores[label] - score) > 1e-4 for label, score in expected_scores.items()):
                raise InputError(
                    f"The checkpoint gives other scores where this package is not installed ({mechanism}: {scores}, "
                    f"here {expected_scores}): it is not published."
                )


def check_dataset_loads(folder: Path, expected: Mapping[str, Mapping[str, int]]) -> None:
    """Raises an `InputError` unless `datasets` reads all rows, by configuration and split, without any code."""
    counts = _run(_COUNT, str(folder))
    if counts != expected:
        raise InputError(f"What was written has {expected} rows, and {counts} are read: it is not published.")


def _check_code(folder: Path) -> None:
    """Raises an `InputError` if the Python files of a folder are not those that travel with every checkpoint."""
    own = {path.name: _sha256(path) for path in Path(results.__file__).parent.glob("*.py") if path.stem != "__init__"}
    found = {path.relative_to(folder).as_posix(): _sha256(path) for path in folder.rglob("*.py")}
    others = sorted(name for name in {*own, *found} if own.get(name) != found.get(name))
    if others:
        raise InputError(f"{', '.join(others)}: not the code of this package, which alone is run and published.")


def _sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def _run(script: str, *arguments: str) -> Any:
    with tempfile.TemporaryDirectory() as folder:
        kept = {name: value for name, value in os.environ.items() if name in _ENVIRONMENT}
        # The home is where tokens are kept, and where pip may have put the packages.
        kept |= {"HOME": folder, "PYTHONUSERBASE": site.getuserbase()}
        process = subprocess.run(
            [sys.executable, "-c", _WITHOUT_PACKAGE + script, *arguments],
            cwd=folder,
            # Empty caches: code or rows that an earlier try left in them would pass for what is checked.
            env={**kept, "HF_HOME": folder, "HF_HUB_OFFLINE": "1", "HF_DATASETS_CACHE": str(Path(folder, "data"))},
            capture_output=True,
            text=True,
        )
    if process.returncode:
        lines = process.stderr.strip().splitlines() or ["it said nothing"]
        raise InputError(f"What would be published can't be loaded without this package: {lines[-1]}")
    # The last line: libraries may print of their own.
    return json.loads(process.stdout.strip().splitlines()[-1])
