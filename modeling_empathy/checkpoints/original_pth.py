"""Between the original's `.pth` files and our checkpoints, without changing an output.

A `.pth` is the pickled state dict of the original's `BiEncoderAttentionWithRationaleClassification`: two RoBERTa
encoders with poolers that nothing reads, a cross-attention with one head that sees padding, a layer norm that takes no
part in the forward pass, and two heads. It is read with `weights_only=True`, which runs no code.
"""

from __future__ import annotations

import pickle
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import torch
from transformers import AutoConfig

from ..errors import InputError, shortened
from ..model.configuration_empathy import EmpathyConfig
from ..model.modeling_empathy import EmpathyModel
from ..model.weight_checks import check_finite


Weights = dict[str, torch.Tensor]

# The original's names, and ours inside the head of a mechanism.
_HEAD = {
    "attn.q_linear": "attention.query",
    "attn.k_linear": "attention.key",
    "attn.v_linear": "attention.value",
    "attn.out": "attention.output",
    "empathy_classifier.dense": "level.dense",
    "empathy_classifier.out_proj": "level.output",
    "rationale_classifier": "rationale",
}
_SEEKER, _RESPONDER = "seeker_encoder.roberta", "responder_encoder.roberta"
# Counters that later versions of transformers stored with the weights.
_COUNTER = re.compile(rf"(?:{_SEEKER}|{_RESPONDER})\.embeddings\.(?:position_ids|token_type_ids)")
_LAYER = re.compile(rf"{re.escape(_SEEKER)}\.encoder\.layer\.(\d+)\.")


def model_from_pth(
    path: Path,
    mechanism: str,
    *,
    num_attention_heads: int = 12,
    pad_token_id: int = 1,
    layer_norm_eps: float = 1e-5,
    max_length: int = 64,
    lambda_EI: float = 0.5,
    lambda_RE: float = 0.5,
) -> EmpathyModel:
    """Reads an original checkpoint of one mechanism; sizes are read from its tensors.

    Args:
        path: The `.pth`.
        mechanism: What it was trained for, which the file does not say.
        num_attention_heads: Of the encoders, which the tensors do not show; roberta-base's when left out.
        pad_token_id: Of the vocabulary, likewise.
        layer_norm_eps: Of the encoders, likewise.
        max_length: Tokens that posts were padded to in training. Outputs depend on it.
        lambda_EI: Weight of the identification loss.
        lambda_RE: Weight of the rationale loss.

    Raises:
        InputError: If the file is no such state dict; lists the missing, unknown and wrongly shaped tensors.
    """
    weights = read_state_dict(path)
    encoder_config = _encoder_config(weights, path, num_attention_heads, pad_token_id, layer_norm_eps)
    # RoBERTa counts positions from behind the padding id; beyond the last one there is no embedding.
    reach = encoder_config.max_position_embeddings - pad_token_id - 1
    if max_length > reach:
        raise InputError(f"{path}: max_len {max_length} is more than the {reach} positions of its encoders.")
    config = EmpathyConfig(
        encoder_config=encoder_config,
        mechanisms=[mechanism],
        share_responder_encoder=False,
        seeker_dropout=True,
        attend_to_padding=True,
        cross_attention_norm=False,
        level_pooling="first_token",
        lambda_EI=lambda_EI,
        lambda_RE=lambda_RE,
        max_post_length=max_length,
    )
    model = EmpathyModel(config).eval()
    expected = model.state_dict()
    names = dict(_renamed(expected, mechanism, config))
    tensors = {original: expected[name] for original, name in names.items()} | _unread(config.hidden_size)
    _check_tensors(weights, {name: tensor.shape for name, tensor in tensors.items()}, path)
    model.load_state_dict({name: weights[original] for original, name in names.items()})
    try:
        check_finite(model)
    except ValueError as error:
        raise InputError(f"{path}: {error}") from None
    return model


def model_to_state_dict(model: EmpathyModel, mechanism: str) -> Weights:
    """The state dict of one mechanism as the original's class loads it.

    What the original stores and never reads is filled in: zeros for the poolers, ones and zeros for the layer norm.

    Raises:
        InputError: If the original's class can't hold the model or would compute something else with it.
    """
    config = model.config
    unlike = {
        "encoder": (config.encoder_config.model_type, "roberta"),
        "attend_to_padding": (config.attend_to_padding, True),
        "cross_attention_norm": (config.cross_attention_norm, False),
        "level_pooling": (config.level_pooling, "first_token"),
    }
    wrong = [f"{name} is {value!r}, not {wanted!r}" for name, (value, wanted) in unlike.items() if value != wanted]
    if mechanism not in config.mechanisms:
        wrong.append(f"the mechanism {mechanism} is not among {', '.join(config.mechanisms)}")
    if wrong:
        raise InputError(f"The original code can't compute what this model computes: {'; '.join(wrong)}.")
    weights = model.state_dict()
    # Copies, because a state dict shares its memory with its model.
    renamed = {original: weights[name].float().clone() for original, name in _renamed(weights, mechanism, config)}
    return renamed | _unread(config.hidden_size)


