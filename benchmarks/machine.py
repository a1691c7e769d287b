"""What the machine is and can do: the rate of large matrix products, which a benchmark's share is a share of."""

from __future__ import annotations

import platform
import statistics
import time
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch

from modeling_empathy import EmpathyConfig
from modeling_empathy.scoring.onednn_layers import OneDnnLinear, suits_onednn


def matrix_rates(dtype: torch.dtype, device: str = "cpu", size: int = 2048) -> dict[str, float]:
    """GFLOP/s (multiplications and additions) of a large matrix product, by each way that there is here."""
    linear = torch.nn.Linear(size, size, bias=False, device=device, dtype=dtype)
    ways: dict[str, torch.nn.Module] = {"torch": linear}
    if device == "cpu" and suits_onednn(linear.weight):
        ways["oneDNN"] = OneDnnLinear(linear)
    inputs = torch.randn(size, size, device=device).to(dtype)
    return {name: 2 * size**3 / _shortest(way, inputs, device) / 1e9 for name, way in ways.items()}


@torch.no_grad()
def _shortest(way: torch.nn.Module, inputs: torch.Tensor, device: str) -> float:
    seconds = []
    for _ in range(11):
        start = time.perf_counter()
        way(inputs)
        if device != "cpu":
            torch.cuda.synchronize()
        seconds.append(time.perf_counter() - start)
    return min(seconds[1:])


def needed_gflop(config: EmpathyConfig, seeker_tokens: int, response_tokens: int) -> float:
    """GFLOP of the matrix products that so many tokens need, by anyone who runs this model: no padding, no repeats.

    The linear layers of the encoders and of the cross-attentions, and the products of attention that grow with the
    length of a post are left out, a few percent at these lengths.
    """
    encoder = config.encoder_config
    hidden, inner = encoder.hidden_size, encoder.intermediate_size
    token_operations = encoder.num_hidden_layers * 2 * (4 * hidden**2 + 2 * hidden * inner)
    responders = 1 if config.share_responder_encoder else len(config.mechanisms)
    heads = len(config.mechanisms) * 2 * 2 * hidden**2 * (seeker_tokens + response_tokens)
    return (token_operations * (seeker_tokens + responders * response_tokens) + heads) / 1e9


def described() -> dict[str, Any]:
    """The processor, its cores and the versions of what computes."""
    cpu_info = Path("/proc/cpuinfo")
    lines = cpu_info.read_text().splitlines() if cpu_info.is_file() else []
    names = [line.split(":")[1].strip() for line in lines if line.startswith("model name")]
    libraries = ("torch", "transformers", "tokenizers", "onnxruntime")
    return {
        "processor": names[0] if names else platform.processor(),
        "threads": torch.get_num_threads(),
        "python": platform.python_version(),
        **{name: _version(name) for name in libraries},
    }


def median_of(runs: int, run: Any) -> float:
    """The median of several runs' seconds."""
    seconds = []
    for _ in range(runs):
        start = time.perf_counter()
        run()
        seconds.append(time.perf_counter() - start)
    return statistics.median(seconds)


def _version(name: str) -> str | None:
    try:
        return version(name)
    except ImportError:
        return None
