"""Exports a checkpoint as graphs for ONNX Runtime, and says how far they are from the model in torch."""

from __future__ import annotations

import io
import logging
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, redirect_stdout
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import nn

from ..checkpoints.loading import load_checkpoint
from ..errors import InputError, first_line
from ..files.whole_files import whole_folder
from ..model.encoded_pairs import pad_posts
from ..model.modeling_empathy import EmpathyModel
from ..original_names import checkpoint_folder
from .graph_source import SOURCE_HASH, source_hash
from .interface import ResponseBatch
from .onnx_backend import RESPONSES, SEEKER_ENCODER, OnnxBackend, Precision, graph_path, require_onnx


# Probabilities in single precision that differ by more are not rounding.
TOLERANCE = 1e-4

# What a protobuf file can hold; a larger graph keeps its weights in a file beside it.
_LARGEST_FILE = 2**31 - 2**20

# Pairs, seeker tokens and response tokens: none of them as in the example that is exported with, so that a size
# which the exporter took for a constant shows.
_CHECKED_SIZES = ((1, 5, 9), (3, 17, 6), (2, 3, 33), (5, 128, 3), (4, 11, 128))
_EXAMPLE_SIZES = (2, 7, 12)


@dataclass(frozen=True)
class OnnxExport:
    """What was exported.

    Attributes:
        folder: The folder of the graphs.
        files: Name to size in bytes.
        largest_differences: For each precision, by how much a probability of the graphs and of torch differs at most,
            on random tokens.
    """

    folder: Path
    files: dict[str, int]
    largest_differences: dict[Precision, float]


def export_onnx(checkpoint: str, output_path: Path | None = None, *, quantize: bool = True) -> OnnxExport:
    """Exports a checkpoint as two graphs, one of which runs once for each seeker post and one for each pair.

    `seeker_encoder.onnx` takes `input_ids` and `attention_mask`, `(post, token)`, and gives `seeker_states`,
    `(post, token, hidden)`. `responses.onnx` takes these as `seeker_states`, `(batch, seeker_token, hidden)`, with
    their `seeker_attention_mask`, and `response_input_ids` and `response_attention_mask`, `(batch, token)`. It gives
    `level_probabilities`, `(batch, mechanism, level)`, and `rationale_probabilities`, `(batch, mechanism, token)`.
    The number of pairs and of each post's tokens may be any. Each graph carries the hash of what it was made from, as
    of [`~modeling_empathy.scoring.graph_source.source_hash`].

    Args:
        checkpoint: As in [`~modeling_empathy.checkpoints.loading.load_checkpoint`].
        output_path: A folder that isn't there yet; `onnx` in the checkpoint's when left out.
        quantize: Whether both graphs are written a second time, `*.int8.onnx`, with weights of 8 bits.

    Raises:
        InputError: If a package is missing, the folder is there already, the encoder can't be exported, or its graph
            computes something else; then nothing is written.
    """
    require_onnx("onnx", "onnxscript", "onnxruntime")
    model, tokenizer = load_checkpoint(checkpoint)
    if output_path is None:
        if not checkpoint_folder(checkpoint).is_dir():
            raise InputError(f"{checkpoint} is no folder of this machine: name one for the graphs with --output_path.")
        output_path = checkpoint_folder(checkpoint) / "onnx"
    # A checkpoint may be stored in half precision; the graphs are in fp32 or int8, by their names.
    model = model.float().eval()
    with whole_folder(output_path) as folder, torch.no_grad():
        differences: dict[Precision, float] = {}
        _write_graphs(model, tokenizer.pad_token_id, folder)
        differences["fp32"] = largest_difference(model, OnnxBackend(folder), tokenizer.pad_token_id)
        if differences["fp32"] > TOLERANCE:
            raise InputError(
                f"{checkpoint}: the exported graphs give probabilities that differ from the model's by "
                f"{differences['fp32']:.2g}; an encoder of type {model.config.encoder_config.model_type!r} can't be "
                "exported by these versions of torch and transformers."
            )
        if quantize:
            for graph in (SEEKER_ENCODER, RESPONSES):
                _quantize(folder, graph)
            # Of 8 bits it is reported and not judged: how far they may be off is for who uses them.
            int8_backend = OnnxBackend(folder, precision="int8")
            differences["int8"] = largest_difference(model, int8_backend, tokenizer.pad_token_id)
        files = {path.name: path.stat().st_size for path in sorted(folder.iterdir())}
    return OnnxExport(output_path, files, differences)


def largest_difference(model: EmpathyModel, backend: OnnxBackend, pad_token_id: int) -> float:
    """By how much a probability of the graphs and of the model differs at most, on padded batches of random tokens."""
    largest = 0.0
    for seed, sizes in enumerate(_CHECKED_SIZES):
        batch = _random_batch(model, pad_token_id, sizes, seed)
        seeker_ids, seeker_mask = batch["seeker_input_ids"], batch["seeker_attention_mask"]
        response = batch["response_input_ids"], batch["response_attention_mask"]
        expected = _Responses(model)(*response, model.seeker_states(seeker_ids, seeker_mask), seeker_mask)
        states = backend.seeker_states(seeker_ids, seeker_mask)
        given = backend.probabilities(ResponseBatch(*response, states, seeker_mask))
        for expected_part, given_part in zip(expected, given, strict=True):
            # `max` of floats in Python passes over what is not a number, and a broken graph would be within tolerance.
            differences = (expected_part - given_part).abs().nan_to_num(nan=float("inf"))
            largest = max(largest, differences.max().item())
    return largest


