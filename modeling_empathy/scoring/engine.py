"""Scores many pairs at once: each post once, posts of like length together, nothing padded beyond its batch."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

import torch
from torch.nn.utils.rnn import pad_sequence
from transformers import PreTrainedTokenizerBase

from ..checkpoints.deltas import PRETRAINED
from ..checkpoints.identity import ModelIdentity
from ..errors import InputError
from ..model.configuration_empathy import EmpathyConfig
from ..model.encoded_pairs import OWN_STRIDE, EncodedPair, checked_lengths, encode_pairs, pad
from ..model.modeling_empathy import EmpathyModel
from ..model.option_values import whole_number
from ..model.pair_inputs import PostPair, in_chunks, read_pairs
from ..model.results import Probabilities, ResultOptions, describe_pair, join_windows, not_finite
from .backends import load_backend
from .interface import Backend, ResponseBatch
from .torch_backend import TorchBackend


# Where larger batches stop to be faster: measured on CPUs, reckoned for others.
_TOKENS_PER_BATCH_ON_CPU, _TOKENS_PER_BATCH_ELSEWHERE = 2048, 32768
# Pairs that are sorted by length together: the more, the less padding, but all of a chunk is held in memory.
PAIRS_PER_CHUNK = 1024


class ScoringEngine:
    """Gives what [`EmpathyPipeline`] gives, for many pairs and faster.

    Threads may share an engine, each with options of its own, and processes may be handed a copy: with the backend
    torch it can be pickled.

    Args:
        backend: What computes.
        tokenizer: The model's.
        config: The model's.
        tokens_per_batch: Tokens of one kind of post that are computed at once, padding included; what suits the device
            when left out.
        identity: Which model it is, if it was loaded from a checkpoint.

    Raises:
        ValueError: If `tokens_per_batch` is no whole number from 1.

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
        identity: ModelIdentity | None = None,
    ) -> None:
        self.backend, self.tokenizer, self.config, self.identity = backend, tokenizer, config, identity
        on_cpu = backend.device.type == "cpu"
        if tokens_per_batch is None:
            tokens_per_batch = _TOKENS_PER_BATCH_ON_CPU if on_cpu else _TOKENS_PER_BATCH_ELSEWHERE
        self.tokens_per_batch = whole_number("tokens_per_batch", tokens_per_batch, 1)

    @classmethod
    def of_model(cls, model: EmpathyModel, tokenizer: PreTrainedTokenizerBase, **options: Any) -> ScoringEngine:
        """The engine of a model in torch."""
        return cls(TorchBackend(model), tokenizer, model.config, **options)

    @classmethod
    def from_pretrained(
        cls, model: str | None = None, *, window_stride: Any = OWN_STRIDE, **options: Any
    ) -> ScoringEngine:
        """The engine of a checkpoint.

        Args:
            model: A folder, or a name on the Hub; the model that is part of the package when left out.
            window_stride: In place of what the model's configuration says; None to cut long responses.
            **options: `device`, `dtype` and `backend` of [`load_engines`].
        """
        [engine] = load_engines(model, **options)
        if window_stride != OWN_STRIDE:
            engine.config.window_stride = window_stride
        return engine

    def __call__(
        self, pairs: Any, *, max_length: int | None = None, stride: int | str | None = OWN_STRIDE, **options: Any
    ) -> Iterator[dict[str, Any]]:
        """Scores pairs of texts, however many, a chunk of `PAIRS_PER_CHUNK` at a time.

        Args:
            pairs: What [`EmpathyPipeline`] takes: pairs, one pair, two columns, a data set, a data frame.
            max_length: As in [`EmpathyPipeline`].
            stride: Likewise.
            **options: As in [`score`].

        Returns:
            An iterator of a result of [`EmpathyPipeline`] for each pair, in their order.

        Raises:
            ValueError: If an option can't be used, or something is no pair: now where all of them are there, and where
                they come one by one, when it is its turn, behind the results of those before it.
        """
        # No generator itself: what can't be used is an error of the call, not of the first result.
        result_options = ResultOptions.checked(self.config, options)
        lengths = checked_lengths(self.tokenizer, self.config, max_length, stride, result_options.token_mask)
        read = read_pairs(pairs)
        return self._results([read] if isinstance(read, PostPair) else read, lengths, result_options)

    def _results(
        self, pairs: Iterable[PostPair], lengths: tuple[int, int | None], options: ResultOptions
    ) -> Iterator[dict[str, Any]]:
        for chunk in in_chunks(pairs, PAIRS_PER_CHUNK):
            yield from self._score(encode_pairs(self.tokenizer, chunk, *lengths), options)

    def encode(
        self,
        pairs: Any,
        max_length: int | None = None,
        stride: int | str | None = OWN_STRIDE,
        first: int = 0,
        token_mask: bool = False,
    ) -> list[EncodedPair]:
        """Tokenizes pairs; may run in another thread than the rest.

        Args:
            pairs: As of a call of the engine; all of them are tokenized at once.
            max_length: Likewise.
            stride: Likewise.
            first: The position that errors give the first pair, where these follow others.
            token_mask: Whether [`score`] will be asked for token masks.

        Raises:
            ValueError: Likewise.
        """
        lengths = checked_lengths(self.tokenizer, self.config, max_length, stride, token_mask)
        read = read_pairs(pairs, first)
        return encode_pairs(self.tokenizer, [read] if isinstance(read, PostPair) else list(read), *lengths)

    def score(
        self, pairs: Sequence[EncodedPair], on_progress: Callable[[int], Any] = lambda done: None, **options: Any
    ) -> list[dict[str, Any]]:
        """Scores tokenized pairs.

        Args:
            pairs: What [`encode`] gave.
            on_progress: Called with how many more pairs are done.
            **options: Those of [`ResultOptions`].

        Returns:
            A result of [`EmpathyPipeline`] for each pair, in their order.

        Raises:
            ValueError: If an option can't be used.
            InputError: If the model gives something else than numbers: names the pairs.
        """
        # Before anything is computed, so that an option that can't be used costs nothing.
        return self._score(pairs, ResultOptions.checked(self.config, options), on_progress)

    @torch.inference_mode()
    def _score(
        self,
        pairs: Sequence[EncodedPair],
        options: ResultOptions,
        on_progress: Callable[[int], Any] = lambda done: None,
    ) -> list[dict[str, Any]]:
        rows = [(index, row) for index, pair in enumerate(pairs) for row in pair.rows()]
        # By token ids rather than by text: posts that differ only behind the cut are the same to the encoder.
        seekers: dict[tuple[int, ...], int] = {}
        seeker_of_row = [seekers.setdefault(tuple(row["seeker_input_ids"]), len(seekers)) for _, row in rows]
        states = self._seeker_states(list(seekers))
        # Among responses of one length those with like seeker posts stand together, so that both are padded little.
        sizes = [
            (len(row["response_input_ids"]), len(states[seeker]))
            for (_, row), seeker in zip(rows, seeker_of_row, strict=True)
        ]
        scored: dict[int, Probabilities] = {}
        # A pair is done when the last of its windows is, and these are in batches with others of their length.
        waiting = [len(pair.windows or [0]) for pair in pairs]
        for batch in _batches(sizes, self.tokens_per_batch):
            ids, mask = self._padded([rows[number][1]["response_input_ids"] for number in batch])
            _, seeker_mask = self._padded([rows[number][1]["seeker_input_ids"] for number in batch])
            seeker_states = pad_sequence([states[seeker_of_row[number]] for number in batch], batch_first=True)
            levels, rationales = self.backend.probabilities(ResponseBatch(ids, mask, seeker_states, seeker_mask))
            # Off the device a batch at a time: moved row by row, each would wait for the device anew.
            levels, rationales = levels.cpu(), rationales.cpu()
            if problem := not_finite((pairs[rows[number][0]] for number in batch), levels, rationales):
                raise InputError(problem)
            for number, row_levels, row_rationales in zip(batch, levels, rationales, strict=True):
                scored[number] = (row_levels, row_rationales)
                waiting[rows[number][0]] -= 1
            on_progress(sum(waiting[index] == 0 for index in {rows[number][0] for number in batch}))
        joined = join_windows(pairs, [scored[number] for number in range(len(rows))])
        return [
            describe_pair(pair, probabilities, self.config, options)
            for pair, probabilities in zip(pairs, joined, strict=True)
        ]

    def _seeker_states(self, posts: Sequence[Sequence[int]]) -> list[torch.Tensor]:
        """`(token, hidden)` of each post; with its padding where that is attended to."""
        states: list[torch.Tensor] = [torch.empty(0)] * len(posts)
        for batch in _batches([(len(post),) for post in posts], self.tokens_per_batch):
            ids, mask = self._padded([posts[number] for number in batch])
            for number, padded in zip(batch, self.backend.seeker_states(ids, mask), strict=True):
                # Padding goes, because the batch in which a post meets its responses is padded to another length.
                states[number] = padded[: self.config.padded_length or len(posts[number])]
        return states

    def _padded(self, posts: Sequence[Sequence[int]]) -> tuple[torch.Tensor, torch.Tensor]:
        ids, mask = pad(posts, self.tokenizer.pad_token_id, at_least=self.config.padded_length)
        return ids.to(self.backend.device), mask.to(self.backend.device)


