"""What belongs to one mechanism: its cross-attention, its level head and its rationale head (Sharma et al., 4.1)."""

from __future__ import annotations

import torch
from torch import nn
from torch.nn import functional as F

from .configuration_empathy import EmpathyConfig


# Brings similarities, which are from -1 to 1, to the size of what else a level head reads.
_SIMILARITY_SCALE = 10.0


class CrossAttention(nn.Module):
    """One-head attention from the response (queries) to the seeker post (keys and values), added to the response."""

    def __init__(self, config: EmpathyConfig) -> None:
        super().__init__()
        self.query = nn.Linear(config.hidden_size, config.hidden_size)
        self.key = nn.Linear(config.hidden_size, config.hidden_size)
        self.value = nn.Linear(config.hidden_size, config.hidden_size)
        self.output = nn.Linear(config.hidden_size, config.hidden_size)
        self.dropout = nn.Dropout(config.head_dropout)
        # A number and no module, because the attention function takes it as an argument.
        self.weight_dropout = config.level_dropout
        self.norm = nn.LayerNorm(config.hidden_size) if config.cross_attention_norm else nn.Identity()
        self.attend_to_padding = config.attend_to_padding

    def forward(
        self, response_states: torch.Tensor, seeker_states: torch.Tensor, seeker_mask: torch.Tensor
    ) -> torch.Tensor:
        # The dimension of heads, which the function expects, is 1. The mask holds for all response tokens alike.
        context = F.scaled_dot_product_attention(
            self.query(response_states).unsqueeze(1),
            self.key(seeker_states).unsqueeze(1),
            self.value(seeker_states).unsqueeze(1),
            attn_mask=None if self.attend_to_padding else seeker_mask[:, None, None, :].bool(),
            dropout_p=self.weight_dropout if self.training else 0.0,
        ).squeeze(1)
        return self.norm(response_states + self.dropout(self.output(context)))


class LevelHead(nn.Module):
    """Identifies the level of a mechanism from the pooled response."""

    def __init__(self, config: EmpathyConfig) -> None:
        super().__init__()
        pooled_size = config.hidden_size * (1 if config.level_pooling == "first_token" else 2)
        if config.level_pooling == "context":
            pooled_size += 2  # the similarities
        self.dense = nn.Linear(pooled_size, config.hidden_size)
        self.output = nn.Linear(config.hidden_size, config.num_labels)
        self.dropout = nn.Dropout(config.level_dropout)

    def forward(self, pooled: torch.Tensor) -> torch.Tensor:
        return self.output(self.dropout(F.relu(self.dense(self.dropout(pooled)))))


class MechanismHead(nn.Module):
    """Everything that belongs to one mechanism: its cross-attention, its level head and its rationale head."""

    def __init__(self, config: EmpathyConfig) -> None:
        super().__init__()
        self.attention = CrossAttention(config)
        self.level = LevelHead(config)
        self.rationale = nn.Linear(config.hidden_size, 2)
        self.dropout = nn.Dropout(config.head_dropout)
        self.level_pooling = config.level_pooling

    def forward(
        self,
        response_states: torch.Tensor,
        response_mask: torch.Tensor,
        seeker_states: torch.Tensor,
        seeker_mask: torch.Tensor,
    ) -> tuple[torch.Tensor, torch.Tensor]:
        states = self.attention(response_states, seeker_states, seeker_mask)
        rationale_logits = self.rationale(self.dropout(states))
        pooled = [states[:, 0]]
        if self.level_pooling != "first_token":
            # In fp32, because half precision loses small weights in a sum over many tokens. The floor keeps a response
            # without any from dividing 0 by 0.
            weights = rationale_logits.float().softmax(-1)[..., 1] * response_mask
            weights = (weights / weights.sum(-1, keepdim=True).clamp_min(1e-6)).to(states.dtype)
            pooled.append(torch.einsum("bt,bth->bh", weights, states))
        if self.level_pooling == "context":
            # Of the states before the attention, which has mixed the seeker post into the response.
            parts = mean_state(response_states, response_mask), mean_state(response_states, weights)
            seeker = mean_state(seeker_states, seeker_mask)
            similarities = torch.stack([F.cosine_similarity(part, seeker, dim=-1) for part in parts], dim=-1)
            pooled.append(_SIMILARITY_SCALE * similarities.to(states.dtype))
        return self.level(torch.cat(pooled, dim=-1)), rationale_logits


def mean_state(states: torch.Tensor, weights: torch.Tensor) -> torch.Tensor:
    """The mean of token states `(batch, token, hidden)` by weights `(batch, token)`, in fp32; 0 where all are 0."""
    weights = weights.float()
    weights = weights / weights.sum(-1, keepdim=True).clamp_min(1e-6)
    return torch.einsum("bt,bth->bh", weights, states.float())
