"""Scores files of pairs of any length: a chunk of them at a time, the output whole or not at all."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, field
from itertools import chain, count, islice
from pathlib import Path
from typing import Any

from tqdm.auto import tqdm

from ..checkpoints.identity import ModelIdentity
from ..errors import InputError, RowError
from ..files.rows import FORMATS, format_of
from ..files.whole_files import check_apart, whole_file
from ..model.encoded_pairs import OWN_STRIDE, EncodedPair, checked_lengths
from .engine import PAIRS_PER_CHUNK, ScoringEngine
from .input_pairs import InputPair, read_pairs
from .score_writer import WRITTEN, ScoreWriter


class NothingToScore(InputError):
    """A file is fine as far as it goes, and has no pair that can be scored."""


@dataclass
class ScoringSummary:
    """What became of a file.

    Attributes:
        pairs: Scored pairs.
        truncated: Pairs of which a post was longer than the model reads.
        skipped: Rows that could not be used.
        errors_path: Where those are listed, if there were any.
        models: What scored them; without those that were loaded from no checkpoint.
    """

    pairs: int = 0
    truncated: int = 0
    skipped: int = 0
    errors_path: Path | None = None
    models: list[ModelIdentity] = field(default_factory=list)


def score_file(
    load_engines: Callable[[], Sequence[ScoringEngine]],
    input_path: Path,
    output_path: Path,
    *,
    input_format: str | None = None,
    rationale_format: str = "spans",
    stride: int | str | None = OWN_STRIDE,
    skip_errors: bool = False,
    show_progress: bool = True,
) -> ScoringSummary:
    """Scores the pairs of a file, in constant memory; the next pairs are read and tokenized while some are computed.

    Args:
        load_engines: Called once the input could be read and the output be opened: loads the models, which score
            different mechanisms.
        input_path: As in [`~modeling_empathy.scoring.input_pairs.read_pairs`].
        output_path: A `.csv`, `.jsonl` or `.parquet` file; see [`~modeling_empathy.scoring.score_writer.ScoreWriter`].
        input_format: Of the input; by its ending when left out.
        rationale_format: `"spans"`, or `"mask"` as the original has it: 0 and 1 for each token up to the length that
            the model was trained with (with a `stride`, all of the response's), whatever the level.
        stride: As in [`~modeling_empathy.model.pipeline_empathy.EmpathyPipeline`].
        skip_errors: Whether a row that can't be used is listed in `{output_path}.errors.jsonl` and left out, instead
            of being an error.
        show_progress: Whether a bar counts pairs.

    Raises:
        InputError: Where input or output can't be used, or there is nothing to score; then nothing is written.
    """
    summary = ScoringSummary()
    # Not every format that is read is written too.
    endings = {ending: file_format for ending, file_format in FORMATS.items() if file_format in WRITTEN}
    output_format = format_of(output_path, formats=endings)
    errors_path = output_path.with_name(output_path.name + ".errors.jsonl")
    for written in (output_path, errors_path):
        check_apart(input_path, written)
    with ExitStack() as stack:
        # Without `skip_errors` too, for what an earlier run has left.
        rejected = stack.enter_context(_RejectedRows(errors_path, skip_errors))
        pairs = read_pairs(input_path, input_format, rejected)
        # Read a chunk, so that what is wrong with the file shows, if it shows early, before the model is loaded.
        first = list(islice(pairs, PAIRS_PER_CHUNK))
        if not first:
            raise NothingToScore(f"{input_path}: nothing to score; {rejected.described()}.")
        pairs = chain(first, pairs)
        del first
        temporary = stack.enter_context(whole_file(output_path))
        engines = load_engines()
        mechanisms = [mechanism for engine in engines for mechanism in engine.config.mechanisms]
        if len(set(mechanisms)) < len(mechanisms):
            raise InputError(f"The models score the same mechanism more than once: {', '.join(mechanisms)}.")
        has_masks = rationale_format == "mask"
        _check_lengths(stride, engines)
        summary.models = [engine.identity for engine in engines if engine.identity is not None]
        writer = ScoreWriter(temporary, output_format, mechanisms, rationale_format, summary.models)
        # Entered last and so left first: the file is closed before it is moved into place.
        stack.callback(writer.close)
        with tqdm(unit=" pairs", desc="Scoring", disable=not show_progress) as bar:
            for chunk, encodings, upcoming in _tokenized_ahead(pairs, engines, stride, has_masks):

                def progress(done: int, upcoming: Future[Any] = upcoming) -> None:
                    # A row further on that can't be used costs a batch, not the chunk before it.
                    if upcoming.done():
                        upcoming.result()
                    bar.update(done)

                results = _score(engines, encodings, rationale_format == "mask", progress)
                writer.write(zip(chunk, results, strict=True))
                summary.pairs += len(chunk)
                summary.truncated += sum(any(result["truncated"].values()) for result in results)
    if rejected.rows:
        summary.skipped, summary.errors_path = rejected.rows, errors_path
    return summary


def _check_lengths(stride: int | str | None, engines: Sequence[ScoringEngine]) -> None:
    for engine in engines:
        try:
            checked_lengths(engine.tokenizer, engine.config, stride=stride)
        except ValueError as error:
            raise InputError(str(error)) from None


def _tokenized_ahead(
    pairs: Iterator[InputPair], engines: Sequence[ScoringEngine], stride: int | str | None, has_masks: bool
) -> Iterator[tuple[list[InputPair], list[list[EncodedPair]], Future[Any]]]:
    """Chunks of pairs, tokenized for each engine, and the one that another thread makes meanwhile."""

    starts = count(0, PAIRS_PER_CHUNK)

    def read_and_tokenize() -> tuple[list[InputPair], list[list[EncodedPair]]]:
        chunk = list(islice(pairs, PAIRS_PER_CHUNK))
        posts = [(seeker_post, response_post) for _, seeker_post, response_post in chunk]
        first = next(starts)
        encoded = [engine.encode(posts, stride=stride, first=first, token_mask=has_masks) for engine in engines]
        return chunk, encoded

    # A thread is enough: tokenizers and torch let go of the interpreter while they work. One worker, so that chunks
    # are read in their order; one chunk ahead, so that memory holds two.
    executor = ThreadPoolExecutor(max_workers=1)
    try:
        upcoming = executor.submit(read_and_tokenize)
        while (chunk := upcoming.result())[0]:
            upcoming = executor.submit(read_and_tokenize)
            yield *chunk, upcoming
    finally:
        # Not waited for: whoever stops a run may find the thread waiting for standard input.
        executor.shutdown(wait=False)


def _score(
    engines: Sequence[ScoringEngine],
    encodings: Sequence[Sequence[EncodedPair]],
    with_mask: bool,
    on_progress: Callable[[int], Any],
) -> list[dict[str, Any]]:
    """The result of each pair, in their order; `on_progress` is called with how many more are done."""
    results: list[dict[str, Any]] = [{"truncated": {}} for _ in encodings[0]]
    for engine, encoded in zip(engines, encodings, strict=True):
        # A pair is done when the last of the models has scored it.
        progress = on_progress if engine is engines[-1] else lambda done: on_progress(0)
        for result, scored in zip(results, engine.score(encoded, progress, token_mask=with_mask), strict=True):
            # Models may differ in how much they read: a post is cut if one of them did not read all of it.
            truncated = {
                post: cut or result["truncated"].get(post, False) for post, cut in scored["truncated"].items()
            }
            result |= scored | {"truncated": truncated}
    return results


class _RejectedRows:
    """Lists rows that could not be used in a file, which appears if there were any once all is done.

    Args:
        path: The file.
        skip: Whether rows are listed; otherwise the first one stops the reading.
    """

    def __init__(self, path: Path, skip: bool) -> None:
        self.path, self.skip, self.rows = path, skip, 0
        self._first = ""
        self._stack = ExitStack()

    def described(self) -> str:
        """What became of the rows of a file of which none could be used."""
        if not self.rows:
            return "it has no rows"
        return f"none of its {self.rows} rows can be used, the first of them because: {self._first.rstrip('.')}"

    def __enter__(self) -> _RejectedRows:
        return self

    def __call__(self, error: RowError) -> None:
        if not self.skip:
            raise error
        if not self.rows:
            self._first = str(error)
            # Only now: a run without bad rows leaves no file.
            temporary = self._stack.enter_context(whole_file(self.path))
            self._file = self._stack.enter_context(temporary.open("w", encoding="utf-8", errors="backslashreplace"))
        self.rows += 1
        row = {"line": error.line, "error": str(error), "row": error.values}
        self._file.write(json.dumps(row, ensure_ascii=False, default=str) + "\n")

    def __exit__(self, *raised: Any) -> None:
        # By `os.path`, for which a name that is too long for the disk is that of no file, and no error.
        if not self.rows and raised == (None, None, None) and os.path.isfile(self.path):
            # An earlier run's, which would speak of rows that are gone; a failed run leaves what was there.
            self.path.unlink()
        self._stack.__exit__(*raised)
