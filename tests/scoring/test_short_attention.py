"""Attention in matrix products: what transformers' own gives, and its own where it is not for that."""

import pytest
import torch
from torch import nn
from transformers import AutoConfig, AutoModel
from transformers.integrations.sdpa_attention import sdpa_attention_forward

from modeling_empathy.scoring.onednn_layers import suits_onednn, with_onednn_layers
from modeling_empathy.scoring.short_attention import NAME, short_attention, use_short_attention
from tests.tiny_models import tiny_model


def states(heads: int = 3) -> torch.Tensor:
    return torch.randn(2, heads, 5, 8)


@pytest.mark.parametrize("scaling", [None, 0.7])
@pytest.mark.parametrize("lengths", [None, (5, 3)])
def test_it_gives_what_transformers_gives(lengths, scaling):
    torch.manual_seed(0)
    mask = None
    if lengths is not None:
        mask = torch.stack([torch.arange(5) < length for length in lengths])[:, None, None].expand(2, 1, 5, 5)
    module = nn.Module()
    module.is_causal = False
    inputs = module, states(), states(), states(), mask
    expected, _ = sdpa_attention_forward(*inputs, scaling=scaling)
    computed, _ = short_attention(*inputs, scaling=scaling)
    torch.testing.assert_close(computed, expected)


def test_what_attends_otherwise_is_left_to_transformers():
    torch.manual_seed(0)
    causal = nn.Module()  # what says nothing is
    inputs = states(), states(), states(), None
    torch.testing.assert_close(short_attention(causal, *inputs)[0], sdpa_attention_forward(causal, *inputs)[0])
    grouped = nn.Module()
    # Three heads of queries share one of keys and values.
    grouped.is_causal, grouped.num_key_value_groups = False, 3
    inputs = states(), states(1), states(1), None
    torch.testing.assert_close(short_attention(grouped, *inputs)[0], sdpa_attention_forward(grouped, *inputs)[0])


def test_padding_that_sees_nothing_does_not_spread_to_the_words():
    # Layers that attend within a window: padding far behind a post has no word in its own.
    config = AutoConfig.for_model(
        "modernbert",
        **{"vocab_size": 64, "hidden_size": 16, "intermediate_size": 32, "num_attention_heads": 2},
        **{"num_hidden_layers": 3, "local_attention": 8, "global_attn_every_n_layers": 3, "pad_token_id": 0},
        **{"bos_token_id": 1, "eos_token_id": 2, "cls_token_id": 1, "sep_token_id": 2},
    )
    torch.manual_seed(0)
    encoder = AutoModel.from_config(config).eval()
    ids, mask = torch.randint(3, 64, (2, 40)), torch.ones(2, 40, dtype=torch.long)
    mask[1, 5:] = 0
    with torch.no_grad():
        expected = encoder(input_ids=ids, attention_mask=mask).last_hidden_state
        use_short_attention(encoder)
        assert encoder.config._attn_implementation == NAME
        computed = encoder(input_ids=ids, attention_mask=mask).last_hidden_state
    torch.testing.assert_close(computed[mask == 1], expected[mask == 1], rtol=1e-4, atol=1e-5)


@pytest.mark.skipif(not suits_onednn(torch.ones(1, dtype=torch.bfloat16)), reason="oneDNN is not for this machine")
@pytest.mark.parametrize(("dtype", "attends_by"), [(torch.float32, "sdpa"), (torch.bfloat16, NAME)])
def test_it_is_used_in_bfloat16_alone_and_the_model_keeps_its_own(dtype, attends_by):
    model = tiny_model("bert").to(dtype)
    copy = with_onednn_layers(model)
    for encoder in (copy.seeker_encoder, *copy.responder_encoders):
        assert encoder.config._attn_implementation == attends_by
    assert model.seeker_encoder.config._attn_implementation == "sdpa"
    # An encoder that attends otherwise by choice keeps that.
    eager = tiny_model("bert", seed=1).to(dtype)
    eager.seeker_encoder.set_attn_implementation("eager")
    assert with_onednn_layers(eager).seeker_encoder.config._attn_implementation == "eager"
