"""oneDNN layers: what the plain ones give, from a copy that the model knows nothing of."""

import pytest
import torch
from torch import nn

from modeling_empathy import EmpathyConfig, EmpathyModel
from modeling_empathy.scoring import onednn_layers
from modeling_empathy.scoring.onednn_layers import OneDnnLinear, suits_onednn, with_onednn_layers
from tests.tiny_models import PAD_TOKEN_IDS, batch_of, tiny_encoder_config, tiny_model


needs_onednn = pytest.mark.skipif(not suits_onednn(torch.ones(1)), reason="torch has no oneDNN for this processor")


@needs_onednn
@pytest.mark.parametrize("family", PAD_TOKEN_IDS)
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_onednn_layers_give_what_plain_ones_give(family, dtype):
    model = tiny_model(family, share_responder_encoder=False).to(dtype)
    copy = with_onednn_layers(model)
    # Or the two would agree because nothing was replaced.
    assert sum(isinstance(module, OneDnnLinear) for module in copy.modules()) > 20
    batch = batch_of([(5, 9), (12, 3)], family)
    with torch.no_grad():
        plain, computed = model(**batch), copy(**batch)
    for name in ("empathy_logits", "rationale_logits"):
        # Relative to the largest logit: bfloat16 has eight bits, and a logit near 0 is a difference of large ones.
        scale = getattr(plain, name).abs().max().item()
        atol = scale * (1e-5 if dtype == torch.float32 else 0.05)
        torch.testing.assert_close(getattr(computed, name), getattr(plain, name), rtol=0, atol=atol)


@needs_onednn
@pytest.mark.parametrize("activation", ["gelu", "gelu_new", "relu"])
def test_the_activation_is_the_models_own(activation):
    config = tiny_encoder_config("bert")
    config.hidden_act = activation
    model = EmpathyModel(EmpathyConfig(encoder_config=config)).eval()
    fused = [
        module for module in with_onednn_layers(model).modules() if getattr(module, "post_op", ("none",))[0] == "gelu"
    ]
    # Two layers in each of two encoders; gelu_new and relu are computed by their own module behind the layer.
    assert len(fused) == (4 if activation == "gelu" else 0)
    batch = batch_of([(5, 9)], "bert")
    with torch.no_grad():
        torch.testing.assert_close(
            with_onednn_layers(model)(**batch).rationale_logits, model(**batch).rationale_logits, rtol=1e-5, atol=1e-5
        )


@needs_onednn
def test_the_model_itself_stays_as_it_was_and_what_becomes_of_it_changes_nothing():
    model = tiny_model()
    batch = batch_of([(5, 9), (12, 3)])
    copy = with_onednn_layers(model)
    with torch.no_grad():
        before = copy(**batch).empathy_logits
        # In place, as an optimizer does it: what shared memory with the model would change with it.
        for parameter in model.parameters():
            parameter.add_(1.0)
        assert torch.equal(copy(**batch).empathy_logits, before)
    assert not any(isinstance(module, OneDnnLinear) for module in model.modules())
    model.train()(**batch).loss.backward()
    assert all(parameter.grad is not None for parameter in model.parameters() if parameter.requires_grad)


def test_where_it_is_not_for_the_processor_the_model_is_used_as_it_is(monkeypatch):
    monkeypatch.setattr(onednn_layers.platform, "machine", lambda: "aarch64")
    model = tiny_model()
    assert with_onednn_layers(model) is model
    assert any(isinstance(module, nn.Linear) for module in model.modules())