def read_state_dict(path: Path) -> Weights:
    """Reads a pickled state dict without running anything that may be in it.

    Raises:
        InputError: If the file can't be read, is damaged, or holds anything but named tensors.
    """
    try:
        content = torch.load(path, map_location="cpu", weights_only=True)
    except FileNotFoundError:
        raise InputError(f"{path} does not exist.") from None
    except pickle.UnpicklingError as error:
        # Of torch's message only what was found: the rest advises to run it.
        called = re.search(r"GLOBAL (\S+)", str(error))
        what = f"code or objects besides tensors ({called[1]})" if called else "no pickled tensors, or is damaged"
        raise InputError(
            f"{path} is refused: it holds {what}. Nothing in it was run. Save `model.state_dict()` alone."
        ) from None
    # What torch, zipfile and pickle raise of a file that was cut or damaged, depending on where.
    except (RuntimeError, EOFError, BadZipFile, OSError, ValueError, KeyError) as error:
        what = str(error).partition("\n")[0] or "it ends too early"
        raise InputError(f"{path} can't be read as a PyTorch file, it may be cut off: {what}") from None
    if not isinstance(content, Mapping) or not content:
        what = "nothing" if isinstance(content, Mapping) else f"a {type(content).__name__}"
        raise InputError(f"{path} holds {what}, not a state dict of named tensors.")
    no_tensors = [name for name, value in content.items() if not isinstance(value, torch.Tensor)]
    if no_tensors:
        raise InputError(
            f"{path} is not a state dict of named tensors: {', '.join(shortened(name) for name in no_tensors[:8])} "
            f"{'is' if len(no_tensors) == 1 else 'are'} none."
        )
    return dict(content)


def _renamed(weights: Weights, mechanism: str, config: EmpathyConfig) -> Iterator[tuple[str, str]]:
    """Each of the original's names with ours."""
    responder = f"responder_encoders.{config.responder_index(mechanism)}."
    for name in weights:
        if name.startswith("seeker_encoder."):
            yield f"{_SEEKER}.{name.removeprefix('seeker_encoder.')}", name
        elif name.startswith(responder):
            yield f"{_RESPONDER}.{name.removeprefix(responder)}", name
    for original, part in _HEAD.items():
        for kind in ("weight", "bias"):
            yield f"{original}.{kind}", f"mechanism_heads.{mechanism}.{part}.{kind}"


def _encoder_config(
    weights: Weights, path: Path, num_attention_heads: int, pad_token_id: int, layer_norm_eps: float
) -> Any:
    sizes = {}
    # Sizes are read off the seeker encoder; that the response encoder has the same is checked with all other tensors.
    for name, key in (
        ("vocab_size", "embeddings.word_embeddings.weight"),
        ("max_position_embeddings", "embeddings.position_embeddings.weight"),
        ("type_vocab_size", "embeddings.token_type_embeddings.weight"),
        ("intermediate_size", "encoder.layer.0.intermediate.dense.weight"),
    ):
        tensor = weights.get(f"{_SEEKER}.{key}")
        if tensor is None or tensor.dim() != 2:
            has = ", ".join(list(weights)[:4])
            raise InputError(
                f"{path} is not a checkpoint of the original's bi-encoder: {_SEEKER}.{key} is missing or no matrix. "
                f"It holds {len(weights)} tensors: {has}{', …' if len(weights) > 4 else ''}."
            )
        sizes[name] = len(tensor)
    hidden_size = weights[f"{_SEEKER}.embeddings.word_embeddings.weight"].shape[1]
    if num_attention_heads < 1 or hidden_size % num_attention_heads:
        raise InputError(
            f"{path}: the hidden size {hidden_size} can't be shared by {num_attention_heads} attention heads; "
            "say how many there are with --num_attention_heads."
        )
    if not 0 <= pad_token_id < sizes["vocab_size"]:
        raise InputError(f"{path}: the padding id {pad_token_id} is not in the vocabulary of {sizes['vocab_size']}.")
    layers = {int(layer[1]) for name in weights if (layer := _LAYER.match(name))}
    return AutoConfig.for_model(
        "roberta",
        **sizes,
        hidden_size=hidden_size,
        num_hidden_layers=len(layers),  # not the highest number, which a damaged file may have from anywhere
        num_attention_heads=num_attention_heads,
        pad_token_id=pad_token_id,
        layer_norm_eps=layer_norm_eps,
    )


def _unread(hidden_size: int) -> Weights:
    """What the original's files hold and its forward pass never reads, as it is before training."""
    tensors = {}
    for encoder in (_SEEKER, _RESPONDER):
        tensors[f"{encoder}.pooler.dense.weight"] = torch.zeros(hidden_size, hidden_size)
        tensors[f"{encoder}.pooler.dense.bias"] = torch.zeros(hidden_size)
    return tensors | {"norm.alpha": torch.ones(hidden_size), "norm.bias": torch.zeros(hidden_size)}


def _check_tensors(weights: Weights, shapes: dict[str, torch.Size], path: Path) -> None:
    # Checked before they are loaded: torch's own error gives our names, which the file does not have.
    tensors = {name: tensor for name, tensor in weights.items() if not _COUNTER.fullmatch(name)}
    problems = [
        ("lacks", [name for name in shapes if name not in tensors]),
        ("has unknown", [name for name in tensors if name not in shapes]),
        (
            "has in another shape or type",
            [
                f"{name} {tuple(tensor.shape)} {tensor.dtype}, expected {tuple(shapes[name])}"
                for name, tensor in tensors.items()
                if name in shapes and (tensor.shape != shapes[name] or not tensor.is_floating_point())
            ],
        ),
    ]
    listed = [f"  {what} {len(names)}:\n" + _listed(names) for what, names in problems if names]
    if listed:
        raise InputError(f"{path} is not a checkpoint of the original's bi-encoder. It\n" + "\n".join(listed))


def _listed(names: Sequence[str], longest: int = 20) -> str:
    lines = [f"    {name}" for name in names[:longest]]
    return "\n".join(lines + ([f"    and {len(names) - longest} more"] if len(names) > longest else []))
