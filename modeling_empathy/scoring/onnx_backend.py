"""Computes with exported graphs in ONNX Runtime: what torch computes, in single precision or in 8-bit integers."""

from __future__ import annotations

from collections.abc import Iterable
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Literal, cast

import torch

from ..checkpoints.identity import model_identity
from ..checkpoints.loading import checkpoint_tokenizer, load_model, named_tokenizer, resolve_device
from ..errors import InputError, first_line
from ..model.modeling_empathy import EmpathyModel
from ..original_names import checkpoint_folder
from .graph_source import SOURCE_HASH, source_hash
from .interface import LoadedBackend, ResponseBatch


Precision = Literal["fp32", "int8"]
PRECISIONS = ("fp32", "int8")

SEEKER_ENCODER = "seeker_encoder"
RESPONSES = "responses"


_ANEW = "Remove that folder, and write them anew with `empathy export-onnx --model DIR`."


def graph_path(folder: Path, graph: str, precision: Precision) -> Path:
    """Where a graph of that precision is."""
    return folder / f"{graph}{'.int8' if precision == 'int8' else ''}.onnx"


def require_onnx(*packages: str) -> None:
    """Raises an `InputError` that says how to install them if one of these packages is missing."""
    for package in packages:
        spec = find_spec(package)
        # A spec without an origin is only a folder of that name, as `onnx` in a checkpoint that is worked in.
        if spec is None or spec.origin is None:
            raise InputError(
                f"ONNX needs the package {package}, which is not installed: pip install 'modeling-empathy[onnx]'"
            )


class OnnxBackend:
    """The graphs that `empathy export-onnx` wrote, on the CPU.

    With `"fp32"` it gives what the model gives in torch, but for rounding. With `"int8"` the products with weights are
    computed in 8 bits. The activations of a batch share one scale, so that what comes of a pair then also depends, a
    little, on what it is batched with.

    Args:
        folder: The folder of the graphs, or the checkpoint that has them in `onnx/`.
        precision: Which of the graphs.

    Attributes:
        files: The graphs, and what holds their weights where these are too large for one file.
        source_hash: Of what the graphs were made from, as of [`~modeling_empathy.scoring.graph_source.source_hash`].

    Raises:
        InputError: If ONNX Runtime is not installed, there are no such graphs, they don't say what they were made
            from, or they are of different models.

    Example:
        ```python
        >>> backend = OnnxBackend(Path("my-model/onnx"), precision="int8")
        >>> states = backend.seeker_states(seeker_input_ids, seeker_attention_mask)
        >>> batch = ResponseBatch(response_input_ids, response_attention_mask, states, seeker_attention_mask)
        >>> levels, rationales = backend.probabilities(batch)
        ```
    """

    device = torch.device("cpu")

    def __init__(self, folder: Path, *, precision: Precision = "fp32") -> None:
        require_onnx("onnxruntime")
        if precision not in PRECISIONS:
            raise InputError(f"precision={precision!r}: the graphs are in fp32 or int8.")
        graphs_folder = _graphs_folder(folder, precision)
        graphs = [graph_path(graphs_folder, graph, precision) for graph in (SEEKER_ENCODER, RESPONSES)]
        self._seeker_encoder, self._responses = map(_session, graphs)
        beside = [graph.with_name(f"{graph.name}.data") for graph in graphs]
        self.files = [*graphs, *(path for path in beside if path.is_file())]
        self.source_hash = _common_source((self._seeker_encoder, self._responses), graphs_folder)

    def seeker_states(self, input_ids: torch.Tensor, attention_mask: torch.Tensor) -> torch.Tensor:
        """As of [`Backend`]."""
        (states,) = _run(self._seeker_encoder, input_ids=input_ids, attention_mask=attention_mask)
        return states

    def probabilities(self, batch: ResponseBatch) -> tuple[torch.Tensor, torch.Tensor]:
        """As of [`Backend`]."""
        levels, rationales = _run(self._responses, **batch._asdict())
        return levels, rationales


