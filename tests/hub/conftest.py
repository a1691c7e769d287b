"""An exported corpus, files to export, and the Hub as this process sees it."""

from pathlib import Path

import pytest
from huggingface_hub import constants

from modeling_empathy.hub.dataset_export import export_dataset
from tests.csv_files import write_corpus


@pytest.fixture(scope="session")
def exported(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("export") / "sample"
    export_dataset(folder, source="sample", show_progress=False)
    return folder


@pytest.fixture
def csv_folder(tmp_path) -> Path:
    (tmp_path / "csv").mkdir()
    return write_corpus(tmp_path / "csv")


@pytest.fixture
def logged_in(hub, api, waits, monkeypatch) -> None:
    """The stand-in Hub is that of this process, whose user is logged in and does not wait between attempts."""
    # The environment was read when huggingface_hub was imported: HF_ENDPOINT would come too late.
    monkeypatch.setattr(constants, "ENDPOINT", hub.endpoint)
    monkeypatch.setenv("HF_TOKEN", hub.token)
