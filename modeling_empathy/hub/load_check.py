"""Loads what is about to be published as its users will: in another process, without package, token or network."""

from __future__ import annotations

import hashlib
import json
import os
import site
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any
from zipfile import ZipFile

from huggingface_hub import snapshot_download
from huggingface_hub.errors import HTTPError

from ..checkpoints.deltas import PRETRAINED
from ..checkpoints.loading import load_checkpoint
from ..errors import InputError, first_line
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
_SCORE_BY_PAGE = """
import json, runpy, sys, tempfile
from pathlib import Path
import modeling_empathy
if not modeling_empathy.__file__.startswith(sys.argv[1]):
    sys.exit(f"another package is loaded: {modeling_empathy.__file__}")
runpy.run_path(sys.argv[2], run_name="space")
from modeling_empathy.demo.app import build_page
from modeling_empathy.demo.scoring import PageScorer
scorer = PageScorer(sys.argv[3] or None, device="cpu")
build_page(scorer, Path(tempfile.gettempdir()))
print(json.dumps(scorer.score(json.loads(sys.argv[4]), return_all_scores=True)))
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
    _compare(results, expected, model.config.mechanisms, "The checkpoint", "where this package is not installed")


def check_space_loads(folder: Path, model: str | None) -> None:
    """Raises an `InputError` unless a Space's page is built from its wheel, and says what is said here.

    Args:
        folder: Of the Space.
        model: A folder, or a repository on the Hub; the model that comes with the package when left out.
    """
    [wheel] = folder.glob("*.whl")
    source = None if model is None else _on_this_machine(model)
    loaded, tokenizer = load_checkpoint(source or str(PRETRAINED))
    expected = EmpathyPipeline(model=loaded, tokenizer=tokenizer, device="cpu")(_PAIRS, return_all_scores=True)
    with tempfile.TemporaryDirectory() as unpacked:
        ZipFile(wheel).extractall(unpacked)
        results = _run(
            _SCORE_BY_PAGE, unpacked, str(folder / "app.py"), source or "", json.dumps(_PAIRS), package=unpacked
        )
    _compare(results, expected, loaded.config.mechanisms, "The wheel", "than the package here")


def _on_this_machine(model: str) -> str:
    """The folder of a model; one on the Hub is downloaded, because it is loaded without a token or network."""
    if Path(model).is_dir():
        return model
    try:
        return snapshot_download(model)
    except (HTTPError, OSError, ValueError) as error:
        raise InputError(f"--model {model} can't be downloaded ({first_line(error)}).") from None


def _compare(results: Any, expected: Any, mechanisms: Sequence[str], what: str, where: str) -> None:
    for result, expected_result in zip(results, expected, strict=True):
        for mechanism in mechanisms:
            scores, expected_scores = result[mechanism]["scores"], expected_result[mechanism]["scores"]
            # Threads may part a sum otherwise in another process, but not by so much.
            if any(abs(scores[label] - score) > 1e-4 for label, score in expected_scores.items()):
                raise InputError(
                    f"{what} gives other scores {where} ({mechanism}: {scores}, here {expected_scores}): it is not "
                    "published."
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


def _run(script: str, *arguments: str, package: str | None = None) -> Any:
    """What a script prints last, as JSON; it runs without this package, or with one that is unpacked elsewhere."""
    with tempfile.TemporaryDirectory() as folder:
        kept = {name: value for name, value in os.environ.items() if name in _ENVIRONMENT}
        # The home is where tokens are kept, and where pip may have put the packages.
        kept |= {"HOME": folder, "PYTHONUSERBASE": site.getuserbase()}
        if package is not None:
            kept["PYTHONPATH"] = package
        process = subprocess.run(
            [sys.executable, "-c", script if package else _WITHOUT_PACKAGE + script, *arguments],
            cwd=folder,
            # Empty caches: code or rows that an earlier try left in them would pass for what is checked.
            env={**kept, "HF_HOME": folder, "HF_HUB_OFFLINE": "1", "HF_DATASETS_CACHE": str(Path(folder, "data"))},
            capture_output=True,
            text=True,
        )
    if process.returncode:
        lines = process.stderr.strip().splitlines() or ["it said nothing"]
        how = "by itself" if package else "without this package"
        raise InputError(f"What would be published can't be loaded {how}: {lines[-1]}")
    # The last line: libraries may print of their own.
    return json.loads(process.stdout.strip().splitlines()[-1])
