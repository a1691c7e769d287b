"""A file of pairs in, a table and a CSV of scores out: read and written as `empathy score` does."""

from __future__ import annotations

import tempfile
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple

from ..errors import InputError
from ..files.input_files import FORMATS, InputFile
from ..files.row import Row
from ..files.rows import read_rows
from ..jobs.input_pairs import InputColumns, InputPair
from ..jobs.score_writer import ScoreWriter
from .limits import Limits
from .scoring import PageScorer


# Texts alone: what is compressed, or holds compressed parts, may be any size once it is unpacked.
ENDINGS = (".csv", ".tsv", ".jsonl", ".ndjson")


class ScoredFile(NamedTuple):
    """What became of a file.

    Attributes:
        name: The file's.
        pairs: Its pairs.
        results: What the pipeline says of each, with all scores.
        scores: The CSV that was written.
    """

    name: str
    pairs: list[InputPair]
    results: list[dict[str, Any]]
    scores: Path


def score_upload(scorer: PageScorer, path: Path, folder: Path) -> ScoredFile:
    """Scores an uploaded file, and removes it.

    Args:
        scorer: What scores.
        path: The file.
        folder: Where the scores are written, in a folder of their own.

    Raises:
        InputError: If the file can't be used, with the words of `empathy score`; or is larger than is taken.
    """
    try:
        pairs = _read(path, scorer.limits)
    finally:
        with suppress(OSError):
            path.unlink()
    results = list(scorer.score_many([(pair.seeker_post, pair.response_post) for pair in pairs]))
    scores = Path(tempfile.mkdtemp(dir=folder), f"{path.stem}.scores.csv")
    identity = scorer.engine.identity
    writer = ScoreWriter(scores, "csv", scorer.mechanisms, "spans", [] if identity is None else [identity])
    try:
        writer.write(zip(pairs, results, strict=True))
    finally:
        writer.close()
    return ScoredFile(path.name, pairs, results, scores)


def _read(path: Path, limits: Limits) -> list[InputPair]:
    if not path.is_file():
        raise InputError("The file is gone: choose it again.")
    if path.stat().st_size > limits.file_bytes:
        size = path.stat().st_size
        raise InputError(f"{path.name} has {size / 1e6:.1f} MB; up to {limits.file_bytes / 1e6:g} are taken.")
    if path.suffix.lower() not in ENDINGS:
        raise InputError(f"{path.name}: the ending {path.suffix!r} is none of {', '.join(ENDINGS)}.")
    file_format = FORMATS[path.suffix.lower()]
    columns = InputColumns()
    pairs: list[InputPair] = []
    for row in read_rows(InputFile(str(path), path.name, file_format), columns.needed):
        pairs += columns.pairs(row)
        _check(row, pairs, limits)
    if not pairs:
        raise InputError(f"{path.name}: nothing to score; it has no rows.")
    return pairs


def _check(row: Row, pairs: list[InputPair], limits: Limits) -> None:
    if len(pairs) > limits.rows:
        raise InputError(
            f"Up to {limits.rows} rows are taken here. `empathy score` takes any number, on a machine of your own."
        )
    longest = max(len(pairs[-1].seeker_post), len(pairs[-1].response_post))
    if longest > limits.characters:
        raise InputError(f"{row.place}: a text has {longest:,} characters; up to {limits.characters:,} are taken.")
