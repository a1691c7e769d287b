"""Computes with the model in torch, its linear layers laid out for the processor."""

from __future__ import annotations

import torch

from ..checkpoints.identity import model_identity
from ..checkpoints.loading import load_checkpoint, resolve_device
from ..model.modeling_empathy import EmpathyModel
from .interface import LoadedBackend, ResponseBatch
from .onednn_layers import with_onednn_layers


DTYPES = {"fp32": torch.float32, "bf16": torch.bfloat16}


class TorchBackend:
    """The model in torch; a response that occurs more than once in a batch is encoded once."""

    def __init__(self, model: EmpathyModel) -> None:
        self.model, self.device = with_onednn_layers(model), model.device

    def seeker_states(self, input_ids: torch.Tensor, attention_mask: torch.Tensor) -> torch.Tensor:
        """As of [`Backend`]."""
        return self.model.seeker_states(input_ids, attention_mask)

    def probabilities(self, batch: ResponseBatch) -> tuple[torch.Tensor, torch.Tensor]:
        """As of [`Backend`]."""
        ids, mask, seeker_states, seeker_mask = batch
        # All of a batch is padded to one length, so that equal responses are rows of equal bytes.
        keys = [response.numpy().tobytes() for response in ids.cpu()]
        positions: dict[bytes, int] = {}
        position_of_row = [positions.setdefault(key, len(positions)) for key in keys]
        if len(positions) < len(keys):
            distinct = [keys.index(key) for key in positions]
            states = self.model.response_states(ids[distinct], mask[distinct])
            states = [encoder_states[position_of_row] for encoder_states in states]
        else:
            # Without the indexing, which copies the states.
            states = self.model.response_states(ids, mask)
        return self.model.probabilities(*self.model.logits(states, mask, seeker_states, seeker_mask))


def load_torch(
    name: str, mechanism: str | None, tokenizer: str | None, device: str | None, dtype: str
) -> LoadedBackend:
    """Loads a checkpoint for torch; see [`~modeling_empathy.scoring.backends.load_backend`]."""
    resolved = resolve_device(device)  # first, because it costs nothing
    model, loaded_tokenizer = load_checkpoint(name, mechanism, tokenizer)
    model.to(resolved, DTYPES[dtype])
    identity = model_identity(name, model.config.mechanisms)
    return LoadedBackend(TorchBackend(model), loaded_tokenizer, model.config, identity)
