"""What every test runs with: no network, nothing written to the home folder, the real corpus where there is one."""

import os
import tempfile
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace


# Before any test imports a library that reads them.
_HOME = tempfile.mkdtemp(prefix="empathy-tests-")
os.environ.update({"HF_HOME": _HOME, "HF_HUB_OFFLINE": "1", "HF_DATASETS_DISABLE_PROGRESS_BARS": "1"})
_CORPUS_DIR = os.environ.pop("EMPATHY_CORPUS_DIR", None)

import pytest  # noqa: E402
from huggingface_hub import HfApi, constants  # noqa: E402
from hypothesis import settings  # noqa: E402

from tests.hub.stand_in.hub import StandInHub  # noqa: E402


# For `--hypothesis-profile long`: some minutes for each property, where the default is a second.
settings.register_profile("long", max_examples=20_000, deadline=None)

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


@pytest.fixture
def hub() -> Iterator[StandInHub]:
    with StandInHub(lfs_above=1000) as hub:
        yield hub


@pytest.fixture
def api(hub, monkeypatch) -> HfApi:
    """The owner's client in this process, which the other tests keep offline."""
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    monkeypatch.setattr(constants, "HF_HUB_DISABLE_XET", True)
    return HfApi(endpoint=hub.endpoint, token=hub.token)


@pytest.fixture
def waits(monkeypatch) -> list[float]:
    """How long the client meant to wait between its attempts, in place of waiting."""
    waited: list[float] = []
    clock = SimpleNamespace(sleep=waited.append)
    monkeypatch.setattr("huggingface_hub.utils._http.time", clock)
    monkeypatch.setattr("huggingface_hub.file_download.time", clock)
    return waited
