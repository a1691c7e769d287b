"""An exported corpus, and files to export."""

from pathlib import Path

import pytest

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
