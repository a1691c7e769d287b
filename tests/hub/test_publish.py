"""Publishing: what is announced when, and that nothing is sent which did not pass every check."""

from pathlib import Path

import pytest

from modeling_empathy.errors import InputError
from modeling_empathy.hub import publish
from modeling_empathy.hub.publish import publish_dataset, publish_model
from modeling_empathy.hub.staging import Publication
from modeling_empathy.hub.upload import Target
from tests.hub.stand_in.hub import StandInHub
from tests.tiny_models import tiny_model
from tests.tokenizers_for_tests import wordpiece_tokenizer


ID = "user/name"

pytestmark = pytest.mark.usefixtures("logged_in")


@pytest.fixture
def model(tmp_path) -> Path:
    folder = tmp_path / "output"
    tiny_model("bert", max_post_length=40).save_pretrained(folder)
    wordpiece_tokenizer().save_pretrained(folder)
    return folder


class Announced:
    """Remembers the steps, with what the Hub had been asked and which files were there."""

    def __init__(self, hub: StandInHub) -> None:
        self.hub, self.steps = hub, []
        self.requests: list[int] = []
        self.files: list[dict[str, int]] = []

    def __call__(self, step: str, publication: Publication) -> None:
        self.steps.append(step)
        self.requests.append(len(self.hub.requests))
        self.files.append(publication.files)


@pytest.mark.slow
def test_each_step_is_announced_and_nothing_is_asked_of_the_hub_before_the_last(hub, model):
    announced = Announced(hub)
    address = publish_model(str(model), Target(ID), announce=announced)
    assert announced.steps == ["loading", "loaded", "uploading"]
    assert announced.requests == [0, 0, 0] and hub.requests
    assert address is not None and address.endswith(hub.commits(ID)[0].oid)
    assert "config.json" in announced.files[0] and announced.files[0] == announced.files[-1]
    # What is announced is what arrives: nothing is added or changed behind it.
    sent = {name: len(content) for name, content in hub.files(ID).items()}
    assert announced.files[-1].items() <= sent.items()


@pytest.mark.slow
def test_a_dry_run_ends_once_it_is_loaded(hub, model):
    for publish_it in (
        lambda announce: publish_model(str(model), Target(ID), dry_run=True, announce=announce),
        lambda announce: publish_dataset(Target(ID), source="sample", dry_run=True, announce=announce),
    ):
        announced = Announced(hub)
        assert publish_it(announced) is None
        assert announced.steps == ["loading", "loaded"] and announced.files[0]
    assert not hub.requests


def test_what_does_not_load_is_not_sent(hub, model, monkeypatch):
    def fails(*arguments: object) -> None:
        raise InputError("it does not load")

    monkeypatch.setattr(publish, "check_model_loads", fails)
    monkeypatch.setattr(publish, "check_dataset_loads", fails)
    for publish_it in (
        lambda announce: publish_model(str(model), Target(ID), announce=announce),
        lambda announce: publish_dataset(Target(ID), source="sample", announce=announce),
    ):
        announced = Announced(hub)
        with pytest.raises(InputError, match="it does not load"):
            publish_it(announced)
        assert announced.steps == ["loading"]
    assert not hub.requests


def test_what_can_be_known_before_the_work_is_said_before_it(hub, model, monkeypatch):
    announced = Announced(hub)
    with pytest.raises(InputError, match="--max_file_gb"):
        publish_model(str(model), Target(ID), max_file_gb=1e-5, announce=announced)
    with pytest.raises(InputError, match="owner/name"):
        publish_model(str(model), Target("x"), dry_run=True, announce=announced)
    monkeypatch.delenv("HF_TOKEN")
    for publish_it in (
        lambda: publish_model(str(model), Target(ID), announce=announced),
        lambda: publish_dataset(Target(ID), source="sample", announce=announced),
    ):
        with pytest.raises(InputError, match="There is no token"):
            publish_it()
    assert not announced.steps and not hub.requests


def test_the_published_corpus_is_known_by_its_bytes(hub, corpus_dir):
    announced = Announced(hub)
    with pytest.raises(InputError, match=r"EPITOME, the Reddit part.*University of Washington.*Nothing was sent"):
        publish_dataset(Target(ID), data_dir=str(corpus_dir), announce=announced)
    assert not announced.steps and not hub.requests
