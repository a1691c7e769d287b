"""The frozen seeker encoder runs once for each distinct seeker post, however often the post comes by."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from transformers.modeling_outputs import BaseModelOutput

from ..model.modeling_empathy import EmpathyModel


# What is kept in memory; the rest goes to a temporary file.
MEMORY_GB = 4.0


@contextmanager
def remembered_seeker_states(model: EmpathyModel, memory_gb: float = MEMORY_GB) -> Iterator[None]:
    """Within it, a frozen seeker encoder's states are computed once for each post and read from memory afterwards.

    A frozen encoder is in evaluation mode and gives a post the same states in every batch and epoch. They are kept
    (tokens x hidden size x 4 bytes each: about 270 MB for the Reddit corpus at hidden 384) until the context ends;
    what does not fit into `memory_gb` goes to a temporary file that is mapped into memory. Does nothing where the
    states differ from batch to batch (the seeker encoder is trained or has dropout) or where padding has states that
    are read (`attend_to_padding`).

    Args:
        model: The unwrapped model.
        memory_gb: Of the machine's memory, what may be filled.
    """
    config = model.config
    if not config.freeze_seeker_encoder or config.seeker_dropout or config.attend_to_padding:
        yield
        return
    encoder = model.seeker_encoder
    encode = encoder.forward
    remembered = _States(int(memory_gb * 1e9))

    def forward(input_ids: torch.Tensor, attention_mask: torch.Tensor) -> BaseModelOutput:
        lengths = attention_mask.sum(-1).tolist()
        keys = [ids[:length].numpy().tobytes() for ids, length in zip(input_ids.cpu(), lengths, strict=True)]
        new = list({key: row for row, key in enumerate(keys) if key not in remembered}.values())
        if new:
            width = max(lengths[row] for row in new)
            states = encode(input_ids[new, :width], attention_mask[new, :width]).last_hidden_state
            for row, of_post in zip(new, states.cpu(), strict=True):
                remembered.add(keys[row], of_post[: lengths[row]])
        states = torch.nn.utils.rnn.pad_sequence([remembered.get(key) for key in keys], batch_first=True)
        padding = input_ids.shape[1] - states.shape[1]
        return BaseModelOutput(torch.nn.functional.pad(states, (0, 0, 0, padding)).to(input_ids.device))

    encoder.forward = forward
    try:
        yield
    finally:
        del encoder.forward
        remembered.close()


class _States:
    """States by key, in memory up to a number of bytes and in a file beyond."""

    def __init__(self, memory: int) -> None:
        self._left = memory
        self._held: dict[bytes, torch.Tensor] = {}
        self._places: dict[bytes, tuple[int, tuple[int, ...], torch.dtype]] = {}
        self._file: Any = None

    def __contains__(self, key: bytes) -> bool:
        return key in self._held or key in self._places

    def add(self, key: bytes, states: torch.Tensor) -> None:
        states = states.contiguous()
        if states.nbytes <= self._left:
            self._left -= states.nbytes
            self._held[key] = states.clone()
            return
        if self._file is None:
            self._file = tempfile.NamedTemporaryFile(prefix="empathy-seeker-states-")  # noqa: SIM115 - closed in close
        self._places[key] = (self._file.tell(), tuple(states.shape), states.dtype)
        # Bytes, because numpy has no bfloat16.
        self._file.write(states.view(torch.uint8).numpy().tobytes())
        self._file.flush()

    def get(self, key: bytes) -> torch.Tensor:
        if key in self._held:
            return self._held[key]
        offset, shape, dtype = self._places[key]
        size = int(np.prod(shape)) * dtype.itemsize
        mapped = np.memmap(self._file.name, mode="c", dtype=np.uint8, offset=offset, shape=(size,))
        return torch.from_numpy(mapped).view(dtype).view(shape)

    def close(self) -> None:
        if self._file is not None:
            self._file.close()