# The exporter takes modules alone, and follows `forward` alone.
class _SeekerEncoder(nn.Module):
    def __init__(self, model: EmpathyModel) -> None:
        super().__init__()
        self.model = model

    def forward(self, *tensors: torch.Tensor) -> torch.Tensor:
        return self.model.seeker_states(*tensors)


class _Responses(nn.Module):
    def __init__(self, model: EmpathyModel) -> None:
        super().__init__()
        self.model = model

    def forward(self, *tensors: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        ids, mask, seeker_states, seeker_mask = tensors  # as of ResponseBatch
        return self.model.probabilities(
            *self.model.logits(self.model.response_states(ids, mask), mask, seeker_states, seeker_mask)
        )


def _write_graphs(model: EmpathyModel, pad_token_id: int, folder: Path) -> None:
    batch = _random_batch(model, pad_token_id, _EXAMPLE_SIZES, seed=len(_CHECKED_SIZES))
    seeker, response = (
        (batch[f"{post}_input_ids"], batch[f"{post}_attention_mask"]) for post in ("seeker", "response")
    )
    posts, pairs, pair_tokens = {0: "post", 1: "token"}, {0: "batch", 1: "token"}, {0: "batch", 1: "seeker_token"}
    source = source_hash(model)
    _write_graph(
        _SeekerEncoder(model),
        source,
        {"input_ids": (seeker[0], posts), "attention_mask": (seeker[1], posts)},
        ["seeker_states"],
        graph_path(folder, SEEKER_ENCODER, "fp32"),
    )
    example = ResponseBatch(*response, model.seeker_states(*seeker), seeker[1])._asdict()
    _write_graph(
        _Responses(model),
        source,
        {name: (tensor, pair_tokens if name.startswith("seeker") else pairs) for name, tensor in example.items()},
        ["level_probabilities", "rationale_probabilities"],
        graph_path(folder, RESPONSES, "fp32"),
    )


def _write_graph(
    module: nn.Module,
    source: str,
    inputs: Mapping[str, tuple[torch.Tensor, dict[int, str]]],
    outputs: list[str],
    path: Path,
) -> None:
    """Writes what `module` computes.

    Args:
        module: In evaluation mode; its `forward` takes `*tensors`.
        source: The hash of what it is made from, as of [`source_hash`]; quantized graphs inherit it.
        inputs: Name to an example and the names of those dimensions that may have any size.
        outputs: Names.
        path: The file.
    """
    from onnx_ir.passes.common import ClearMetadataAndDocStringPass

    with _quiet():
        try:
            program = torch.onnx.export(
                module.eval(),
                tuple(example for example, _ in inputs.values()),
                dynamo=True,
                verbose=False,
                input_names=list(inputs),
                output_names=outputs,
                dynamic_shapes={"tensors": tuple(dimensions for _, dimensions in inputs.values())},
            )
        except torch.onnx.OnnxExporterError as error:
            # It speaks of its own stages; what the encoder lacks is in the error behind it.
            reason = error.__cause__ if isinstance(error.__cause__, Exception) else error
            raise InputError(f"torch can't export this encoder: {first_line(reason)}") from None
        assert program is not None  # with dynamo=True it always is one
        # Each node says in which line of which file of this machine it was computed, which is nobody else's business.
        ClearMetadataAndDocStringPass()(program.model)
        program.model.metadata_props[SOURCE_HASH] = source
        # Weights go into a file beside the graph only where one file can't hold them.
        program.save(path)


def _quantize(folder: Path, graph: str) -> None:
    from onnxruntime.quantization import QuantType, quantize_dynamic

    source = graph_path(folder, graph, "fp32")
    weights = sum(path.stat().st_size for path in folder.glob(f"{source.name}*"))
    with _quiet():
        quantize_dynamic(
            source,
            graph_path(folder, graph, "int8"),
            # Embeddings, which take no time, keep their precision.
            op_types_to_quantize=["MatMul"],
            # With one scale for all of a weight, probabilities are twice as far off.
            per_channel=True,
            weight_type=QuantType.QInt8,
            use_external_data_format=weights > _LARGEST_FILE,
            extra_options={"MatMulConstBOnly": True},
        )


def _random_batch(
    model: EmpathyModel, pad_token_id: int, sizes: tuple[int, int, int], seed: int
) -> dict[str, torch.Tensor]:
    """Padded pairs of random tokens, the first as long as `sizes` says (pairs, seeker and response tokens)."""
    generator = torch.Generator().manual_seed(seed)
    vocab_size, rows = model.config.encoder_config.vocab_size, []
    for number in range(sizes[0]):
        row = {}
        for post, size in zip(("seeker", "response"), sizes[1:], strict=True):
            longest = min(size, model.config.max_post_length)
            length = longest if number == 0 else int(torch.randint(2, longest + 1, (), generator=generator))
            ids = torch.randint(vocab_size, (length,), generator=generator)
            # No padding within a post: RoBERTa counts its positions by the tokens that are none.
            row[f"{post}_input_ids"] = ids.masked_fill(ids == pad_token_id, (pad_token_id + 1) % vocab_size).tolist()
        rows.append(row)
    return pad_posts(rows, pad_token_id)


@contextmanager
def _quiet() -> Iterator[None]:
    """Without what the exporters tell of themselves: operators of packages that are missing, names they drop."""
    disabled, root, handler = logging.root.manager.disable, logging.getLogger(), logging.NullHandler()
    # ONNX Runtime logs to the root, which without a handler would be given one for good.
    root.addHandler(handler)
    logging.disable(logging.WARNING)
    try:
        # onnxscript 0.6 prints how many rules it applied.
        with warnings.catch_warnings(), redirect_stdout(io.StringIO()):
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(disabled)
        root.removeHandler(handler)
