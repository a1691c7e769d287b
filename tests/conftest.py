"""What every test runs with: no network, nothing written to the home folder, the real corpus where there is one."""

import os
import tempfile
from pathlib import Path


# Before any test imports a library that reads them.
_HOME = tempfile.mkdtemp(prefix="empathy-tests-")
os.environ.update({"HF_HOME": _HOME, "HF_HUB_OFFLINE": "1", "HF_DATASETS_DISABLE_PROGRESS_BARS": "1"})
_CORPUS_DIR = os.environ.pop("EMPATHY_CORPUS_DIR", None)

import pytest  # noqa: E402


_SHARED = Path(__file__).parents[2] / "shared"


@pytest.fixture(scope="session")
def original_checkpoint_dir() -> Path:
    """The folder of the original's golden outputs; tests that ask for it are skipped where it is not."""
    folder = _SHARED / "original_checkpoint"
    if not folder.is_dir():
        pytest.skip("the original's golden outputs are not here: they belong in ../shared/original_checkpoint")
    return folder


@pytest.fixture(scope="session")
def corpus_dir() -> Path:
    """The folder of the real corpus; tests that ask for it are skipped where it is not."""
    folder = Path(_CORPUS_DIR) if _CORPUS_DIR else _SHARED / "corpus"
    if not folder.is_dir():
        pytest.skip("the real corpus is not here: set EMPATHY_CORPUS_DIR to its folder")
    return folder
