"""The frozen seeker encoder runs once for each distinct seeker post, however often the post comes by."""

from __future__ import annotations

import math
import os
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager

import numpy as np
import torch
from transformers.modeling_outputs import BaseModelOutput

from ..model.modeling_empathy import EmpathyModel


# Posts that are encoded together.
_BATCH = 32


@contextmanager
def remembered_seeker_states(
    model: EmpathyModel, posts: Iterable[Sequence[int]] = (), memory_gb: float = 4.0
) -> Iterator[None]:
    """Within it, a frozen seeker encoder's states are computed once for each post and read from memory afterwards.

    A frozen encoder is in evaluation mode and gives a post the same states in every batch and epoch. They are kept
    (tokens x hidden size x 4 bytes each: about 270 MB for the Reddit corpus at hidden 384) until the context ends;
    what does not fit into `memory_gb` goes to a temporary file. Does nothing where the states differ from batch to
    batch (the seeker encoder is trained or has dropout) or where padding has states that are read
    (`attend_to_padding`).

    States round differently in other company and in another precision. Those of `posts` depend on neither when they
    are first asked for nor on autocast, so that a run that is resumed meets the states of the run before.

    Args:
        model: The unwrapped model.
        posts: Token ids of the seeker posts to come. They are encoded with those of about their length, once one of
            them is asked for; a post that is not among them, with the others of the batch in which it comes.
        memory_gb: Of the machine's memory, what may be filled.
    """
    config = model.config
    if not config.freeze_seeker_encoder or config.seeker_dropout or config.attend_to_padding:
        yield
        return
    encoder = model.seeker_encoder
    encode = encoder.forward
    remembered = _States(int(memory_gb * 1e9))
    batches = _batches_by_post(posts)

    def remember(keys: list[bytes], input_ids: torch.Tensor, attention_mask: torch.Tensor) -> None:
        # As the saved model computes them, in training with autocast too.
        with torch.autocast(input_ids.device.type, enabled=False):
            states = encode(input_ids, attention_mask).last_hidden_state.cpu()
        for key, post_states, length in zip(keys, states, attention_mask.sum(-1).tolist(), strict=True):
            if key not in remembered:
                remembered.add(key, post_states[:length])

    def forward(input_ids: torch.Tensor, attention_mask: torch.Tensor) -> BaseModelOutput:
        lengths = attention_mask.sum(-1).tolist()
        # Without its padding, a post has the same key in every batch.
        keys = [_key(ids[:length].numpy()) for ids, length in zip(input_ids.cpu(), lengths, strict=True)]
        for key in keys:
            if key in batches and key not in remembered:
                remember(batches[key], *_padded(batches[key], input_ids.device))
        # A row for each distinct post: the dictionary keeps the last of those with the same key.
        new = {key: row for row, key in enumerate(keys) if key not in remembered}
        if new:
            rows = list(new.values())
            width = max(lengths[row] for row in rows)
            remember(list(new), input_ids[rows, :width], attention_mask[rows, :width])
        states = torch.nn.utils.rnn.pad_sequence([remembered.get(key) for key in keys], batch_first=True)
        padding = input_ids.shape[1] - states.shape[1]
        return BaseModelOutput(torch.nn.functional.pad(states, (0, 0, 0, padding)).to(input_ids.device))

    # On the instance, where it hides the method of the class until it is deleted.
    encoder.forward = forward
    try:
        yield
    finally:
        del encoder.forward
        remembered.close()


def _key(input_ids: np.ndarray) -> bytes:
    return input_ids.astype(np.int64).tobytes()


def _batches_by_post(posts: Iterable[Sequence[int]]) -> dict[bytes, list[bytes]]:
    """For each post the batch that it is encoded in, as the keys of its posts: by the posts alone."""
    # Of one length, the keys decide: the order of the pairs plays no part.
    keys = sorted({_key(np.array(post)) for post in posts}, key=lambda key: (len(key), key))
    batches = [keys[start : start + _BATCH] for start in range(0, len(keys), _BATCH)]
    return {key: batch for batch in batches for key in batch}


def _padded(keys: list[bytes], device: torch.device) -> tuple[torch.Tensor, torch.Tensor]:
    """The posts with these keys as `(post, token)`: ids and the mask."""
    posts = [torch.frombuffer(bytearray(key), dtype=torch.int64) for key in keys]
    mask = torch.nn.utils.rnn.pad_sequence([torch.ones_like(post) for post in posts], batch_first=True)
    # Whatever id padding has, the mask hides it from the others.
    return torch.nn.utils.rnn.pad_sequence(posts, batch_first=True).to(device), mask.to(device)


class _States:
    """States by key, in memory up to a number of bytes and in a file beyond."""

    def __init__(self, memory: int) -> None:
        self._left = memory
        self._held: dict[bytes, torch.Tensor] = {}
        self._places: dict[bytes, tuple[int, torch.Size, torch.dtype]] = {}
        # It has no name, so that nothing is left behind however the process ends.
        self._file = tempfile.TemporaryFile()  # noqa: SIM115 - closed in close

    def __contains__(self, key: bytes) -> bool:
        return key in self._held or key in self._places

    def add(self, key: bytes, states: torch.Tensor) -> None:
        if states.nbytes <= self._left:
            self._left -= states.nbytes
            # A copy: a part of a batch's states would keep all of them in memory.
            self._held[key] = states.clone()
            return
        self._places[key] = (self._file.seek(0, os.SEEK_END), states.shape, states.dtype)
        # Bytes, because numpy has no bfloat16.
        self._file.write(states.contiguous().view(torch.uint8).numpy().tobytes())

    def get(self, key: bytes) -> torch.Tensor:
        if key in self._held:
            return self._held[key]
        offset, shape, dtype = self._places[key]
        self._file.seek(offset)
        # Read rather than mapped: a process may have some 65,000 mappings, and there may be more posts.
        read = self._file.read(math.prod(shape) * dtype.itemsize)
        return torch.frombuffer(bytearray(read), dtype=dtype).view(shape)

    def close(self) -> None:
        self._file.close()
