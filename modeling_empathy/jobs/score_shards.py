"""Scores shards of a plan, one after the other; the next pairs are read and tokenized while some are computed."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any

from ..errors import InputError, RowError
from ..files.row import Row
from ..files.rows import knows_its_rows, read_rows
from ..model.encoded_pairs import EncodedPair
from ..scoring.engine import PAIRS_PER_CHUNK, ScoringEngine
from .input_pairs import InputPair, read_pairs
from .output_folder import OutputFolder, ShardSummary, part_name
from .plan import Piece, Plan
from .score_writer import ScoreWriter


@dataclass
class _Chunk:
    """Pairs of a shard that are scored together.

    Attributes:
        shard: Its number.
        pairs: The pairs.
        encodings: For each engine, the tokenized pairs.
        is_last: Whether the shard ends with them.
        rejected: Then, the rows of the shard that could not be used.
    """

    shard: int
    pairs: list[InputPair]
    encodings: list[list[EncodedPair]] = field(default_factory=list)
    is_last: bool = False
    rejected: list[RowError] = field(default_factory=list)


def score_shards(
    plan: Plan,
    engines: Sequence[ScoringEngine],
    folder: OutputFolder,
    shards: Iterable[int],
    on_progress: Callable[[int], object] = lambda pairs: None,
) -> None:
    """Scores shards and marks each that is whole.

    Args:
        plan: What is to be done.
        engines: What scores, each one different mechanisms.
        folder: Where the shards go.
        shards: Their numbers, best in rising order: then each file is read once. Asked for the next one when it is
            time to read it.
        on_progress: Called with how many more pairs are scored.

    Raises:
        InputError: If an input is not what it was when the run was planned, or a row can't be used.
    """
    current: _OpenShard | None = None
    with ExitStack() as stack:
        for chunk, upcoming in _tokenized_ahead(plan, engines, shards):
            if current is None:
                current = stack.enter_context(_OpenShard(plan, folder, chunk.shard))

            def progress(done: int, upcoming: Future[Any] = upcoming) -> None:
                # A row further on that can't be used costs a batch, not the chunk before it.
                if upcoming.done():
                    upcoming.result()
                on_progress(done)

            with_mask = plan.options.rationale_format == "mask"
            results = _score(engines, chunk.encodings, with_mask, progress) if chunk.pairs else []
            current.write(chunk.pairs, results)
            if chunk.is_last:
                current.end(chunk.rejected)
                stack.pop_all().close()
                current = None


def _tokenized_ahead(
    plan: Plan, engines: Sequence[ScoringEngine], shards: Iterable[int]
) -> Iterator[tuple[_Chunk, Future[Any]]]:
    """Chunks of pairs, tokenized for each engine, and the one that another thread makes meanwhile."""
    chunks = _chunks(plan, shards)
    with_mask = plan.options.rationale_format == "mask"
    read = 0

    def read_and_tokenize() -> _Chunk | None:
        nonlocal read
        chunk = next(chunks, None)
        if chunk is not None:
            posts = [(pair.seeker_post, pair.response_post) for pair in chunk.pairs]
            chunk.encodings = [
                engine.encode(posts, stride=plan.options.stride, first=read, token_mask=with_mask)
                for engine in engines
            ]
            read += len(posts)
        return chunk

    # A thread is enough: tokenizers and torch let go of the interpreter while they work. One worker, so that chunks
    # are read in their order; one chunk ahead, so that memory holds two.
    executor = ThreadPoolExecutor(max_workers=1)
    try:
        upcoming = executor.submit(read_and_tokenize)
        while (chunk := upcoming.result()) is not None:
            upcoming = executor.submit(read_and_tokenize)
            yield chunk, upcoming
    finally:
        # Not waited for: whoever stops a run may find the thread waiting for a disk.
        executor.shutdown(wait=False)


def _chunks(plan: Plan, shards: Iterable[int]) -> Iterator[_Chunk]:
    reader = _PieceReader(plan)
    for shard in shards:
        rejected: list[RowError] = []

        def reject(error: RowError, rejected: list[RowError] = rejected) -> None:
            if not plan.options.skip_errors:
                raise error
            rejected.append(error)

        rows = (row for piece in plan.pieces(shard) for row in reader.rows(piece, reject))
        pairs = read_pairs(rows, plan.options.columns, reject)
        # One ahead, so that the last chunk is known to be the last.
        chunk = list(islice(pairs, PAIRS_PER_CHUNK))
        while following := list(islice(pairs, PAIRS_PER_CHUNK)):
            yield _Chunk(shard, chunk)
            chunk = following
        yield _Chunk(shard, chunk, is_last=True, rejected=rejected)


class _PieceReader:
    """Reads pieces of files; those that follow each other without opening the file again."""

    def __init__(self, plan: Plan) -> None:
        self._plan = plan
        self._file, self._position = -1, 0
        self._rows: Iterator[Row] = iter(())
        self._reject: Callable[[RowError], None] = lambda error: None

    def rows(self, piece: Piece, reject: Callable[[RowError], None]) -> Iterator[Row]:
        """The rows of a piece; `reject` is called with what can't be read before each of them.

        Raises:
            InputError: If the file has other rows than when it was planned.
        """
        planned = self._plan.files[piece.file]
        self._go_to(piece)
        self._reject = reject
        for _ in range(piece.rows):
            row = next(self._rows, None)
            if row is None:
                raise InputError(_changed(planned.name))
            self._position += 1
            yield row
        if self._position == planned.rows and next(self._rows, None) is not None:
            raise InputError(_changed(planned.name))

    def _go_to(self, piece: Piece) -> None:
        if piece.file == self._file and piece.start == self._position:
            return
        planned = self._plan.files[piece.file]
        # Of text, what lies between has to be read anyway.
        if piece.file == self._file and piece.start > self._position and not knows_its_rows(planned.file):
            self._reject = lambda error: None
            for _ in islice(self._rows, piece.start - self._position):
                pass
        else:
            columns = self._plan.options.columns
            self._rows = read_rows(
                planned.file, columns.needed, start=piece.start, on_error=lambda error: self._reject(error)
            )
        self._file, self._position = piece.file, piece.start


def _changed(name: str) -> str:
    return f"{name} has changed since the run began: what is done of it stays; bring it back, or use --start_over."


class _OpenShard:
    """A shard that is being written."""

    def __init__(self, plan: Plan, folder: OutputFolder, number: int) -> None:
        self._plan, self._folder, self._number = plan, folder, number
        self._stack = ExitStack()
        self._pairs = self._truncated = self._skipped = 0
        self._is_whole = False

    def __enter__(self) -> _OpenShard:
        options = self._plan.options
        name = f"{part_name(self._number)}.{options.file_format}"
        self._path = self._stack.enter_context(self._folder.new_file(name))
        self._writer = ScoreWriter(
            self._path,
            options.file_format,
            self._plan.mechanisms,
            options.rationale_format,
            self._plan.models,
            self._plan.kept,
        )
        # Entered last and so left first: the file is closed before it is moved into place.
        self._stack.callback(self._writer.close)
        return self

    def write(self, pairs: Sequence[InputPair], results: Sequence[dict[str, Any]]) -> None:
        """Writes pairs with their results."""
        if pairs:
            self._writer.write(zip(pairs, results, strict=True))
        self._pairs += len(pairs)
        self._truncated += sum(any(result["truncated"].values()) for result in results)

    def end(self, rejected: Sequence[RowError]) -> None:
        """Says that all is written, and lists what could not be."""
        self._skipped = len(rejected)
        if rejected:
            with self._folder.new_file(f"_errors/{part_name(self._number)}.jsonl") as path:
                write_rejected(path, rejected)
        self._is_whole = True

    def __exit__(self, *raised: Any) -> None:
        if raised[0] is None:
            self._writer.close()
            size = self._path.stat().st_size
        self._stack.__exit__(*raised)
        if raised[0] is None and self._is_whole:
            self._folder.mark(self._number, ShardSummary(self._pairs, self._truncated, self._skipped, size))


def write_rejected(path: Path, rejected: Iterable[RowError]) -> None:
    """Lists rows that could not be used, one a line, as JSON."""
    with path.open("w", encoding="utf-8", errors="backslashreplace") as file:
        for error in rejected:
            row = {"line": error.line, "error": str(error), "row": error.values}
            file.write(json.dumps(row, ensure_ascii=False, default=str) + "\n")


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
        scores = engine.score(encoded, progress, token_mask=with_mask, return_all_scores=True)
        for result, scored in zip(results, scores, strict=True):
            # Models may differ in how much they read: a post is cut if one of them did not read all of it.
            truncated = {
                post: cut or result["truncated"].get(post, False) for post, cut in scored["truncated"].items()
            }
            result |= scored | {"truncated": truncated}
    return results
