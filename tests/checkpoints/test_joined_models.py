"""Models of one mechanism each become one of several, which scores as each does."""

import pytest
import torch

from modeling_empathy import MECHANISMS
from modeling_empathy.checkpoints.joined_models import join_models
from modeling_empathy.errors import InputError
from tests.original_model import outputs, padded_batch
from tests.tiny_models import tiny_model


def test_models_that_do_not_belong_together_are_not_joined():
    with pytest.raises(InputError, match="different mechanisms"):
        join_models([tiny_model(mechanisms=["explorations"])] * 2)
    with pytest.raises(InputError, match="max_post_length"):
        join_models(
            [
                tiny_model(mechanisms=[mechanism], max_post_length=length)
                for mechanism, length in zip(MECHANISMS, (64, 32), strict=False)
            ]
        )


def test_joined_models_score_as_each_does(tmp_path):
    torch.manual_seed(0)
    models = [
        tiny_model(mechanisms=["interpretations", "explorations"], rationale_thresholds=[0.2, 0.3]),
        tiny_model(mechanisms=["emotional_reactions"], rationale_thresholds=[0.4], share_responder_encoder=False),
    ]
    joined = join_models(models)
    assert joined.config.mechanisms == ["interpretations", "explorations", "emotional_reactions"]
    assert joined.config.rationale_thresholds == [0.2, 0.3, 0.4]
    batch = padded_batch()
    for joined_output, *outputs_of_each in zip(
        outputs(joined, batch), *(outputs(model, batch) for model in models), strict=True
    ):
        torch.testing.assert_close(joined_output, torch.cat(outputs_of_each, dim=1), atol=1e-9, rtol=1e-9)
