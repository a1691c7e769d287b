"""The backends that there are. Another is a file with a class as of [`Backend`] and a loader, and an entry here."""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import NamedTuple

from ..errors import InputError
from . import onnx_backend, torch_backend
from .interface import LoadedBackend


class BackendEntry(NamedTuple):
    """A backend by name.

    Attributes:
        dtypes: What it computes in, as `--dtype` calls it.
        load: Loads a checkpoint: its name, the mechanism that a `.pth` is about, the tokenizer, the device and the
            dtype, as of [`load_backend`].
    """

    dtypes: Collection[str]
    load: Callable[[str, str | None, str | None, str | None, str], LoadedBackend]


# A backend whose packages are extras is imported all the same: it asks for them once it is to load something.
BACKENDS = {
    "torch": BackendEntry(torch_backend.DTYPES, torch_backend.load_torch),
    "onnx": BackendEntry(onnx_backend.PRECISIONS, onnx_backend.load_onnx),
}


def load_backend(
    backend: str, dtype: str, name: str, mechanism: str | None, tokenizer: str | None, device: str | None
) -> LoadedBackend:
    """Loads a checkpoint into a backend.

    Args:
        backend: Its name in `BACKENDS`.
        dtype: One of its dtypes.
        name: The checkpoint, as in [`~modeling_empathy.checkpoints.loading.load_checkpoint`].
        mechanism: Likewise.
        tokenizer: Likewise.
        device: As in [`~modeling_empathy.checkpoints.loading.resolve_device`].

    Raises:
        InputError: If there is no such backend, dtype or checkpoint.
    """
    # Here and not in the loaders, so that the message can name what there is instead, of every backend.
    entry = BACKENDS.get(backend)
    if entry is None or dtype not in entry.dtypes:
        choices = "; ".join(f"{key}: {', '.join(known.dtypes)}" for key, known in BACKENDS.items())
        raise InputError(f"There is no backend {backend!r} with the dtype {dtype!r}; there are {choices}.")
    return entry.load(name, mechanism, tokenizer, device, dtype)
