"""The configuration that is passed on: the same model, and nothing that only came along."""

import json

import pytest
import torch

from modeling_empathy import EmpathyConfig, EmpathyModel
from modeling_empathy.checkpoints.deltas import PRETRAINED
from modeling_empathy.checkpoints.own_config import own_config
from modeling_empathy.errors import InputError
from tests.tiny_models import PAD_TOKEN_IDS, batch_of, tiny_model


@pytest.mark.parametrize("family", PAD_TOKEN_IDS)
def test_it_is_the_configuration_of_the_same_model(family):
    model = tiny_model(family, level_temperatures=[1.5, 1.0, 0.5], level_pooling="first_token")
    own = own_config(model.config)
    again = EmpathyModel(own).eval()
    again.load_state_dict(model.state_dict())
    batch = batch_of([(5, 9), (3, 4)], family)
    assert torch.equal(again(**batch).empathy_logits, model(**batch).empathy_logits)
    assert torch.equal(again(**batch).loss, model(**batch).loss)
    for name in ("level_temperatures", "rationale_thresholds", "max_post_length", "id2label", "level_pooling"):
        assert getattr(own, name) == getattr(model.config, name)


def test_what_only_came_along_stays_behind():
    config = tiny_model("bert").config
    config.note = config.encoder_config.note = config.encoder_config._name_or_path = "/home/somebody"
    config.auto_map = {"AutoModelForCausalLM": "evil--code.Model"}
    config.encoder_config.id2label = {0: "/home/somebody"}
    written = own_config(config).to_json_string(use_diff=False)
    assert "evil" not in written and "somebody" not in written and "note" not in written


def test_a_text_that_is_no_name_is_refused():
    config = tiny_model("bert").config
    config.encoder_config.hidden_act = "/home/somebody"
    with pytest.raises(InputError, match=r"encoder_config\.hidden_act is '/home/somebody'"):
        own_config(config)


def test_the_model_of_the_package_names_no_folder():
    written = (PRETRAINED / "config.json").read_text()
    assert "/" not in written
    assert json.loads(own_config(EmpathyConfig.from_pretrained(PRETRAINED)).to_json_string())["mechanisms"]
