"""The model before training: what its configuration has from the arguments, and what is frozen."""

from dataclasses import replace

import datasets
import pytest
from transformers import AutoModel

from modeling_empathy.errors import InputError
from modeling_empathy.training.arguments import DataArguments, ModelArguments
from modeling_empathy.training.build import build_model, root_inverse_weights
from modeling_empathy.training.data import tokenizer_of
from tests.tiny_models import tiny_encoder_config
from tests.tokenizers_for_tests import wordpiece_tokenizer


FEATURES = datasets.Dataset.from_dict({"empathy_labels": [[0], [0], [0], [2]]})
# Each other than what EmpathyConfig has where nothing is said.
OPTIONS = {
    "mechanisms": ["explorations"],
    "share_responder_encoder": False,
    "freeze_seeker_encoder": False,
    "seeker_dropout": True,
    "attend_to_padding": True,
    "cross_attention_norm": False,
    "level_pooling": "first_token",
    "rationale_unit": "clause",
    "level_smoothing": 0.2,
    "lambda_EI": 0.7,
    "lambda_RE": 0.3,
    "head_dropout": 0.4,
    "level_dropout": 0.6,
    "lambda_context": 0.7,
    "window_stride": None,
}


@pytest.fixture
def encoder(tmp_path) -> str:
    AutoModel.from_config(tiny_encoder_config("bert")).save_pretrained(tmp_path)
    tokenizer = wordpiece_tokenizer()
    tokenizer.model_max_length = 128
    tokenizer.save_pretrained(tmp_path)
    return str(tmp_path)


def test_every_option_of_the_configuration_reaches_it(encoder):
    model_args = ModelArguments(encoder=encoder, **OPTIONS)
    assert model_args.config_options() == OPTIONS
    config = build_model(model_args, DataArguments(max_length=99), FEATURES).config
    assert {name: getattr(config, name) for name in OPTIONS} == OPTIONS
    assert config.max_post_length == 99 and config.level_weights == root_inverse_weights([[0], [0], [0], [2]])
    unweighted = replace(model_args, level_weighting="none")
    assert build_model(unweighted, DataArguments(), FEATURES).config.level_weights is None


def test_level_weights_by_hand():
    labels = [[0, 0], [0, 0], [0, 1], [1, 2]]
    # Three of four pairs have level 0 of the first mechanism, where equal frequency would be 4 / 3 of each level.
    assert root_inverse_weights(labels) == [
        pytest.approx([(4 / 9) ** 0.5, (4 / 3) ** 0.5, (4 / 3) ** 0.5]),
        pytest.approx([(4 / 6) ** 0.5, (4 / 3) ** 0.5, (4 / 3) ** 0.5]),
    ]


@pytest.mark.parametrize("frozen", [True, False])
def test_embeddings_of_words_are_frozen_where_that_is_asked_for(encoder, frozen):
    model_args = ModelArguments(encoder=encoder, mechanisms=["explorations"], freeze_embeddings=frozen)
    [responder] = build_model(model_args, DataArguments(), FEATURES).responder_encoders
    assert responder.get_input_embeddings().weight.requires_grad is not frozen
    assert all(weight.requires_grad for name, weight in responder.named_parameters() if "encoder.layer" in name)


def test_the_tokenizer_is_the_encoders_and_reads_what_posts_may_have(encoder):
    assert tokenizer_of(ModelArguments(encoder=encoder, original_tokenization=True), DataArguments())("A b").input_ids
    with pytest.raises(InputError, match=r"max_length=129: .* reads at most 128 tokens"):
        tokenizer_of(ModelArguments(encoder=encoder), DataArguments(max_length=129))
