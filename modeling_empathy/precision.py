"""Where bfloat16 pays: processors and GPUs that compute in it, rather than converting to and fro."""

from __future__ import annotations

import torch


# Of `torch.cpu.get_capabilities()`: x86 and ARM.
_BFLOAT16_UNITS = ("avx512_bf16", "amx_bf16", "bf16", "sve_bf16")


def computes_in_bfloat16(device: torch.device) -> bool:
    """Whether a device has units for bfloat16; False where torch can't tell."""
    if device.type == "cuda":
        # By default torch answers yes for older GPUs too, which only emulate it.
        return torch.cuda.is_bf16_supported(including_emulation=False)
    if device.type == "cpu":
        return any(torch.cpu.get_capabilities().get(unit) for unit in _BFLOAT16_UNITS)
    return False
