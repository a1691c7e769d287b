"""Looks at a folder of graphs before it is passed on: whether they are what the export writes, of this very model."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_args

import torch

from ..errors import InputError, first_line
from ..model.modeling_empathy import EmpathyModel
from .graph_source import SOURCE_HASH
from .onnx_backend import RESPONSES, SEEKER_ENCODER, OnnxBackend, Precision, check_source, graph_path, require_onnx
from .onnx_export import TOLERANCE, largest_difference


# Of 8 bits probabilities are up to .3 off on random tokens, with encoders of 6 layers; those of another model up to 1.
_TOLERANCES: dict[Precision, float] = {"fp32": TOLERANCE, "int8": 0.75}

# What the exporter and the quantizer call themselves and note down.
_METADATA = (SOURCE_HASH, "onnx.infer")
# By the exporter, of a value in the graph: names of parameters and of other values.
_NAMES = re.compile(r"[\w.', \[\]]*")
_DOMAINS = ("", "ai.onnx", "com.microsoft")


def exported_files(folder: Path) -> list[str]:
    """Names of the files of a folder that `empathy export-onnx` writes, if they are there: graphs, and their weights
    where these are too large for one file."""
    names = [(graph, precision) for graph in (SEEKER_ENCODER, RESPONSES) for precision in get_args(Precision)]
    graphs = [graph_path(folder, graph, precision) for graph, precision in names]
    candidates = [path for graph in graphs for path in (graph, graph.with_name(f"{graph.name}.data"))]
    return sorted(path.name for path in candidates if path.is_file())


@torch.no_grad()
def check_exported(folder: Path, model: EmpathyModel, pad_token_id: int) -> None:
    """Raises an `InputError` unless the graphs of a folder were exported from this model and give what it gives.

    Args:
        folder: With the files of [`exported_files`], of which there is at least one.
        model: What they are compared with.
        pad_token_id: Of its tokenizer.
    """
    require_onnx("onnx", "onnxruntime")
    names = exported_files(folder)
    for name in names:
        if name.endswith(".onnx"):
            _check_content(folder / name)
    # As the model computes in the end: a checkpoint may be stored in half precision, the graphs are not.
    reference = model.float().eval() if model.dtype != torch.float32 else model.eval()
    for precision in get_args(Precision):
        if not any(graph_path(folder, graph, precision).name in names for graph in (SEEKER_ENCODER, RESPONSES)):
            continue
        backend = OnnxBackend(folder, precision=precision)
        check_source(backend, reference, folder)
        difference = largest_difference(reference, backend, pad_token_id)
        if difference > _TOLERANCES[precision]:
            raise InputError(
                f"The {precision} graphs in {folder} give probabilities that differ from the model's by "
                f"{difference:.2g}: remove that folder, and write them anew with `empathy export-onnx --model DIR`."
            )


def _check_content(path: Path) -> None:
    """Raises an `InputError` if a graph holds what the export doesn't write: notes, own operators, files elsewhere."""
    import onnx

    try:
        graph = onnx.load(path, load_external_data=False)
    # Of a library of its own, below onnx.
    except Exception as error:
        raise InputError(f"{path} is no graph: {first_line(error)}") from None
    for reason in _foreign(graph, path.name):
        raise InputError(f"{path} holds {reason}, which `empathy export-onnx` does not write: export the graphs anew.")


def _foreign(graph: Any, name: str) -> Iterator[str]:
    """What of a graph is none of ours, in words."""
    import onnx

    unknown = [entry.key for entry in graph.metadata_props if entry.key not in _METADATA]
    if unknown:
        yield f"metadata ({', '.join(unknown)!r})"
    if graph.functions or any(node.domain not in _DOMAINS for node in graph.graph.node):
        yield "operators of its own"
    if any(tensor.data_type == onnx.TensorProto.STRING for tensor in graph.graph.initializer):
        yield "texts"
    locations = {
        entry.value for tensor in graph.graph.initializer for entry in tensor.external_data if entry.key == "location"
    }
    if locations - {f"{name}.data"}:
        yield f"weights in another file ({', '.join(sorted(locations))!r})"
    used = {value for node in graph.graph.node for value in node.input}
    if any(tensor.name not in used for tensor in graph.graph.initializer):
        yield "data that it does not use"
    if _has_notes(graph):
        yield "notes"


def _has_notes(message: Any) -> bool:
    """Whether a part of a graph is described by anything but the exporter's names; the whole's metadata apart."""
    graph = message.graph
    values = [*graph.input, *graph.output, *graph.value_info]
    others = [graph, *graph.node, *graph.initializer]
    return (
        any(part.doc_string for part in (message, *values, *others))
        or any(part.metadata_props for part in others)
        or not all(
            entry.key.startswith("pkg.") and _NAMES.fullmatch(entry.value)
            for value in values
            for entry in value.metadata_props
        )
    )
