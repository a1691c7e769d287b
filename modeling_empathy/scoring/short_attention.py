"""Attention over short posts in bfloat16 on a CPU, in matrix products: torch's own kernel takes twice as long."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn
from transformers import AttentionInterface, PreTrainedModel
from transformers.integrations.sdpa_attention import sdpa_attention_forward
from transformers.masking_utils import AttentionMaskInterface, sdpa_mask


NAME = "short_posts"


def use_short_attention(encoder: PreTrainedModel) -> None:
    """Has an encoder attend by [`short_attention`], if it leaves to transformers how it attends."""
    # `eager` stays where somebody chose it, for its attention weights or to compare with.
    if encoder._supports_attention_backend and encoder.config._attn_implementation == "sdpa":
        encoder.set_attn_implementation(NAME)


def short_attention(
    module: nn.Module,
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    attention_mask: torch.Tensor | None,
    scaling: float | None = None,
    **kwargs: Any,
) -> tuple[torch.Tensor, None]:
    """As transformers' attention functions: `(batch, head, token, size)` to `(batch, token, head, size)`."""
    # A module that does not say is taken for causal, as by transformers; other shapes are those of grouped queries.
    if getattr(module, "is_causal", True) or key.shape != query.shape:
        return sdpa_attention_forward(module, query, key, value, attention_mask, scaling=scaling, **kwargs)
    batch, heads, tokens, size = query.shape
    scaling = size**-0.5 if scaling is None else scaling
    query, key, value = (states.reshape(-1, tokens, size) for states in (query, key, value))
    # `(key, query)` and not `(query, key)`, because a softmax over the last dimension takes longer.
    if attention_mask is None:
        scores = torch.bmm(key, query.transpose(1, 2)).mul_(scaling)
    else:
        # The bias goes into the product itself, as what it is added to.
        mask = attention_mask.transpose(2, 3)
        # No infinity: padding far behind a post may see nothing at all where an encoder's attention has a window, and
        # a softmax over nothing but infinities is NaN, which the next layer would spread to the words.
        nothing = torch.finfo(query.dtype).min
        bias = torch.zeros_like(mask, dtype=query.dtype).masked_fill_(~mask, nothing)
        bias = bias.expand(batch, heads, tokens, tokens).reshape(-1, tokens, tokens)
        scores = torch.baddbmm(bias, key, query.transpose(1, 2), alpha=scaling)
    attended = torch.bmm(scores.softmax(1).transpose(1, 2), value).view(batch, heads, tokens, size)
    return attended.transpose(1, 2).contiguous(), None


AttentionInterface.register(NAME, short_attention)
# Masks are made by the name too: for one that is not registered, transformers makes none and padding is attended to.
AttentionMaskInterface.register(NAME, sdpa_mask)
