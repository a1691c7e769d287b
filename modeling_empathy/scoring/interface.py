"""What the engine asks of whatever computes, be it torch or exported graphs."""

from __future__ import annotations

from typing import NamedTuple, Protocol

import torch
from transformers import PreTrainedTokenizerBase

from ..checkpoints.identity import ModelIdentity
from ..model.configuration_empathy import EmpathyConfig


class ResponseBatch(NamedTuple):
    """Responses with what they answer, padded on the right.

    Attributes:
        response_input_ids: `(batch, token)`.
        response_attention_mask: `(batch, token)`, 1 for tokens and 0 for padding.
        seeker_states: `(batch, seeker_token, hidden)`, of [`Backend.seeker_states`].
        seeker_attention_mask: `(batch, seeker_token)`.
    """

    response_input_ids: torch.Tensor
    response_attention_mask: torch.Tensor
    seeker_states: torch.Tensor
    seeker_attention_mask: torch.Tensor


class Backend(Protocol):
    """What computes."""

    device: torch.device

    def seeker_states(self, input_ids: torch.Tensor, attention_mask: torch.Tensor) -> torch.Tensor:
        """Encodes seeker posts: `(post, token)` to `(post, token, hidden)`."""

    def probabilities(self, batch: ResponseBatch) -> tuple[torch.Tensor, torch.Tensor]:
        """Of levels `(batch, mechanism, level)`; of tokens to be in the rationale `(batch, mechanism, token)`."""


class LoadedBackend(NamedTuple):
    """A backend with a checkpoint in it.

    Attributes:
        backend: What computes.
        tokenizer: The checkpoint's.
        config: The checkpoint's.
        identity: Which checkpoint it is.
    """

    backend: Backend
    tokenizer: PreTrainedTokenizerBase
    config: EmpathyConfig
    identity: ModelIdentity