def load_engines(
    model: str | None,
    by_mechanism: Mapping[str, str] | None = None,
    tokenizer: str | None = None,
    device: str | None = None,
    *,
    dtype: str = "fp32",
    backend: str = "torch",
) -> list[ScoringEngine]:
    """What scores: one checkpoint, or one for each of some mechanisms.

    Args:
        model: The checkpoint, as in [`~modeling_empathy.checkpoints.loading.load_checkpoint`].
        by_mechanism: Without it, mechanism to the checkpoint that scores it, and nothing else. Without either, the
            model that is part of the package.
        tokenizer: Likewise.
        device: As in [`~modeling_empathy.checkpoints.loading.resolve_device`].
        dtype: `"fp32"` or `"bf16"`; with ONNX `"fp32"` or `"int8"`.
        backend: `"torch"`, or `"onnx"` for the graphs that `empathy export-onnx` left in the checkpoint.

    Raises:
        InputError: If a checkpoint scores anything but the mechanism that it was named for, or there is no such thing.
    """
    checkpoints = (
        [(None, str(PRETRAINED) if model is None else model)]
        if model is not None or not by_mechanism
        else by_mechanism.items()
    )
    engines = []
    for mechanism, name in checkpoints:
        loaded = load_backend(backend, dtype, name, mechanism, tokenizer, device)
        engines.append(ScoringEngine(loaded.backend, loaded.tokenizer, loaded.config, identity=loaded.identity))
        mechanisms = loaded.config.mechanisms
        if mechanism is not None and mechanisms != [mechanism]:
            raise InputError(
                f"{name} scores {', '.join(mechanisms)}, not {mechanism} alone; a checkpoint of several mechanisms is "
                "given with --model."
            )
    return engines


def _batches(sizes: Sequence[tuple[int, ...]], tokens: int) -> Iterator[list[int]]:
    """Parts what has these sizes in batches of up to so many tokens by the first, and sorted by all of them."""
    # The longest first: a batch that is too large for the device fails at once, and not after an hour.
    order = sorted(range(len(sizes)), key=sizes.__getitem__, reverse=True)
    start = 0
    while start < len(order):
        # A post that is longer than a batch is one by itself; a tokenizer without special tokens gives empty ones.
        count = max(1, tokens // max(1, sizes[order[start]][0]))
        yield order[start : start + count]
        start += count
