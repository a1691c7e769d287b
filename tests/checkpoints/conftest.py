"""A file of the original, as its code saves it."""

from pathlib import Path

import pytest
import torch

from tests.original_model import original_model


@pytest.fixture
def pth(tmp_path) -> Path:
    torch.save(original_model().state_dict(), tmp_path / "original.pth")
    return tmp_path / "original.pth"
