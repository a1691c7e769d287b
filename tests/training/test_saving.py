"""A trained model takes the place of an earlier one whole: a kill in between leaves no mixture of both."""

import os
from pathlib import Path

import pytest

from modeling_empathy.training.saving import replaced_model


FILES = ("config.json", "model.safetensors", "tokenizer.json")


def save(folder: Path, content: str) -> None:
    with replaced_model(folder) as temporary:
        for name in FILES:
            (temporary / name).write_text(content)


@pytest.fixture
def folder(tmp_path) -> Path:
    """With a model, what was measured of it, and a checkpoint."""
    save(tmp_path, "earlier")
    (tmp_path / "model-00001-of-00002.safetensors").write_text("earlier")
    (tmp_path / "metrics.json").write_text("earlier")
    (tmp_path / "checkpoint-3").mkdir()
    return tmp_path


def test_a_model_takes_the_place_of_another_and_of_what_was_measured_of_it(folder):
    save(folder, "new")
    assert {path.name for path in folder.iterdir()} == {*FILES, "checkpoint-3"}
    assert {(folder / name).read_text() for name in FILES} == {"new"}


def test_a_model_that_can_not_be_saved_leaves_the_earlier_one(folder):
    before = {path.name for path in folder.iterdir()}
    with pytest.raises(KeyboardInterrupt), replaced_model(folder) as temporary:
        (temporary / "config.json").write_text("new")
        raise KeyboardInterrupt
    assert {path.name for path in folder.iterdir()} == before
    assert (folder / "config.json").read_text() == "earlier"


@pytest.mark.parametrize("moved", range(len(FILES)))
def test_a_kill_while_files_are_moved_leaves_no_weights_beside_files_of_another_model(folder, monkeypatch, moved):
    replace, calls = os.replace, []

    def killed(source: Path, target: Path) -> None:
        if Path(source).parent.name == ".new_model":
            calls.append(target)
            if len(calls) > moved:
                raise KeyboardInterrupt
        replace(source, target)

    monkeypatch.setattr("os.replace", killed)
    with pytest.raises(KeyboardInterrupt):
        save(folder, "new")
    assert not list(folder.glob("*.safetensors")) and not (folder / "metrics.json").exists()
    assert (folder / ".new_model" / "model.safetensors").read_text() == "new"
    monkeypatch.undo()
    save(folder, "newest")
    assert {(folder / name).read_text() for name in FILES} == {"newest"} and not (folder / ".new_model").exists()