def load_onnx(
    name: str, mechanism: str | None, tokenizer: str | None, device: str | None, dtype: str
) -> LoadedBackend:
    """Loads a checkpoint's graphs, for the CPU; see [`~modeling_empathy.scoring.backends.load_backend`].

    Raises:
        InputError: Also if the graphs were made from other weights or another configuration than the checkpoint has.
    """
    if device is not None and resolve_device(device).type != "cpu":
        raise InputError(f"--device {device}: --backend onnx computes on the processor, --device cpu.")
    folder = checkpoint_folder(name)
    if not name or not folder.is_dir():
        raise InputError(f"{name}: --backend onnx needs a checkpoint's folder.")
    backend = OnnxBackend(folder / "onnx", precision=cast("Precision", dtype))
    # The model is loaded for its hash alone, which takes a third of a second for 190 MB of weights.
    model = load_model(name)
    check_source(backend, model, folder / "onnx")
    config = model.config
    loaded_tokenizer = (
        checkpoint_tokenizer(folder, config) if tokenizer is None else named_tokenizer(tokenizer, config)
    )
    return LoadedBackend(
        backend, loaded_tokenizer, config, model_identity(name, config.mechanisms, files=backend.files)
    )


def check_source(backend: OnnxBackend, model: EmpathyModel, folder: Path) -> None:
    """Raises an `InputError` unless the graphs, which are in `folder`, were made from this model."""
    if backend.source_hash != source_hash(model):
        raise InputError(
            f"The graphs in {folder} were made from other weights or another configuration than the checkpoint has "
            f"now. {_ANEW}"
        )


def _graphs_folder(folder: Path, precision: Precision) -> Path:
    for candidate in (folder, folder / "onnx"):
        if all(graph_path(candidate, graph, precision).is_file() for graph in (SEEKER_ENCODER, RESPONSES)):
            return candidate
    what = "int8 graphs (they are written without --no_quantize)" if precision == "int8" else "graphs"
    raise InputError(f"{folder} has no {what} for ONNX Runtime: write them with `empathy export-onnx --model DIR`.")


def _common_source(sessions: Iterable[Any], folder: Path) -> str:
    """The hash that all graphs carry."""
    hashes = {session.get_modelmeta().custom_metadata_map.get(SOURCE_HASH) for session in sessions}
    if None in hashes:
        raise InputError(
            f"The graphs in {folder} don't say what they were made from, as those of an older version. {_ANEW}"
        )
    if len(hashes) > 1:
        raise InputError(f"The graphs in {folder} were made from different models. {_ANEW}")
    return str(hashes.pop())


def _session(path: Path) -> Any:
    import onnxruntime  # an extra

    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_ALL
    # As many as torch uses, so that OMP_NUM_THREADS counts for both: ONNX Runtime itself does not heed it.
    options.intra_op_num_threads = torch.get_num_threads()
    options.inter_op_num_threads = 1
    # Errors alone, which it raises too; its warnings are about its own optimizations.
    options.log_severity_level = 3
    # It would plan and keep the memory of every shape that comes by, and batches come in hundreds of shapes.
    options.enable_mem_pattern = False
    try:
        return onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    # Its classes of errors have no base of their own.
    except Exception as error:
        raise InputError(
            f"{path} can't be loaded by ONNX Runtime {onnxruntime.__version__}: {first_line(error)}"
        ) from None


def _run(session: Any, **inputs: torch.Tensor) -> list[torch.Tensor]:
    # A graph takes the very types that it was exported with: 64-bit ids and masks, where a caller may have 32.
    arrays = {
        name: (tensor if tensor.is_floating_point() else tensor.long()).numpy(force=True)
        for name, tensor in inputs.items()
    }
    return [torch.from_numpy(output) for output in session.run(None, arrays)]
