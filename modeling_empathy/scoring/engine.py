"""Scores many pairs at once: each post once, posts of like length together, nothing padded beyond its batch."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import islice
from types import MappingProxyType
from typing import Any, Protocol

import torch
from torch.nn.utils.rnn import pad_sequence
from transformers import PreTrainedTokenizerBase

from ..checkpoints.deltas import DELTAS, PRETRAINED
from ..checkpoints.loading import load_checkpoint, resolve_device
from ..encoders import EMBEDDED, load_tokenizer
from ..errors import InputError
from ..model.configuration_empathy import EmpathyConfig
from ..model.encoded_pairs import EncodedPair, encode_pairs, pad
from ..model.modeling_empathy import EmpathyModel
from ..model.pipeline_empathy import describe_pair, join_windows, own_tokenizer
from ..original_names import checkpoint_folder
from .onednn_layers import packed


# Where larger batches stop to be faster: measured on CPUs, reckoned for others.
TOKENS_PER_BATCH = {"cpu": 2048}
TOKENS_PER_BATCH_ELSEWHERE = 32768
DTYPES = {"torch": ("fp32", "bf16"), "onnx": ("fp32", "int8")}
# Pairs that are sorted by length together.
PAIRS_A_STRETCH = 1024


class Backend(Protocol):
    """What computes: the model in torch, or its exported graphs."""

    device: torch.device

    def seeker_states(self, input_ids: torch.Tensor, attention_mask: torch.Tensor) -> torch.Tensor:
        """`(post, token)` to `(post, token, hidden)`."""

    def probabilities(
        self,
        response_input_ids: torch.Tensor,
        response_attention_mask: torch.Tensor,
        seeker_states: torch.Tensor,
        seeker_attention_mask: torch.Tensor,
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """`(batch, mechanism, level)` and `(batch, mechanism, token)`."""


class TorchBackend:
    """The model in torch, packed; a response that occurs more than once in a batch is encoded once."""

    def __init__(self, model: EmpathyModel) -> None:
        self.model, self.device = packed(model), model.device

    def seeker_states(self, input_ids: torch.Tensor, attention_mask: torch.Tensor) -> torch.Tensor:
        """As of [`Backend`]."""
        return self.model.seeker_states(input_ids, attention_mask)

    def probabilities(
        self,
        response_input_ids: torch.Tensor,
        response_attention_mask: torch.Tensor,
        seeker_states: torch.Tensor,
        seeker_attention_mask: torch.Tensor,
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """As of [`Backend`]."""
        first: dict[bytes, int] = {}
        keys = [ids.numpy().tobytes() for ids in response_input_ids.cpu()]
        places = [first.setdefault(key, len(first)) for key in keys]
        if len(first) < len(keys):
            once = [keys.index(key) for key in first]
            states = self.model.response_states(response_input_ids[once], response_attention_mask[once])
            states = [of_encoder[places] for of_encoder in states]
        else:
            states = self.model.response_states(response_input_ids, response_attention_mask)
        logits = self.model.logits(states, response_attention_mask, seeker_states, seeker_attention_mask)
        return self.model.probabilities(*logits)


class ScoringEngine:
    """Gives what [`EmpathyPipeline`] gives, for many pairs and faster.

    Args:
        backend: What computes.
        tokenizer: The model's.
        config: The model's.
        tokens_per_batch: Tokens of one kind of post that are computed at once, padding included; what suits the device
            when left out.

    Example:
        ```python
        >>> engine = ScoringEngine.from_pretrained("my-model", dtype="bf16")
        >>> results = list(engine([(seeker, response), (seeker, other_response)]))
        ```
    """

    def __init__(
        self,
        backend: Backend,
        tokenizer: PreTrainedTokenizerBase,
        config: EmpathyConfig,
        tokens_per_batch: int | None = None,
    ) -> None:
        self.backend, self.tokenizer, self.config = backend, tokenizer, config
        self.tokens_per_batch = tokens_per_batch or TOKENS_PER_BATCH.get(
            backend.device.type, TOKENS_PER_BATCH_ELSEWHERE
        )

    @classmethod
    def of_model(cls, model: EmpathyModel, tokenizer: PreTrainedTokenizerBase, **options: Any) -> ScoringEngine:
        """The engine of a model in torch."""
        return cls(TorchBackend(model), tokenizer, model.config, **options)

    @classmethod
    def from_pretrained(cls, model: str | None = None, **options: Any) -> ScoringEngine:
        """The engine of a checkpoint.

        Args:
            model: A folder, or a name on the Hub; the model that is part of the package when left out.
            **options: `device`, `dtype` and `backend` of [`load_engines`].
        """
        [engine] = load_engines(model, **options)
        return engine

    def __call__(
        self,
        pairs: Iterable[tuple[str, str]],
        *,
        max_length: int | None = None,
        stride: int | None = None,
        **options: Any,
    ) -> Iterator[dict[str, Any]]:
        """Scores pairs of texts, however many, in stretches of [`PAIRS_A_STRETCH`].

        Args:
            pairs: Seeker posts and responses.
            max_length: As in [`EmpathyPipeline`].
            stride: Likewise.
            **options: As in [`score`].

        Yields:
            A result of [`EmpathyPipeline`] for each pair, in their order.
        """
        remaining = iter(pairs)
        while stretch := list(islice(remaining, PAIRS_A_STRETCH)):
            yield from self.score(self.encode(stretch, max_length, stride), **options)

    def encode(
        self, pairs: Sequence[tuple[str, str]], max_length: int | None = None, stride: int | None = None
    ) -> list[EncodedPair]:
        """Tokenizes pairs; may run in another thread than the rest."""
        return encode_pairs(self.tokenizer, pairs, max_length or self.config.max_post_length, stride)

    @torch.inference_mode()
    def score(
        self, pairs: Sequence[EncodedPair], on_progress: Callable[[int], Any] = lambda done: None, **options: Any
    ) -> list[dict[str, Any]]:
        """Scores tokenized pairs.

        Args:
            pairs: What [`encode`] gave.
            on_progress: Is told how many more pairs are done.
            **options: `mechanisms`, `threshold`, `return_all_scores` and `token_mask` of [`EmpathyPipeline`].

        Returns:
            A result of [`EmpathyPipeline`] for each pair, in their order.
        """
        rows = [(index, row) for index, pair in enumerate(pairs) for row in pair.rows()]
        seekers: dict[tuple[int, ...], int] = {}
        of_row = [seekers.setdefault(tuple(row["seeker_input_ids"]), len(seekers)) for _, row in rows]
        states = self._seeker_states(list(seekers))
        lengths = [len(row["response_input_ids"]) for _, row in rows]
        scored: list[tuple[torch.Tensor, torch.Tensor] | None] = [None] * len(rows)
        waiting = [len(pair.windows or [0]) for pair in pairs]
        for batch in _batches(lengths, self.tokens_per_batch, ties=[len(states[place]) for place in of_row]):
            ids, mask = self._padded([rows[number][1]["response_input_ids"] for number in batch])
            own = [states[of_row[number]] for number in batch]
            _, seeker_mask = self._padded([rows[number][1]["seeker_input_ids"] for number in batch])
            levels, rationales = self.backend.probabilities(
                ids, mask, pad_sequence(own, batch_first=True), seeker_mask
            )
            for number, of_levels, of_tokens in zip(batch, levels.cpu(), rationales.cpu(), strict=True):
                scored[number] = (of_levels, of_tokens)
                waiting[rows[number][0]] -= 1
            on_progress(sum(waiting[index] == 0 for index in {rows[number][0] for number in batch}))
        results = iter(scored)
        return [self._described(pair, results, options) for pair in pairs]

    def _described(self, pair: EncodedPair, scored: Iterator[Any], options: Mapping[str, Any]) -> dict[str, Any]:
        if pair.windows is None:
            levels, rationales = next(scored)
        else:
            levels, rationales = join_windows(pair, [next(scored) for _ in pair.windows])
        return describe_pair(pair, levels.tolist(), rationales.tolist(), self.config, **options)

    def _seeker_states(self, posts: Sequence[Sequence[int]]) -> list[torch.Tensor]:
        """`(token, hidden)` of each post; with its padding where that is attended to."""
        states: list[torch.Tensor] = [torch.empty(0)] * len(posts)
        for batch in _batches([len(post) for post in posts], self.tokens_per_batch):
            ids, mask = self._padded([posts[number] for number in batch])
            for number, own in zip(batch, self.backend.seeker_states(ids, mask), strict=True):
                states[number] = own[: self.config.padded_length or len(posts[number])]
        return states

    def _padded(self, posts: Sequence[Sequence[int]]) -> tuple[torch.Tensor, torch.Tensor]:
        ids, mask = pad(posts, self.tokenizer.pad_token_id, at_least=self.config.padded_length)
        return ids.to(self.backend.device), mask.to(self.backend.device)


def _batches(lengths: Sequence[int], tokens: int, ties: Sequence[int] | None = None) -> Iterator[list[int]]:
    """Parts what has these lengths in batches of up to so many tokens, the longest first: too large shows at once."""
    order = sorted(
        range(len(lengths)), key=lambda number: (lengths[number], ties[number] if ties else 0), reverse=True
    )
    start = 0
    while start < len(order):
        count = max(1, tokens // max(1, lengths[order[start]]))
        yield order[start : start + count]
        start += count


def load_engines(
    model: str | None,
    by_mechanism: Mapping[str, str] = MappingProxyType({}),
    tokenizer: str | None = None,
    device: str | None = None,
    *,
    dtype: str = "fp32",
    backend: str = "torch",
) -> list[ScoringEngine]:
    """What scores: one checkpoint, or one for each of some mechanisms.

    Args:
        model: The checkpoint, as in [`load_checkpoint`].
        by_mechanism: Without it, mechanism to the checkpoint that scores it, and nothing else. Without either, the
            model that is part of the package.
        tokenizer: As in [`load_checkpoint`].
        device: As in [`resolve_device`].
        dtype: `"fp32"` or `"bf16"`; with ONNX `"fp32"` or `"int8"`.
        backend: `"torch"`, or `"onnx"` for the graphs that `empathy export-onnx` left in the checkpoint.

    Raises:
        InputError: If a checkpoint scores anything but the mechanism that it was named for, or there is no such thing.
    """
    if dtype not in DTYPES.get(backend, ()):
        known = "; ".join(f"{name}: {', '.join(dtypes)}" for name, dtypes in DTYPES.items())
        raise InputError(f"There is no backend {backend!r} with the dtype {dtype!r}; there are {known}.")
    wanted = [(None, model or str(PRETRAINED))] if model or not by_mechanism else by_mechanism.items()
    engines = []
    for mechanism, name in wanted:
        if backend == "onnx":
            engines.append(_onnx_engine(name, tokenizer, dtype))
        else:
            loaded, own = load_checkpoint(name, mechanism, tokenizer)
            loaded.to(resolve_device(device), torch.bfloat16 if dtype == "bf16" else torch.float32)
            engines.append(ScoringEngine.of_model(loaded, own))
        scored = engines[-1].config.mechanisms
        if mechanism is not None and scored != [mechanism]:
            raise InputError(
                f"{name} scores {', '.join(scored)}, not {mechanism} alone; a checkpoint of several mechanisms is "
                "given with --model."
            )
    return engines


def _onnx_engine(name: str, tokenizer: str | None, precision: str) -> ScoringEngine:
    from .onnx_backend import OnnxBackend

    folder = checkpoint_folder(name)
    if not folder.is_dir():
        raise InputError(f"{name}: --backend onnx needs a checkpoint's folder.")
    config = EmpathyConfig.from_pretrained(folder)
    if tokenizer is None and (folder / DELTAS).is_file():
        tokenizer = EMBEDDED
    own = own_tokenizer(folder, config) if tokenizer is None else load_tokenizer(tokenizer)
    backend = OnnxBackend(folder / "onnx", precision=precision)  # type: ignore[arg-type]  # checked by the caller
    return ScoringEngine(backend, own, config)
