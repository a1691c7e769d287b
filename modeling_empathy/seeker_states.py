"""The frozen seeker encoder runs once for each distinct seeker post, however often the post comes by."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from transformers.modeling_outputs import BaseModelOutput

from .modeling_empathy import EmpathyModel


@contextmanager
def remembered_seeker_states(model: EmpathyModel) -> Iterator[None]:
    """Within it, a frozen seeker encoder's states are computed once for each post and read from memory afterwards.

    A frozen encoder is in evaluation mode and gives a post the same states in every batch and epoch. They are kept in
    the machine's memory (tokens x hidden size x 4 bytes each: about 270 MB for the Reddit corpus at hidden 384) until
    the context ends. Does nothing where the states differ from batch to batch (the seeker encoder is trained or has
    dropout) or where padding has states that are read (`attend_to_padding`).

    Args:
        model: The unwrapped model.
    """
    config = model.config
    if not config.freeze_seeker_encoder or config.seeker_dropout or config.attend_to_padding:
        yield
        return
    encoder = model.seeker_encoder
    encode = encoder.forward
    remembered: dict[bytes, torch.Tensor] = {}

    def forward(input_ids: torch.Tensor, attention_mask: torch.Tensor) -> BaseModelOutput:
        lengths = attention_mask.sum(-1).tolist()
        keys = [ids[:length].numpy().tobytes() for ids, length in zip(input_ids.cpu(), lengths, strict=True)]
        new = list({key: row for row, key in enumerate(keys) if key not in remembered}.values())
        if new:
            width = max(lengths[row] for row in new)
            states = encode(input_ids[new, :width], attention_mask[new, :width]).last_hidden_state
            for row, own in zip(new, states.cpu(), strict=True):
                remembered[keys[row]] = own[: lengths[row]].clone()
        states = torch.nn.utils.rnn.pad_sequence([remembered[key] for key in keys], batch_first=True)
        padding = input_ids.shape[1] - states.shape[1]
        return BaseModelOutput(torch.nn.functional.pad(states, (0, 0, 0, padding)).to(input_ids.device))

    encoder.forward = forward
    try:
        yield
    finally:
        del encoder.forward
