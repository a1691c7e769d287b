"""Linear layers whose weights are laid out once for the processor, by oneDNN: what scores on x86 without a GPU.

torch multiplies in fp32 with MKL, which gives less than half of what an AMD processor can, and in bfloat16 it lays out
the weights anew for each product. oneDNN, which torch brings along and its own compiler calls by the same operators,
does neither. `python -m benchmarks.scoring_speed` measures both rates.
"""

from __future__ import annotations

import copy
import platform
from typing import Any, TypeGuard

import torch
from torch import nn
from transformers.activations import GELUActivation

from ..model.modeling_empathy import EmpathyModel
from .short_attention import use_short_attention


# Narrower layers, such as those that give logits, take no time.
_NARROWEST = 16


class OneDnnLinear(nn.Module):
    """A linear layer that can't be trained or saved, followed by GELU where `gelu` says so."""

    def __init__(self, linear: nn.Linear, gelu: bool = False) -> None:
        super().__init__()
        # A plain attribute and no parameter: a tensor in oneDNN's layout has no storage to be saved or converted.
        self.weight = torch.ops.mkldnn._reorder_linear_weight(linear.weight.detach())
        self.bias = None if linear.bias is None else linear.bias.detach()
        # Of GELU the exact form, as in BERT; "tanh" in its last place would be the approximation.
        self.post_op: tuple[str, list[float], str] = ("gelu", [], "none") if gelu else ("none", [], "")

    def forward(self, inputs: torch.Tensor) -> torch.Tensor:
        outputs: torch.Tensor = torch.ops.mkldnn._linear_pointwise(inputs, self.weight, self.bias, *self.post_op)
        return outputs

    # For pickle and `copy.deepcopy`, in torch's layout, which has a storage: another process, or another processor,
    # lays the weight out anew.
    def __getstate__(self) -> dict[str, Any]:
        return self.__dict__ | {"weight": self.weight.to_dense()}

    def __setstate__(self, state: dict[str, Any]) -> None:
        super().__setstate__(state | {"weight": torch.ops.mkldnn._reorder_linear_weight(state["weight"])})


def suits_onednn(weight: torch.Tensor) -> bool:
    """Whether these layers are for the processor, torch and a weight's type."""
    return (
        weight.device.type == "cpu"
        and platform.machine() in ("x86_64", "AMD64")
        and torch.backends.mkldnn.is_available()
        # Not part of torch's interface, so that another version may lack it.
        and hasattr(torch.ops.mkldnn, "_linear_pointwise")
        and weight.dtype in (torch.float32, torch.bfloat16)
        and (weight.dtype == torch.float32 or bool(torch.ops.mkldnn._is_mkldnn_bf16_supported()))
    )


def with_onednn_layers(model: EmpathyModel) -> EmpathyModel:
    """A copy of a model as it is now, for scoring alone, with its linear layers computed by oneDNN.

    Where they are not for this machine, it is the model itself, in evaluation mode.
    """
    model = model.eval()
    weights = [module.weight for module in model.modules() if _is_replaceable(module)]
    # The parts of a model with a device map come and go: accelerate's hooks move parameters, and these have none.
    if hasattr(model, "hf_device_map") or not all(map(suits_onednn, weights)):
        return model
    # The memo leaves these weights where they are: they are copied by being laid out, and twice is too much memory.
    model = copy.deepcopy(model, {id(weight): weight for weight in weights})
    for module in list(model.modules()):
        # The first half of a feed-forward block, as BERT, RoBERTa and their kin name it; oneDNN applies the GELU as
        # it writes the product, without another pass over memory. Encoders of other names keep theirs as it is.
        has_gelu = isinstance(getattr(module, "intermediate_act_fn", None), GELUActivation)
        if has_gelu and _is_replaceable(getattr(module, "dense", None)):
            module.dense = OneDnnLinear(module.dense, gelu=True)
            module.intermediate_act_fn = nn.Identity()
        for name, child in list(module.named_children()):
            if _is_replaceable(child):
                setattr(module, name, OneDnnLinear(child))
    if model.dtype == torch.bfloat16:
        for encoder in (model.seeker_encoder, *model.responder_encoders):
            use_short_attention(encoder)
    return model


def _is_replaceable(module: object) -> TypeGuard[nn.Linear]:
    # Not `isinstance`: of a subclass the weight may be read directly, as torch's MultiheadAttention does.
    return type(module) is nn.Linear and module.out_features >= _NARROWEST
